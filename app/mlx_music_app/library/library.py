"""The library as the windows see it: takes, searched and changed at once, files looked after
behind their backs.

All methods are for the main thread and take milliseconds. What waits for disks (looking through
the music folder, the trash, the journal) runs in the background and is announced by signals.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from mlx_music_app import paths
from mlx_music_app.background import Background
from mlx_music_app.engine.jobs import MadeTake
from mlx_music_app.library.catalogue import Catalogue
from mlx_music_app.library.deletion import Deletion
from mlx_music_app.library.errors import LibraryError
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.library.identity import read_facts
from mlx_music_app.library.intake import (
    bring_in,
    facts_of_ours,
    is_file_of,
    row_of_file,
    row_of_made,
)
from mlx_music_app.library.keeper import Keeper
from mlx_music_app.library.migrations import is_damage
from mlx_music_app.library.peaks import Peaks, peaks_of
from mlx_music_app.library.scan import Found
from mlx_music_app.library.take import Take
from mlx_music_app.library.upkeep import Upkeep
from mlx_music_app.preferences import Preferences

#: Takes kept in memory; lists ask for the same few again and again.
_REMEMBERED = 2000

#: From so many changes on, lists had better start anew.
_MANY = 50


def database_path() -> Path:
    return paths.data_folder() / "library.sqlite3"


def _parent_uid(take: int) -> str | None:
    """For the thread that writes takes: it has no connection of its own."""
    with Catalogue.beside(database_path()) as catalogue:
        return catalogue.uid(take)


class Library(QObject):
    """Every take there is.

    files: gives out names in the music folder; hand it to the engine's controller.
    """

    takeAdded = Signal(int)
    takeChanged = Signal(int)
    takesRemoved = Signal(object)
    takesRefused = Signal(object)  # ids that could not be deleted, and were added again
    reset = Signal()  # much has changed: ask for everything anew
    problem = Signal(str)  # a sentence for the person
    scanProgress = Signal(int, int)
    scanFinished = Signal(int)

    def __init__(
        self, preferences: Preferences, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._preferences, self._background = preferences, background
        self.files = TakeFiles(preferences.music_folder)
        self.files.parent_uid = _parent_uid
        self._cache: dict[int, Take] = {}
        self._upkeep = Upkeep(database_path(), self.files, background, self)
        self._keeper = Keeper(database_path(), self._upkeep.stop, self)
        self._deletion = Deletion(database_path(), self._upkeep.serial, self)
        self._added_meanwhile: set[int] = set()
        self._keeper.renewed.connect(self._on_renewed)
        self._upkeep.scanned.connect(self._on_scanned)
        self._upkeep.failed.connect(self._on_scan_failed)
        self._upkeep.progressed.connect(self.scanProgress)
        self._upkeep.problem.connect(self.problem)
        self._deletion.refused.connect(self._on_refused)
        self._deletion.back.connect(self._on_back)
        self._deletion.problem.connect(self.problem)
        preferences.changed.connect(self._on_preference)

    # Opening and closing

    def open(self) -> None:
        """Open the catalogue, and begin to compare it with the music folder in the background.

        A damaged catalogue is put aside and made anew from the files, with a `problem`.

        Raises:
            NewerLibrary: A newer version of the app wrote it; nothing was changed.
            LibraryError: It cannot be opened: no permission, a full disk, ...
        """
        self._upkeep.start()
        if self._keeper.open():
            self._upkeep.scan(first=True)

    def close(self) -> None:
        """Finish what the background is doing, and close the catalogue."""
        self._upkeep.stop()
        self._keeper.close()
        self._cache.clear()

    @property
    def is_open(self) -> bool:
        return self._keeper.is_open

    # Asking

    def takes(
        self,
        search: str = "",
        sort: str = "created",
        descending: bool = True,
        favourites: bool = False,
        tag: str | None = None,
    ) -> list[int]:
        """Ids of the takes that fit, in order.

        search: words that title, prompt, lyrics, tags, notes or model have, from their
        beginnings; "a phrase" in double quotes. sort: created, title, duration, model or favourite.
        """
        with self._keeper.asking() as catalogue:
            return catalogue.ids(search, sort, descending, favourites, tag)
        return []

    def take(self, take: int) -> Take | None:
        """The take with an id, None if there is none or it was deleted."""
        found = self.get_many([take])
        return found[0] if found else None

    def get_many(self, ids: Sequence[int]) -> list[Take]:
        """The takes with these ids, in their order, without those that are gone."""
        lacking = [take for take in ids if take not in self._cache]
        if lacking:
            if len(self._cache) + len(lacking) > _REMEMBERED:
                self._cache.clear()
                lacking = list(ids)
            with self._keeper.asking() as catalogue:
                self._cache.update(catalogue.get(lacking))
        return [self._cache[take] for take in ids if take in self._cache]

    def family(self, take: int) -> list[Take]:
        """The take that everything began with, then what was made of it, by generation."""
        with self._keeper.asking() as catalogue:
            return self.get_many(catalogue.family(take))
        return []

    def all_tags(self) -> list[str]:
        """Every tag that a take has, sorted."""
        with self._keeper.asking() as catalogue:
            return catalogue.all_tags()
        return []

    def peaks(
        self,
        take: Take,
        done: Callable[[Peaks], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Compute or load a take's picture in the background, then call `done` on the main
        thread. Both are bound methods of QObjects; `Peaks.path` says which file it is of."""
        path = take.path
        self._background.run(lambda: peaks_of(path), done, failed)

    # Changing

    def add(self, made: MadeTake) -> Take:
        """Record a take that was just made. `takeAdded` is emitted."""
        new = row_of_made(made, self.files)
        with self._keeper.writing() as catalogue:
            known = catalogue.by_uid(new.uid)
            # The scan may have been faster.
            take = catalogue.insert(new) if known is None else known.id
            if made.job.parent is not None and catalogue.uid(made.job.parent) is not None:
                catalogue.set_parent(take, made.job.parent)
        return self._added(take)

    def import_file(self, path: Path) -> Take:
        """Take in a file of ours from elsewhere: it is copied into the music folder, byte by byte.

        One that lies in the music folder stays where it is, and one that is here already is found.

        Raises:
            AudioError: It cannot be read or copied, or MLX Music did not make it.
        """
        path = Path(os.path.abspath(path))
        facts = facts_of_ours(path)
        with self._keeper.writing() as catalogue:
            known = catalogue.by_uid(facts.identity.uid)
            if known is not None and known.trashed is None and known.path.exists():
                return self._existing(known.id)
            place = bring_in(facts, self.files)
            if known is None:
                take = catalogue.insert(replace(row_of_file(facts), path=place))
                parent = catalogue.by_uid(facts.identity.parent or "")
                if parent is not None:
                    catalogue.set_parent(take, parent.id)
            else:
                take = known.id
                catalogue.come_back(take, place)
        if known is not None and known.trashed is None:
            self._changed(take)
            return self._existing(take)
        return self._added(take)

    def rename(self, take: int, title: str) -> None:
        """Give a take another title, and the next number of it. The file keeps its name: songs
        in music programs refer to it."""
        title = " ".join(title.split())
        if not title:
            raise LibraryError("A take needs a title; type a few letters")
        self._change(take, title=title)
        renamed = self.take(take)
        if renamed is not None:
            self.files.count_from(title, renamed.number)

    def set_favourite(self, take: int, favourite: bool) -> None:
        self._change(take, favourite=int(favourite))

    def set_notes(self, take: int, notes: str) -> None:
        self._change(take, notes=notes)

    def set_tags(self, take: int, tags: Sequence[str]) -> None:
        """Replace a take's tags; spaces around them and doubles are dropped."""
        plain = (" ".join(tag.split()) for tag in tags)
        self._change(take, tags=tuple(dict.fromkeys(tag for tag in plain if tag)))

    def locate(self, take: int, new_path: Path) -> None:
        """Say where the file of a missing take is now.

        Raises:
            LibraryError: It is another piece of music.
            AudioError: It cannot be read.
        """
        new_path = Path(os.path.abspath(new_path))
        known = self._existing(take)
        if not is_file_of(read_facts(new_path), known):
            raise LibraryError(
                f"{new_path.name} is not the file of {known.name}; choose the file that was made "
                "with it"
            )
        with self._keeper.writing() as catalogue:
            if catalogue.id_at(new_path) not in (None, take):
                raise LibraryError(f"{new_path.name} is in the library already, as another take")
            catalogue.move(take, new_path)
        self._changed(take)

    # Deleting

    def delete(self, takes: Iterable[int]) -> None:
        """Move the files of takes to the system's trash. `undo_delete` brings them back.

        They leave the list at once; those that the system refuses come back, with `takesRefused`
        and a `problem`.
        """
        with self._keeper.writing() as catalogue:
            gone = self._deletion.delete(catalogue, list(takes))
        if gone:
            self._forget(gone)
            self._added_meanwhile.difference_update(gone)
            self.takesRemoved.emit(gone)

    def undo_delete(self) -> list[int]:
        """Bring back the takes of the last deletion of this session; returns their ids."""
        with self._keeper.writing() as catalogue:
            restored = self._deletion.undo(catalogue)
        self._forget(restored)
        for take in restored:
            self.takeAdded.emit(take)
        return restored

    @property
    def can_undo(self) -> bool:
        return self._deletion.can_undo

    # The music folder

    def rescan(self) -> None:
        """Look for files that came, went or moved; cheap, say whenever the app is activated."""
        if self._keeper.is_open:
            self._upkeep.rescan()

    def rebuild(self) -> None:
        """Read every file in the music folder again. What a person added stays."""
        self._upkeep.scan(full=True)

    @Slot(object)
    def _on_scanned(self, found: Found) -> None:
        if not self._keeper.is_open:
            return
        added = [take for take in found.added if take not in self._added_meanwhile]
        self._forget(found.changed)
        self._forget(added)
        if len(added) + len(found.changed) > _MANY:
            self.reset.emit()
        else:
            for take in added:
                self.takeAdded.emit(take)
            for take in found.changed:
                self.takeChanged.emit(take)
        if found.problems:
            more = len(found.problems) - 1
            also = f" (and {more} more like it)" if more else ""
            self.problem.emit(f"{found.problems[0]}{also}")
        self._upkeep.keep_journal()
        self.scanFinished.emit(len(found.added))

    @Slot(Exception)
    def _on_scan_failed(self, error: Exception) -> None:
        if not self._keeper.is_open:
            return
        if isinstance(error, sqlite3.Error) and is_damage(error):
            self._keeper.renew(error)
        else:
            self.problem.emit(str(error))
            self.scanFinished.emit(0)

    @Slot(str)
    def _on_renewed(self, text: str) -> None:
        self._upkeep.start()
        self._cache.clear()
        self.problem.emit(text)
        self.reset.emit()
        self._upkeep.scan(full=True)

    @Slot(str)
    def _on_preference(self, name: str) -> None:
        if name != "music_folder":
            return
        self.files.folder = self._preferences.music_folder
        if self._keeper.is_open:
            self._upkeep.keep_journal(anew=True)
            self._upkeep.scan()

    # Deleting, continued: what the background says

    @Slot(object)
    def _on_refused(self, takes: list[int]) -> None:
        if not self._keeper.is_open:
            return
        self._forget(takes)
        for take in takes:
            self.takeAdded.emit(take)
        self.takesRefused.emit(takes)

    @Slot(object)
    def _on_back(self, takes: list[int]) -> None:
        if not self._keeper.is_open:
            return
        for take in takes:
            self._changed(take)

    # Helpers

    def _existing(self, take: int) -> Take:
        found = self.take(take)
        if found is None:
            raise LibraryError("That take is no longer in the library")
        return found

    def _change(self, take: int, **values: Any) -> None:
        self._existing(take)
        with self._keeper.writing() as catalogue:
            catalogue.change(take, **values)
        self._changed(take)

    def _changed(self, take: int) -> None:
        self._forget([take])
        self._upkeep.keep_journal()
        self.takeChanged.emit(take)

    def _added(self, take: int) -> Take:
        self._added_meanwhile.add(take)
        self._forget([take])
        found = self._existing(take)
        self.files.count_from(found.title, found.number)
        self._upkeep.keep_journal()
        self.takeAdded.emit(take)
        return found

    def _forget(self, takes: Iterable[int]) -> None:
        for take in takes:
            self._cache.pop(take, None)
