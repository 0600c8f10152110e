"""Files that come in: dropped on the window, opened in the Finder, or named at the start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, Signal

from mlx_music import MLXMusicError
from mlx_music_app.ui.drop import Dropped, what_are, what_was_dropped, what_were_dropped

if TYPE_CHECKING:
    from mlx_music_app.ui.main_window import MainWindow


class Incoming(QObject):
    """Takes in what was made here, and opens everything else where it is of use."""

    failed = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    def is_of_use(self, data: QMimeData) -> bool:
        """Quick enough to ask while something is dragged along."""
        return bool(what_was_dropped(data))

    def drop(self, data: QMimeData) -> None:
        self._take_in(what_were_dropped(data))

    def open(self, paths: Sequence[Path]) -> None:
        self._take_in(what_are(paths))

    def _take_in(self, files: Sequence[Dropped]) -> None:
        own = [file for file in files if file.kind == "own"]
        others = [file for file in files if file.kind not in ("own", "")]
        problems = [file.problem for file in files if not file.kind]
        if own:
            problems += self._import([file.path for file in own])
        # A form holds one thing at a time.
        for file in others[:1]:
            self._open(file)
        if problems:
            more = f" ({len(problems) - 1} more could not be opened either.)" * (len(problems) > 1)
            self.failed.emit(problems[0] + more)

    def _import(self, paths: Sequence[Path]) -> list[str]:
        """Add takes to the library and show them; what went wrong."""
        window, taken, problems = self._window, [], []
        for path in paths:
            try:
                taken.append(window.parts.library.import_file(path))
            except (MLXMusicError, OSError) as error:
                problems.append(str(error))
        if taken:
            window.show_place("takes")
            window.takes.show_takes([take.id for take in taken])
        return problems

    def _open(self, file: Dropped) -> None:
        window = self._window
        if file.kind == "model":
            window.show_place("models")
            window.models.import_folder(file.path)
        elif file.kind == "lora":
            window.show_place("models")
            window.models.install_adapter(file.path)
        elif window.compose.accept(file):
            window.show_place("compose")
        else:
            self.failed.emit(f"{file.path.name} cannot be used here.")
