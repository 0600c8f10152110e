"""The catalogue: takes in SQLite, and every statement that changes them.

A `Catalogue` belongs to the thread that opened it; several may be open at once. Times are stored
in UTC as ISO 8601, so that they sort as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mlx_music import GenerationRequest
from mlx_music_app.library import words
from mlx_music_app.library.migrations import connect, open_database, transaction
from mlx_music_app.library.queries import Queries
from mlx_music_app.library.rows import NewTake, place_of, stored_time, title_key


class Catalogue(Queries):
    """Takes in SQLite, for one thread."""

    @classmethod
    def open(cls, path: Path) -> Catalogue:
        """Open, and create or migrate where necessary. Raises `LibraryError` and its kinds."""
        return cls(open_database(path))

    @classmethod
    def beside(cls, path: Path) -> Catalogue:
        """One more connection to a catalogue that is open already, for another thread."""
        return cls(connect(path))

    def insert(self, take: NewTake) -> int:
        """A new row; the number is changed if another take of the title has it."""
        with transaction(self.connection):
            return self._insert(take)

    def insert_many(self, takes: Iterable[NewTake]) -> list[int]:
        """New rows, all or none."""
        with transaction(self.connection):
            return [self._insert(take) for take in takes]

    def _insert(self, take: NewTake) -> int:
        self._make_room(take.path)
        cursor = self.connection.execute(
            "INSERT INTO take (uid, path, title, title_key, number, created, duration, "
            "sample_rate, model, favourite, notes, parent) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                take.uid,
                str(take.path),
                take.title,
                title_key(take.title),
                self.free_number(take.title, take.number),
                stored_time(take.created),
                take.duration,
                take.sample_rate,
                take.model,
                take.favourite,
                take.notes,
                take.parent,
            ),
        )
        identity = cursor.lastrowid
        assert identity is not None  # an INSERT has one
        self._write_request(identity, take.request)
        self._write_tags(identity, take.tags)
        self._index([identity])
        return identity

    def change(self, take: int, **values: Any) -> None:
        """Write columns of a take, as a person's change: searched and journaled anew.

        `tags` is a sequence of texts; a `title` may change the number.
        """
        with transaction(self.connection):
            tags = values.pop("tags", None)
            if tags is not None:
                self._write_tags(take, tags)
            if "title" in values:
                values.update(self._named(take, values["title"]))
            self._set(take, values)
            self._touch(take)
            if tags is not None or not values.keys().isdisjoint({"title", "notes"}):
                self._index([take])

    def refresh(
        self,
        take: int,
        request: GenerationRequest,
        model: str,
        duration: float,
        sample_rate: int,
    ) -> None:
        """Write again what the file says of itself."""
        values = {"model": model, "duration": duration, "sample_rate": sample_rate}
        with transaction(self.connection):
            self._set(take, values)
            self._write_request(take, request)
            self._index([take])

    def move(self, take: int, path: Path) -> None:
        """A take's file lies elsewhere now, and is there."""
        with transaction(self.connection):
            self._make_room(path, besides=take)
            self._set(take, {"path": str(path), "missing": 0})
            self._touch(take)

    def set_missing(self, takes: Iterable[int], missing: bool) -> None:
        with transaction(self.connection):
            self.connection.executemany(
                "UPDATE take SET missing = ? WHERE id = ?", [(missing, take) for take in takes]
            )

    def set_parent(self, take: int, parent: int) -> bool:
        """Say what a take was made from, if that is open and makes no circle."""
        with transaction(self.connection):
            cursor = self.connection.execute(
                "UPDATE take SET parent = ?2, revision = revision + 1 "
                "WHERE id = ?1 AND parent IS NULL AND ?1 NOT IN (WITH RECURSIVE up(id) AS ("
                "SELECT ?2 UNION SELECT take.parent FROM take JOIN up USING (id) "
                "WHERE take.parent IS NOT NULL) SELECT id FROM up)",
                (take, parent),
            )
            return cursor.rowcount > 0

    # Deleted takes keep their row: families hold together, and they can come back as they were.

    def trash(self, takes: Sequence[int], moment: datetime) -> list[int]:
        """Mark takes as deleted, all at one moment; returns those that were there."""
        with transaction(self.connection):
            found = {row["id"] for row in self._rows(takes, "AND trashed IS NULL")}
            for take in found:
                self._set(take, {"trashed": stored_time(moment), "trash_path": None})
            return [take for take in takes if take in found]

    def set_trash_path(self, take: int, path: Path | None) -> None:
        """Where the system keeps the file; None when it is back."""
        self._set(take, {"trash_path": None if path is None else str(path)})

    def restore(self, takes: Iterable[int]) -> None:
        """Deleted takes are takes again. `trash_path` stays until their files are back."""
        with transaction(self.connection):
            for place in map(place_of, self._rows(takes, "AND trashed IS NOT NULL")):
                self._set(place.id, {"trashed": None, "path": str(self._free_path(place.path))})

    def come_back(self, take: int, path: Path) -> None:
        """The file of a deleted take lies in the music folder again."""
        with transaction(self.connection):
            self._set(take, {"trashed": None, "trash_path": None, "path": str(path), "missing": 0})

    def forget(self, takes: Iterable[int]) -> None:
        """Remove rows for good."""
        with transaction(self.connection):
            for take in takes:
                self.connection.execute("DELETE FROM take_words WHERE rowid = ?", (take,))
                self.connection.execute("DELETE FROM take WHERE id = ?", (take,))

    # Upkeep

    def set_journaled(self, revisions: Mapping[int, int]) -> None:
        """The journal has these revisions of these takes."""
        with transaction(self.connection):
            self.connection.executemany(
                "UPDATE take SET journaled = ? WHERE id = ?",
                [(revision, take) for take, revision in revisions.items()],
            )

    def journal_anew(self) -> None:
        """Another folder's journal lacks everything."""
        self.connection.execute("UPDATE take SET journaled = 0")

    def set_unwanted(self, path: Path) -> None:
        """Do not read a file again until it changes."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return
        self.connection.execute(
            "INSERT OR REPLACE INTO unwanted (path, size, modified) VALUES (?, ?, ?)",
            (str(path), status.st_size, status.st_mtime_ns),
        )

    def checkpoint(self) -> None:
        """Move the log into the file, as far as no reader needs it."""
        self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _make_room(self, path: Path, besides: int = -1) -> None:
        """A file that another take had the place of lies there now: that one's is missing."""
        other = self.id_at(path)
        if other is not None and other != besides:
            self._set(other, {"path": str(self._free_path(path)), "missing": 1})

    def _free_path(self, path: Path) -> Path:
        """`path`, or with the first " (2)", " (3)", ... that no take has."""
        count, free = 1, path
        while self.id_at(free) is not None:
            count += 1
            free = path.with_name(f"{path.stem} ({count}){path.suffix}")
        return free

    def _named(self, take: int, title: str) -> dict[str, Any]:
        """What a new title means: the next number of it, unless it is the same but for its case."""
        key = title_key(title)
        row = self.connection.execute(
            "SELECT title_key, number FROM take WHERE id = ?", (take,)
        ).fetchone()
        if row is None or row["title_key"] == key:
            return {}
        return {"title_key": key, "number": self.free_number(title, 1, besides=take)}

    def _touch(self, take: int) -> None:
        """The journal lacks something now."""
        self.connection.execute("UPDATE take SET revision = revision + 1 WHERE id = ?", (take,))

    def _write_request(self, take: int, request: GenerationRequest) -> None:
        self.connection.execute(
            "INSERT OR REPLACE INTO recipe (take, request) VALUES (?, ?)",
            (take, json.dumps(request.to_dict(), ensure_ascii=False)),
        )

    def _set(self, take: int, values: dict[str, Any]) -> None:
        if values:
            columns = ", ".join(f"{name} = ?" for name in values)
            self.connection.execute(
                f"UPDATE take SET {columns} WHERE id = ?", (*values.values(), take)
            )

    def _write_tags(self, take: int, tags: Iterable[str]) -> None:
        self.connection.execute("DELETE FROM take_tag WHERE take = ?", (take,))
        self.connection.executemany(
            "INSERT INTO take_tag (take, position, tag) VALUES (?, ?, ?)",
            [(take, position, tag) for position, tag in enumerate(tags)],
        )

    def _index(self, takes: Sequence[int]) -> None:
        tags = self._tags(takes)
        for row in self._whole_rows(takes):
            request = json.loads(row["request"])
            texts = [
                row["title"],
                str(request.get("prompt", "")),
                str(request.get("lyrics", "")),
                " ".join(tags.get(row["id"], ())),
                row["notes"],
                row["model"],
            ]
            self.connection.execute("DELETE FROM take_words WHERE rowid = ?", (row["id"],))
            self.connection.execute(
                "INSERT INTO take_words (rowid, title, prompt, lyrics, tags, notes, model) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (row["id"], *map(words.indexed, texts)),
            )
