"""What can be done with takes, wherever it is asked for: menu, inspector, keys, menu bar."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from mlx_music import MLXMusicError
from mlx_music_app.background import Background
from mlx_music_app.library.export import (
    drag_file,
    dragged_file,
    export_audio,
    export_name,
    exports_folder,
    preferred_format,
)
from mlx_music_app.library.library import Library
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.drag import start_drag
from mlx_music_app.ui.reveal import copy_files, reveal
from mlx_music_app.ui.words import count

Region = tuple[float, float]

_FILTERS = {
    "wav": "WAV (*.wav)",
    "flac": "FLAC (*.flac)",
    "aiff": "AIFF (*.aiff)",
    "ogg": "Ogg Vorbis (*.ogg)",
    "mp3": "MP3 (*.mp3)",
}


@dataclass(frozen=True)
class _Wanted:
    """Files that have to be made before they can be handed out."""

    ids: tuple[int, ...]
    region: Region | None
    format: str
    bit_depth: int | None
    takes: tuple[Take, ...] = field(compare=False)


class TakeActions(QObject):
    """Does it, and says how it went."""

    failed = Signal(str)
    said = Signal(str)

    def __init__(
        self,
        library: Library,
        background: Background,
        preferences: Preferences,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._library, self._background = library, background
        self._preferences, self._window = preferences, window
        #: What is being converted, and whether it is to be copied then.
        self._in_the_making: dict[_Wanted, bool] = {}

    def export(self, take: Take, region: Region | None = None) -> None:
        """Ask where to, and write it there in the background."""
        kind = str(self._preferences.get("export_format"))
        folder = self._preferences.window("export_folder")
        start = Path(os.fsdecode(folder)) if folder else Path.home()
        proposed = start / f"{export_name(take, region)}.{kind}"
        name, chosen = QFileDialog.getSaveFileName(
            self._window,
            "Export",
            str(proposed),
            ";;".join(_FILTERS.values()),
            _FILTERS.get(kind, _FILTERS["wav"]),
        )
        if name:
            target = _with_format(Path(name), chosen)
            # The dialog has asked about the name that was typed, and about no other.
            self.export_to(take, target, region, overwrite=target == Path(name))

    def export_to(
        self, take: Take, target: Path, region: Region | None = None, *, overwrite: bool = True
    ) -> None:
        """Write the take, or the region of it, in the format of `target`'s name.

        overwrite: replace what is there, but never a file of the library.
        """
        if self._is_of_library(target):
            self.failed.emit(
                f"{target.name} is a file of the library; choose another name or folder"
            )
            return
        if not overwrite and target.exists():
            self.failed.emit(
                f"{target.name} is in {target.parent} already; export again and choose it by its "
                "whole name to replace it, or choose another name"
            )
            return
        self._preferences.save_window("export_folder", os.fsencode(target.parent))
        start, end = region or (None, None)
        self._background.run(
            partial(
                export_audio,
                take.path,
                target,
                format=_format_of(target),
                bit_depth=int(self._preferences.get("export_bit_depth")),
                start=start,
                end=end,
                overwrite=overwrite,
            ),
            self._on_exported,
            self._on_failed,
        )

    def copy(self, takes: Sequence[Take], region: Region | None = None) -> None:
        """Put the files on the clipboard; what has to be converted first, when that is done."""
        if not self._prepares(takes, region, to_copy=True):
            self._copy_now(takes, region)

    def _copy_now(self, takes: Sequence[Take], region: Region | None) -> None:
        paths = self._files(takes, region)
        if paths:
            copy_files(paths)
            what = "the region" if region else count(len(paths), "file")
            self.said.emit(f"Copied {what}. Paste into a folder or a program.")

    def drag(self, widget: QWidget, takes: Sequence[Take], region: Region | None) -> bool:
        """Start a drag of the files; False if there are none or nobody took them.

        What has to be converted first is made in the background: a drag cannot wait for it.
        """
        if self._prepares(takes, region, to_copy=False):
            return False
        paths = self._files(takes, region)
        return bool(paths) and start_drag(widget, paths)

    def reveal(self, take: Take) -> None:
        if not reveal(take.path):
            self.failed.emit(f"The folder of {take.name} could not be opened: {take.path.parent}")

    def locate(self, take: Take) -> None:
        """Ask where a missing file went."""
        name, _ = QFileDialog.getOpenFileName(
            self._window, f"Where is {take.name}?", str(take.path.parent), f"*{take.path.suffix}"
        )
        if name:
            self._attempt(partial(self._library.locate, take.id, Path(name)))

    def delete(self, takes: Sequence[Take]) -> bool:
        """To the system's trash."""
        return self._attempt(partial(self._library.delete, [take.id for take in takes]))

    def rename(self, take_id: int, title: str) -> None:
        self._attempt(partial(self._library.rename, take_id, title))

    def set_favourite(self, take_id: int, favourite: bool) -> None:
        self._attempt(partial(self._library.set_favourite, take_id, favourite))

    def set_tags(self, take_id: int, tags: Sequence[str]) -> None:
        self._attempt(partial(self._library.set_tags, take_id, tags))

    def set_notes(self, take_id: int, notes: str) -> bool:
        return self._attempt(partial(self._library.set_notes, take_id, notes))

    def _prepares(self, takes: Sequence[Take], region: Region | None, *, to_copy: bool) -> bool:
        """Whether files have to be made that take long; they are on their way then."""
        kind = preferred_format(self._preferences)
        if kind.name == "WAV" or any(take.missing for take in takes):  # written in no time
            return False
        try:
            if all(dragged_file(take, self._preferences, region) for take in takes):
                return False
        except (OSError, MLXMusicError) as error:
            self._on_failed(error)
            return True
        ids = tuple(take.id for take in takes)
        wanted = _Wanted(ids, region, kind.name, kind.bit_depth, tuple(takes))
        if wanted not in self._in_the_making:
            self._background.run(
                partial(_make_all, wanted, self._preferences), self._on_made, self._on_not_made
            )
        self._in_the_making[wanted] = to_copy
        self.said.emit(f"Making {kind.name} to {'copy' if to_copy else 'drag'}…")
        return True

    def _is_of_library(self, target: Path) -> bool:
        """Whether a take, or another file of the music folder that is no export, is there."""
        if not target.exists():
            return False
        found = target.resolve()
        exports = exports_folder(self._preferences).resolve()
        music = self._preferences.music_folder.resolve()
        return found.is_relative_to(music) and not found.is_relative_to(exports)

    def _files(self, takes: Sequence[Take], region: Region | None) -> list[Path]:
        """Each take as it leaves the app; what is converted on the way takes a moment."""
        missing = [take.name for take in takes if take.missing]
        if missing:
            self.failed.emit(f"The file of {', '.join(missing[:3])} is not where it was.")
            return []
        QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            return [drag_file(take, self._preferences, region) for take in takes]
        except (OSError, MLXMusicError) as error:
            self._on_failed(error)
            return []
        finally:
            QGuiApplication.restoreOverrideCursor()

    def _attempt(self, function: Callable[[], object]) -> bool:
        try:
            function()
        except (OSError, MLXMusicError) as error:
            self._on_failed(error)
            return False
        return True

    def _on_made(self, wanted: object) -> None:
        assert isinstance(wanted, _Wanted)
        if self._in_the_making.pop(wanted, False):
            self._copy_now(wanted.takes, wanted.region)
        else:
            self.said.emit("Ready to drag")

    def _on_not_made(self, error: Exception) -> None:
        # Whichever it was: at worst another one is asked for twice, and found the second time.
        self._in_the_making.clear()
        self._on_failed(error)

    def _on_exported(self, path: object) -> None:
        assert isinstance(path, Path)
        self.said.emit(f"Exported {path.name}")

    def _on_failed(self, error: Exception) -> None:
        self.failed.emit(in_words(error))


def _make_all(wanted: _Wanted, preferences: Preferences) -> _Wanted:
    """Make the files to hand out; returns `wanted`, by which they were asked for."""
    for take in wanted.takes:
        drag_file(take, preferences, wanted.region)
    return wanted


def in_words(error: Exception) -> str:
    """What went wrong, as one line for people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _format_of(path: Path) -> str:
    ending = path.suffix.lstrip(".").lower()
    return "aiff" if ending == "aif" else ending


def _with_format(path: Path, chosen: str) -> Path:
    """A name without an ending gets that of the kind of file that was chosen."""
    if path.suffix.lstrip(".").lower() in (*_FILTERS, "aif"):
        return path
    kind = next((kind for kind, words in _FILTERS.items() if words == chosen), "wav")
    return path.with_name(f"{path.name}.{kind}")
