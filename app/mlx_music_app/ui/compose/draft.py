"""The draft: what stands in the form, kept from one start to the next."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, QObject, QTimer

from mlx_music_app import paths
from mlx_music_app.json_file import put_aside, read_json, write_json

log = logging.getLogger(__name__)

FORMAT = 1

_SAVE_AFTER_MS = 500


def draft_file() -> Path:
    return paths.data_folder() / "draft.json"


def write_draft(values: dict[str, Any], file: Path) -> None:
    """Keep `values`, whole or not at all. Raises OSError."""
    write_json({"format": FORMAT, **values}, file)


def read_draft(file: Path) -> dict[str, Any] | None:
    """What was kept; None if nothing was. Raises OSError, and ValueError for a damaged one."""
    try:
        values = read_json(file)
    except FileNotFoundError:
        return None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError("holds no draft of this version")
    return values


class DraftKeeper(QObject):
    """Keeps a form shortly after each change and when the app quits.

    state and show: the form's, as JSON can hold it. forget: makes the form empty. tell: shows a
    person what went wrong.
    """

    def __init__(
        self,
        parent: QObject,
        *,
        state: Callable[[], dict[str, Any]],
        show: Callable[[dict[str, Any]], None],
        forget: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(parent)
        self._state, self._show, self._forget, self._tell = state, show, forget, tell
        self._file = draft_file()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SAVE_AFTER_MS)
        self._timer.timeout.connect(self.save)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.save)

    def soon(self) -> None:
        """Keep the form when it has not changed for a moment."""
        self._timer.start()

    def save(self) -> None:
        """Keep the form now."""
        self._timer.stop()
        try:
            write_draft(self._state(), self._file)
        except OSError as error:
            self._tell(f"The draft cannot be kept in {self._file}: {error.strerror}.")

    def restore(self) -> None:
        """Show what was kept; a damaged draft is put aside and never stops the start."""
        try:
            state = read_draft(self._file)
            if state is not None:
                self._show(state)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            aside = put_aside(error, self._file)
            self._forget()
            where = f"; it is kept as {aside}" if aside else ""
            self._tell(f"The last draft could not be read{where}.")
        self._timer.stop()
