"""The catalogue's schema, built up in numbered steps, each of which happens whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from mlx_music_app.library.errors import DamagedLibrary, LibraryError, NewerLibrary

#: "MLXM" in the file's head: tells our catalogue from any other SQLite file.
APPLICATION_ID = 0x4D4C584D

Migration = Callable[[sqlite3.Connection], None]


def _takes(connection: sqlite3.Connection) -> None:
    """Everything at once: there is no released version before this one.

    `uid` is in the file's tags. `title_key` is the title as titles are compared and sorted.
    `revision` counts a person's changes, `journaled` is the one that the journal in the music
    folder has. `trashed` is when the take was deleted, `trash_path` where the system keeps it.
    `recipe` holds what each take was made by. `unwanted` are files in the music folder that are
    no takes, so that they are read but once.
    """
    for statement in (
        """CREATE TABLE take (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            uid TEXT NOT NULL UNIQUE,
            path TEXT NOT NULL,
            title TEXT NOT NULL,
            title_key TEXT NOT NULL,
            number INTEGER NOT NULL,
            created TEXT NOT NULL,
            duration REAL NOT NULL,
            sample_rate INTEGER NOT NULL,
            model TEXT NOT NULL,
            favourite INTEGER NOT NULL DEFAULT 0,
            notes TEXT NOT NULL DEFAULT '',
            parent INTEGER REFERENCES take(id) ON DELETE SET NULL,
            missing INTEGER NOT NULL DEFAULT 0,
            trashed TEXT,
            trash_path TEXT,
            revision INTEGER NOT NULL DEFAULT 1,
            journaled INTEGER NOT NULL DEFAULT 0
        )""",
        # Apart, because it is long: lists are sorted by reading through all of `take`.
        """CREATE TABLE recipe (
            take INTEGER PRIMARY KEY REFERENCES take(id) ON DELETE CASCADE,
            request TEXT NOT NULL
        )""",
        # A deleted take keeps its path to come back to; meanwhile another file may lie there.
        "CREATE UNIQUE INDEX take_path ON take(path) WHERE trashed IS NULL",
        "CREATE INDEX take_created ON take(created, id) WHERE trashed IS NULL",
        "CREATE INDEX take_title ON take(title_key, number)",
        "CREATE INDEX take_parent ON take(parent) WHERE parent IS NOT NULL",
        "CREATE INDEX take_trashed ON take(trashed) WHERE trashed IS NOT NULL",
        "CREATE INDEX take_unjournaled ON take(id) WHERE revision > journaled",
        """CREATE TABLE take_tag (
            take INTEGER NOT NULL REFERENCES take(id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            tag TEXT NOT NULL,
            PRIMARY KEY (take, position)
        ) WITHOUT ROWID""",
        "CREATE INDEX take_tag_tag ON take_tag(tag)",
        """CREATE VIRTUAL TABLE take_words USING fts5(
            title, prompt, lyrics, tags, notes, model,
            tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3'
        )""",
        """CREATE TABLE unwanted (
            path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified INTEGER NOT NULL
        ) WITHOUT ROWID""",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ):
        connection.execute(statement)


#: The n-th brings a catalogue from version n - 1 to n. What stands here is never changed.
MIGRATIONS: tuple[Migration, ...] = (_takes,)


def open_database(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> sqlite3.Connection:
    """Open the catalogue at `path`, created or brought up to date where necessary.

    The connection commits each statement by itself; use `transaction` for more.

    Raises:
        NewerLibrary: A newer version of the app wrote it. Nothing was changed.
        DamagedLibrary: It is no readable catalogue.
        LibraryError: The folder cannot be written, SQLite lacks FTS5, ...
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_version(path, _version_in_head(path), len(migrations))
        connection = connect(path)
    except OSError as error:
        raise LibraryError(f"{path}: cannot be opened ({error.strerror})") from error
    try:
        with _as_library_error(path):
            _check_search(connection)
            version = _version(connection)
            _check_version(path, version, len(migrations))
            if version < len(migrations):
                _check_ours(path, connection, version)
                if version:
                    back_up(connection, backup_path(path, version))
                _migrate(connection, migrations)
            connection.execute("SELECT count(*) FROM take WHERE id < 0").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """A connection for the calling thread, as all of ours are set up."""
    with _as_library_error(path):
        connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            # A power cut may take the last moments back, but the file stays whole; what is lost
            # is found again in the music folder at the next start.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            # Moving the log into the file waits for the disk: that is done in the background.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
        except BaseException:
            connection.close()
            raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All statements within, or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file itself is broken."""
    text = str(error).lower()
    return isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in text or "not a database" in text or "corrupt" in text
    )


def backup_path(path: Path, version: int) -> Path:
    """Where the catalogue of a version is copied to before it is migrated."""
    return path.with_name(f"{path.stem} before version {version + 1}{path.suffix}")


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """A whole copy of the database at `target`, or none."""
    unfinished = target.with_name(target.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    copy = sqlite3.connect(unfinished)
    try:
        connection.backup(copy)
    finally:
        copy.close()
    os.replace(unfinished, target)


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    while True:
        with transaction(connection):
            # Inside: another process may have done it while this one waited.
            version = _version(connection)
            if version >= len(migrations):
                return
            migrations[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _version_in_head(path: Path) -> int:
    """The version as the file's head has it, read without SQLite, which would create files."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(100)
    except FileNotFoundError:
        return 0
    mark = int.from_bytes(head[68:72], "big")
    is_ours = head.startswith(b"SQLite format 3\0") and mark == APPLICATION_ID
    return int.from_bytes(head[60:64], "big") if is_ours else 0


def _check_version(path: Path, version: int, known: int) -> None:
    if version > known:
        raise NewerLibrary(
            f"{path}: was written by a newer MLX Music (version {version} of the catalogue, this "
            f"one knows {known}); install the newer app again. Nothing was changed."
        )


def _check_ours(path: Path, connection: sqlite3.Connection, version: int) -> None:
    """A database with tables but without our mark is not ours to migrate."""
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if mark != APPLICATION_ID and (version or tables):
        raise DamagedLibrary(f"{path}: is not a catalogue of MLX Music")


def _check_search(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.fts5_probe USING fts5(word)")
        connection.execute("DROP TABLE temp.fts5_probe")
    except sqlite3.OperationalError as error:
        if "no such module" not in str(error):
            raise
        raise LibraryError(
            f"SQLite {sqlite3.sqlite_version} of this Python was built without full-text search "
            "(FTS5), which the library needs; use a Python that has it (python.org, Homebrew)"
        ) from error


@contextlib.contextmanager
def _as_library_error(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise DamagedLibrary(f"{path}: is damaged ({error})") from error
        raise LibraryError(f"{path}: cannot be opened ({error})") from error


def put_aside(path: Path) -> Path:
    """Rename a damaged catalogue, with its log, and say what it is called now."""
    moment = datetime.now().strftime("%Y-%m-%d %H%M%S")
    kept = path.with_name(f"{path.stem} damaged {moment}{path.suffix}")
    count = 1
    while kept.exists():
        count += 1
        kept = path.with_name(f"{path.stem} damaged {moment} ({count}){path.suffix}")
    try:
        # The log last: SQLite drops one that it finds beside a new and empty database.
        for ending in ("", "-wal", "-shm"):
            source = path.with_name(path.name + ending)
            if source.exists():
                os.replace(source, kept.with_name(kept.name + ending))
    except OSError as error:
        raise LibraryError(
            f"{path}: is damaged and cannot be renamed ({error.strerror})"
        ) from error
    return kept
