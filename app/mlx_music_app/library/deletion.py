"""Deleting takes and taking it back: rows at once, files in the background and in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from mlx_music_app.library.catalogue import Catalogue
from mlx_music_app.library.errors import LibraryError
from mlx_music_app.library.serial import Serial
from mlx_music_app.library.trash import bring_back, move_to_trash

#: What a job in the background says: ids of takes, and sentences for a person.
Outcome = tuple[list[int], list[str]]


class Deletion(QObject):
    """The deletions of this session. The rows say how far each file is, so that the scan of the
    next start finishes what a crash cuts off: see `Place`."""

    refused = Signal(object)  # ids of takes that could not go to the trash and are back
    back = Signal(object)  # ids of takes whose files are back
    problem = Signal(str)

    def __init__(self, database: Path, serial: Serial, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._database, self._serial = database, serial
        self._done: list[list[int]] = []

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    def delete(self, catalogue: Catalogue, takes: Sequence[int]) -> list[int]:
        """Mark takes as deleted, and send their files after. Returns those that were there."""
        gone = catalogue.trash(takes, datetime.now(timezone.utc))
        if gone:
            self._done.append(gone)
            self._run(_send, gone, self._on_sent)
        return gone

    def undo(self, catalogue: Catalogue) -> list[int]:
        """Bring back the last takes that were deleted."""
        if not self._done:
            return []
        restored = self._done.pop()
        catalogue.restore(restored)
        self._run(_fetch, restored, self._on_fetched)
        return restored

    def _run(
        self,
        job: Callable[[Path, list[int]], Outcome],
        takes: list[int],
        done: Callable[[Outcome], None],
    ) -> None:
        database = self._database
        self._serial.run(lambda: job(database, takes), done, self._on_failed)

    @Slot(object)
    def _on_sent(self, outcome: Outcome) -> None:
        refused, problems = outcome
        if refused:
            self._done = [
                left for batch in self._done if (left := [t for t in batch if t not in refused])
            ]
            self.refused.emit(refused)
        self._say(problems)

    @Slot(object)
    def _on_fetched(self, outcome: Outcome) -> None:
        takes, problems = outcome
        self.back.emit(takes)
        self._say(problems)

    @Slot(Exception)
    def _on_failed(self, error: Exception) -> None:
        self.problem.emit(str(error))

    def _say(self, problems: list[str]) -> None:
        if problems:
            more = len(problems) - 1
            self.problem.emit(problems[0] + (f" (and {more} more)" if more else ""))


def _send(database: Path, takes: list[int]) -> Outcome:
    """Move files to the trash; returns the takes that it refused, which are takes again."""
    refused, problems = [], []
    with Catalogue.beside(database) as catalogue:
        for take in takes:
            # Each as it stands now: it may have been restored while it waited.
            place = next(iter(catalogue.places([take])), None)
            if place is None or place.trashed is None or not place.path.exists():
                continue
            try:
                catalogue.set_trash_path(take, move_to_trash(place.path))
            except LibraryError as error:
                catalogue.restore([take])
                refused.append(take)
                problems.append(str(error))
    return refused, problems


def _fetch(database: Path, takes: list[int]) -> Outcome:
    """Move the files of restored takes back; returns the takes."""
    problems = []
    with Catalogue.beside(database) as catalogue:
        for place in catalogue.places(takes):
            if place.trash_path is None:
                continue  # it never left
            try:
                catalogue.move(place.id, bring_back(place.trash_path, place.path))
            except LibraryError as error:
                catalogue.set_missing([place.id], True)
                problems.append(str(error))
                if os.path.lexists(place.trash_path):
                    continue  # the next start tries again
            catalogue.set_trash_path(place.id, None)
    return takes, problems
