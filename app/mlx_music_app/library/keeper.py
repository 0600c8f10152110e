"""Keeps the catalogue of the main thread open, and what is wrong with it away from the windows."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from mlx_music_app.library.catalogue import Catalogue
from mlx_music_app.library.errors import DamagedLibrary, LibraryError
from mlx_music_app.library.migrations import is_damage, put_aside

log = logging.getLogger(__name__)


class Keeper(QObject):
    """Opens the catalogue, and replaces it by an empty one where it turns out damaged.

    pause: called before that; ends what uses the catalogue in the background, and waits for it.
    """

    renewed = Signal(str)  # it is empty now: read everything again. What a person should know

    def __init__(
        self, database: Path, pause: Callable[[], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._database, self._pause = database, pause
        self._catalogue: Catalogue | None = None

    @property
    def is_open(self) -> bool:
        return self._catalogue is not None

    def open(self) -> bool:
        """Whether it could be opened as it was; else it was renewed. Raises `LibraryError`."""
        try:
            self._catalogue = Catalogue.open(self._database)
        except DamagedLibrary as error:
            self.renew(error)
            return False
        return True

    def close(self) -> None:
        if self._catalogue is not None:
            self._catalogue.close()
            self._catalogue = None

    def renew(self, error: Exception) -> None:
        """Put a damaged catalogue aside, where nothing of it is lost, and begin an empty one."""
        log.error("the catalogue is damaged: %s", error)
        self._pause()
        self.close()
        kept = put_aside(self._database)
        self._catalogue = Catalogue.open(self._database)
        self.renewed.emit(
            f"{self._database}: was damaged. It is kept as {kept.name}, and the library is being "
            "read again from the music folder."
        )

    @contextmanager
    def asking(self) -> Iterator[Catalogue]:
        """The catalogue for a question; where it turns out damaged, the answer is nothing."""
        try:
            yield self._open_catalogue()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise LibraryError(f"{self._database}: cannot be read ({error})") from error
            self.renew(error)

    @contextmanager
    def writing(self) -> Iterator[Catalogue]:
        """The catalogue for a change; what goes wrong is an error for the person."""
        try:
            yield self._open_catalogue()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise LibraryError(f"{self._database}: cannot be written ({error})") from error
            self.renew(error)
            raise LibraryError(
                "The library was damaged and is being read again from the music folder; "
                "do this once more in a moment"
            ) from error

    def _open_catalogue(self) -> Catalogue:
        if self._catalogue is None:
            raise LibraryError("The library is not open")
        return self._catalogue
