"""Bringing the catalogue in line with the music folder: on a thread, in small transactions."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from mlx_music import MLXMusicError
from mlx_music_app.library import journal
from mlx_music_app.library.catalogue import Catalogue
from mlx_music_app.library.files import TakeFiles, music_files, remove_unfinished, status_of
from mlx_music_app.library.identity import read_facts
from mlx_music_app.library.intake import row_of_file
from mlx_music_app.library.rows import Place, stored_time
from mlx_music_app.library.trash import bring_back, finish_bringing_back

log = logging.getLogger(__name__)

#: Seconds between two reports of progress.
_REPORT = 0.1

#: Seconds since its last change within which a file may still be being written.
_STILL_WRITTEN = 5.0

#: Deleted takes whose file is gone from the trash are forgotten after so many days.
_REMEMBER_DAYS = 30

#: Called with how many of how many new files have been looked at.
OnProgress = Callable[[int, int], None]


@dataclass
class Found:
    """What a scan changed. Ids of takes, and sentences for a person."""

    added: list[int] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Scan:
    """One pass over the music folder.

    database: the catalogue, open elsewhere. started: when the app was; deletions from before are
    nobody's work any more. full: read every file again, known or not. first: the first of this
    start, which looks for damage and settles what a crash left. stop: set it to end early; what
    was done stays done.
    """

    def __init__(
        self,
        database: Path,
        files: TakeFiles,
        stop: threading.Event,
        progress: OnProgress,
        started: datetime,
        *,
        full: bool = False,
        first: bool = False,
    ) -> None:
        self._database, self._files, self._stop = database, files, stop
        self._folder = files.folder
        self._progress, self._started = progress, started
        self._full, self._first = full, first
        self._found = Found()
        self._journal: dict[str, journal.Entry] = {}
        self._orphans: list[tuple[int, str | None, str | None]] = []  # id, uid, path of parents

    def run(self) -> Found:
        """Raises `LibraryError` if the folder or the catalogue cannot be read."""
        with Catalogue.beside(self._database) as self._catalogue:
            for title, number in self._catalogue.highest_numbers():
                self._files.count_from(title, number)
            if self._first:
                self._catalogue.check()
                self._settle_deleted()
                self._settle_restored()
            for path in remove_unfinished(self._folder):
                log.info("removed an unfinished file: %s", path)
            self._journal = journal.read(self._folder)
            new, gone = self._compare()
            self._read(new)
            self._mark_missing(gone)
            self._find_parents()
        return self._found

    def _settle_deleted(self) -> None:
        """What a crash left between the catalogue and the trash; and what is long gone."""
        for one in self._catalogue.trashed():
            if self._is_on_its_way(one):
                continue
            if one.trash_path is None and one.path.exists():
                self._catalogue.restore([one.id])  # marked, but never moved: not deleted
                self._found.added.append(one.id)
            elif _days_since(one.trashed) > _REMEMBER_DAYS and not _exists(one.trash_path):
                self._catalogue.forget([one.id])

    def _settle_restored(self) -> None:
        """Takes that are back, but whose files a crash left in the trash."""
        for one in self._catalogue.coming_back():
            if one.trash_path is not None:
                try:
                    if not finish_bringing_back(one.trash_path, one.path):
                        self._catalogue.move(one.id, bring_back(one.trash_path, one.path))
                except MLXMusicError as error:
                    if not one.path.exists():
                        self._found.problems.append(str(error))
                        if _exists(one.trash_path):
                            continue  # the next start tries again
            self._catalogue.set_trash_path(one.id, None)

    def _is_on_its_way(self, one: Place) -> bool:
        """Whether this session is about to move the file to the trash."""
        return (
            one.trash_path is None
            and one.trashed is not None
            and one.trashed >= stored_time(self._started)
        )

    def _compare(self) -> tuple[list[os.DirEntry[str]], set[int]]:
        """Files that are not in the catalogue, oldest first, and takes whose file is gone."""
        # The rows first: a take that is added meanwhile is then a new file that turns out known.
        rows = self._catalogue.paths()
        unwanted = {} if self._full else self._catalogue.unwanted()
        entries = {entry.path: entry for entry in music_files(self._folder)}
        known = {path for _, path, _, trashed in rows if not trashed}
        gone, back = set(), []
        for take, path, missing, trashed in rows:
            if trashed:
                continue
            present = path in entries or Path(path).is_file()
            if not present:
                gone.add(take)
            elif missing:
                back.append(take)
        if back:
            self._catalogue.set_missing(back, False)
            self._found.changed += back
        new = []
        for path, entry in entries.items():
            if path in known and not self._full:
                continue
            status = status_of(entry)
            if status is None or not status.st_size:
                continue  # gone since, or only a name that is being held
            if unwanted.get(path) != (status.st_size, status.st_mtime_ns):
                new.append((status.st_mtime_ns, path, entry))
        return [entry for *_, entry in sorted(new, key=lambda item: item[:2])], gone

    def _read(self, entries: list[os.DirEntry[str]]) -> None:
        places = [Path(entry.path) for entry in entries]
        # A journal knows of takes that lie elsewhere.
        outside = [Path(e.file) for e in self._journal.values() if os.path.isabs(e.file)]
        places += [p for p in outside if self._catalogue.id_at(p) is None and p.is_file()]
        last = 0.0
        for count, path in enumerate(places):
            if self._stop.is_set():
                return
            if time.monotonic() - last > _REPORT:
                last = time.monotonic()
                self._progress(count, len(places))
            self._take_in(path)
        if places:
            self._progress(len(places), len(places))

    def _take_in(self, path: Path) -> None:
        """Find out what a file is, and give it its row."""
        try:
            facts = read_facts(path)
        except (MLXMusicError, OSError) as error:
            if _is_settled(path):
                log.warning("left out of the library: %s", error)
                self._found.problems.append(str(error))
                self._catalogue.set_unwanted(path)
            return
        if facts is None:
            self._catalogue.set_unwanted(path)
            return
        known = self._catalogue.by_uid(facts.identity.uid)
        if known is None:
            take = self._catalogue.insert(row_of_file(facts, self._journal.get(facts.identity.uid)))
            self._found.added.append(take)
            entry = self._journal.get(facts.identity.uid)
            parent = entry.parent if entry else facts.identity.parent
            self._orphans.append((take, parent, facts.request.source))
        elif known.trashed is not None:
            # Put back by the system's own means; or still lying there, for a moment.
            if not self._is_on_its_way(known) and not _exists(known.trash_path):
                self._catalogue.come_back(known.id, path)
                self._found.added.append(known.id)
        elif known.path != path:
            if known.path.exists():
                self._catalogue.set_unwanted(path)  # a copy
            else:
                self._catalogue.move(known.id, path)
                self._found.changed.append(known.id)
        elif self._full:
            self._catalogue.refresh(
                known.id, facts.request, facts.model, facts.audio.duration, facts.audio.sample_rate
            )
            self._found.changed.append(known.id)

    def _mark_missing(self, gone: set[int]) -> None:
        # Some have been found under other names since.
        lost = [
            take.id
            for take in self._catalogue.get(gone).values()
            if not take.missing and not take.path.is_file()
        ]
        if lost:
            self._catalogue.set_missing(lost, True)
            self._found.changed += lost

    def _find_parents(self) -> None:
        for take, uid, source in self._orphans:
            parent = self._catalogue.by_uid(uid) if uid else None
            found = parent.id if parent else None
            if found is None and source:
                found = self._catalogue.id_at(Path(source))
            if found is not None:
                self._catalogue.set_parent(take, found)


def keep_journal(database: Path, folder: Path, *, anew: bool = False) -> None:
    """Write to the journal what it does not have yet, and the catalogue's log into its file.

    anew: it is another folder's journal, and has nothing.

    Raises:
        LibraryError: The journal cannot be written; what is missing stays noted.
    """
    with Catalogue.beside(database) as catalogue:
        if anew:
            catalogue.journal_anew()
        while folder.is_dir():
            entries, revisions = catalogue.unjournaled(folder)
            if not entries:
                journal.compact(folder)
                break
            journal.append(folder, entries)
            catalogue.set_journaled(revisions)
        catalogue.checkpoint()


def _days_since(text: str | None) -> float:
    if text is None:
        return 0.0
    return (datetime.now(timezone.utc) - datetime.fromisoformat(text)).total_seconds() / 86400


def _is_settled(path: Path) -> bool:
    """Whether nobody seems to be writing a file any more. One that is still being copied here
    cannot be read yet, and is looked at again at the next scan."""
    try:
        return time.time() - path.stat().st_mtime > _STILL_WRITTEN
    except FileNotFoundError:
        return False


def _exists(path: Path | None) -> bool:
    # Of what it may not look at, such as the trash of a Mac, `Path.exists` raises an error.
    return path is not None and os.path.exists(path)
