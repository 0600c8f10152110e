"""Every question that the library asks its catalogue."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from mlx_music_app.library import words
from mlx_music_app.library.journal import Entry, relative
from mlx_music_app.library.rows import Place, place_of, take_of, title_key
from mlx_music_app.library.take import Take

#: What takes can be sorted by, and the SQL of each; the newest decides between equals.
SORTS = {
    "created": "created",
    "title": "title_key",
    "duration": "duration",
    "model": "model COLLATE NOCASE",
    "favourite": "favourite",
}


Q = TypeVar("Q", bound="Queries")


class Queries:
    """Reads the catalogue over a connection, on the thread that opened it.

    Errors are `sqlite3.Error`; the library words them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def close(self) -> None:
        self.connection.close()

    def __enter__(self: Q) -> Q:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ids(
        self,
        search: str = "",
        sort: str = "created",
        descending: bool = True,
        favourites: bool = False,
        tag: str | None = None,
    ) -> list[int]:
        """Ids of the takes that fit, in order. An unknown `sort` is a `ValueError`."""
        if sort not in SORTS:
            raise ValueError(f"takes cannot be sorted by {sort!r}, only by {', '.join(SORTS)}")
        conditions, values = ["trashed IS NULL"], []
        if favourites:
            conditions.append("favourite")
        if tag is not None:
            conditions.append("id IN (SELECT take FROM take_tag WHERE tag = ?)")
            values.append(tag)
        if match := words.query(search):
            conditions.append("id IN (SELECT rowid FROM take_words WHERE take_words MATCH ?)")
            values.append(match)
        elif search.strip():
            return []  # nothing but signs that no index holds
        way = "DESC" if descending else "ASC"
        # The takes of a title stay in their order, whichever way titles go.
        also = ", number" if sort == "title" else "" if sort == "created" else ", created DESC"
        return self._column(
            f"SELECT id FROM take WHERE {' AND '.join(conditions)} "
            f"ORDER BY {SORTS[sort]} {way}{also}, id {way}",
            values,
        )

    def get(self, ids: Iterable[int]) -> dict[int, Take]:
        """The takes with these ids that are there and not deleted."""
        rows = self._whole_rows(ids, "AND trashed IS NULL")
        tags = self._tags([row["id"] for row in rows])
        return {row["id"]: take_of(row, tags.get(row["id"], ())) for row in rows}

    def family(self, take: int) -> list[int]:
        """Ids of a take's root, its descendants and theirs, one generation after the other."""
        return self._column(
            """WITH RECURSIVE up(id) AS (
                SELECT ? UNION SELECT take.parent FROM take JOIN up USING (id)
                WHERE take.parent IS NOT NULL
            ), root(id) AS (
                SELECT id FROM up JOIN take USING (id) WHERE take.parent IS NULL
            ), down(id, generation) AS (
                SELECT id, 0 FROM root UNION
                SELECT take.id, generation + 1 FROM take JOIN down ON take.parent = down.id
            )
            SELECT down.id FROM down JOIN take USING (id) WHERE trashed IS NULL
            ORDER BY generation, created, down.id""",
            (take,),
        )

    def all_tags(self) -> list[str]:
        return self._column(
            "SELECT DISTINCT tag FROM take_tag WHERE take_tag.take NOT IN "
            "(SELECT id FROM take WHERE trashed IS NOT NULL) ORDER BY tag COLLATE NOCASE, tag"
        )

    def paths(self) -> list[tuple[int, str, bool, bool]]:
        """Id, path, and whether it is missing or deleted, of every take."""
        rows = self.connection.execute("SELECT id, path, missing, trashed IS NOT NULL FROM take")
        return [(row[0], row[1], bool(row[2]), bool(row[3])) for row in rows]

    def by_uid(self, uid: str) -> Place | None:
        """The take with a uid, deleted or not."""
        row = self.connection.execute("SELECT * FROM take WHERE uid = ?", (uid,)).fetchone()
        return None if row is None else place_of(row)

    def uid(self, take: int) -> str | None:
        row = self.connection.execute("SELECT uid FROM take WHERE id = ?", (take,)).fetchone()
        return None if row is None else str(row[0])

    def id_at(self, path: Path) -> int | None:
        """The take whose file lies, or lay, at `path`."""
        row = self.connection.execute(
            "SELECT id FROM take WHERE path = ? AND trashed IS NULL", (str(path),)
        ).fetchone()
        return None if row is None else int(row[0])

    def free_number(self, title: str, wanted: int, besides: int = -1) -> int:
        """`wanted` if no take of `title` but `besides` has it, deleted ones too; else the next."""
        key = title_key(title)
        rows = self.connection.execute(
            "SELECT number FROM take WHERE title_key = ? AND id != ?", (key, besides)
        )
        taken = {row[0] for row in rows}
        return wanted if wanted not in taken else max(taken) + 1

    def highest_numbers(self) -> list[tuple[str, int]]:
        """A title and its highest number, deleted takes among them, for every title."""
        rows = self.connection.execute("SELECT title, max(number) FROM take GROUP BY title_key")
        return [(row[0], row[1]) for row in rows]

    def places(self, takes: Iterable[int]) -> list[Place]:
        """Where takes are, deleted or not."""
        return [place_of(row) for row in self._rows(takes)]

    def trashed(self) -> list[Place]:
        """Every deleted take."""
        rows = self.connection.execute("SELECT * FROM take WHERE trashed IS NOT NULL")
        return [place_of(row) for row in rows.fetchall()]

    def coming_back(self) -> list[Place]:
        """Takes that were restored, and whose files are still in the trash."""
        rows = self.connection.execute(
            "SELECT * FROM take WHERE trashed IS NULL AND trash_path IS NOT NULL"
        )
        return [place_of(row) for row in rows.fetchall()]

    def unwanted(self) -> dict[str, tuple[int, int]]:
        """Files in the music folder that are no takes: size and time of change by path."""
        rows = self.connection.execute("SELECT path, size, modified FROM unwanted")
        return {row[0]: (row[1], row[2]) for row in rows}

    def unjournaled(self, folder: Path, limit: int = 500) -> tuple[list[Entry], dict[int, int]]:
        """Entries that the journal in `folder` lacks, and the revision of each take."""
        rows = self.connection.execute(
            "SELECT take.*, made_from.uid AS parent_uid FROM take "
            "LEFT JOIN take AS made_from ON made_from.id = take.parent "
            "WHERE take.revision > take.journaled ORDER BY take.id LIMIT ?",
            (limit,),
        ).fetchall()
        tags = self._tags([row["id"] for row in rows])
        entries = [
            Entry(
                uid=row["uid"],
                file=relative(Path(row["path"]), folder),
                title=row["title"],
                number=row["number"],
                created=datetime.fromisoformat(row["created"]),
                favourite=bool(row["favourite"]),
                notes=row["notes"],
                tags=tags.get(row["id"], ()),
                parent=row["parent_uid"],
            )
            for row in rows
        ]
        return entries, {row["id"]: row["revision"] for row in rows}

    def check(self) -> None:
        """Look through the whole file. Raises `sqlite3.DatabaseError` if it is damaged."""
        row = self.connection.execute("PRAGMA quick_check(1)").fetchone()
        if row[0] != "ok":
            raise sqlite3.DatabaseError(f"database is malformed: {row[0]}")

    def _column(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The first column of a query's rows; of thousands of them, three times as fast."""
        cursor = self.connection.cursor()
        cursor.row_factory = None
        return [value for (value,) in cursor.execute(query, values)]

    def _whole_rows(self, takes: Iterable[int], more: str = "") -> list[sqlite3.Row]:
        """`_rows` with the request."""
        return self._rows(takes, more, "take.*, request", "take JOIN recipe ON recipe.take = id")

    def _rows(
        self, takes: Iterable[int], more: str = "", columns: str = "*", tables: str = "take"
    ) -> list[sqlite3.Row]:
        # As JSON: SQLite limits how many "?" a statement may have.
        return self.connection.execute(
            f"SELECT {columns} FROM {tables} WHERE id IN (SELECT value FROM json_each(?)) {more}",
            (json.dumps(list(takes)),),
        ).fetchall()

    def _tags(self, takes: Iterable[int]) -> dict[int, tuple[str, ...]]:
        rows = self.connection.execute(
            "SELECT take, tag FROM take_tag WHERE take IN (SELECT value FROM json_each(?)) "
            "ORDER BY take, position",
            (json.dumps(list(takes)),),
        )
        found: dict[int, tuple[str, ...]] = {}
        for take, tag in rows:
            found[take] = (*found.get(take, ()), tag)
        return found
