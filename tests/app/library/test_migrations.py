from __future__ import annotations

import hashlib
import sqlite3
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mlx_music import GenerationRequest
from mlx_music_app.library import migrations
from mlx_music_app.library.catalogue import Catalogue
from mlx_music_app.library.errors import DamagedLibrary, LibraryError, NewerLibrary
from mlx_music_app.library.migrations import MIGRATIONS, backup_path, open_database, put_aside
from mlx_music_app.library.rows import NewTake
from tests.app.library.conftest import rows

LATEST = len(MIGRATIONS)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A catalogue with a take in it."""
    path = tmp_path / "library.sqlite3"
    with Catalogue.open(path) as catalogue:
        catalogue.insert(
            NewTake(
                uid="u",
                path=tmp_path / "a.wav",
                title="Night",
                number=1,
                created=datetime.now(timezone.utc),
                duration=1.0,
                sample_rate=48_000,
                request=GenerationRequest(prompt="folk"),
                model="sketch",
            )
        )
    return path


def colour(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE take ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")
    connection.execute("UPDATE take SET colour = 'blue'")


def broken(connection: sqlite3.Connection) -> None:
    colour(connection)
    raise sqlite3.OperationalError("database or disk is full")


def digest(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_a_new_catalogue_has_the_latest_version(database: Path) -> None:
    assert rows(database, "PRAGMA user_version") == [(LATEST,)]
    assert rows(database, "PRAGMA journal_mode") == [("wal",)]
    connection = open_database(database)
    assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 1
    connection.close()
    assert not list(database.parent.glob("*before*"))


def test_an_older_catalogue_is_copied_and_brought_up_to_date(database: Path) -> None:
    open_database(database, (*MIGRATIONS, colour)).close()
    assert rows(database, "SELECT title, colour FROM take") == [("Night", "blue")]
    assert rows(database, "PRAGMA user_version") == [(LATEST + 1,)]
    backup = backup_path(database, LATEST)
    assert rows(backup, "PRAGMA user_version") == [(LATEST,)]
    assert rows(backup, "SELECT title FROM take") == [("Night",)]


def test_a_step_that_fails_leaves_everything_as_it_was(database: Path) -> None:
    with pytest.raises(LibraryError, match="disk is full"):
        open_database(database, (*MIGRATIONS, broken))
    assert rows(database, "PRAGMA user_version") == [(LATEST,)]
    assert "colour" not in [row[1] for row in rows(database, "PRAGMA table_info(take)")]
    open_database(database).close()


def test_steps_before_one_that_fails_stay(database: Path) -> None:
    def second(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE shape (name TEXT)")
        raise sqlite3.OperationalError("no")

    with pytest.raises(LibraryError):
        open_database(database, (*MIGRATIONS, colour, second))
    assert rows(database, "PRAGMA user_version") == [(LATEST + 1,)]
    assert rows(database, "SELECT count(*) FROM sqlite_master WHERE name = 'shape'") == [(0,)]


def test_a_newer_catalogue_is_refused_and_not_touched(database: Path) -> None:
    open_database(database, (*MIGRATIONS, colour)).close()
    before = digest(database.parent)
    with pytest.raises(NewerLibrary, match=f"version {LATEST + 1}.*install the newer"):
        open_database(database)
    assert digest(database.parent) == before


def test_a_newer_version_that_is_still_in_the_log_is_refused_too(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute(f"PRAGMA user_version = {LATEST + 1}")
    with pytest.raises(NewerLibrary):
        open_database(database)
    connection.close()
    assert rows(database, "PRAGMA user_version") == [(LATEST + 1,)]


@pytest.mark.parametrize(
    "content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_damaged_catalogue_is_told_from_a_locked_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "library.sqlite3"
    path.write_bytes(content)
    with pytest.raises(DamagedLibrary):
        open_database(path)
    assert path.read_bytes() == content


def test_somebody_elses_database_is_not_migrated(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE take (name TEXT)")
    connection.close()
    with pytest.raises(DamagedLibrary, match="is not a catalogue"):
        open_database(path)
    assert rows(path, "SELECT name FROM sqlite_master") == [("take",)]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LibraryError, match="cannot be opened"):
        open_database(tmp_path / "file" / "library.sqlite3")


def test_what_is_put_aside_is_kept_with_its_log(database: Path) -> None:
    database.with_name(database.name + "-wal").write_bytes(b"log")
    data = database.read_bytes()
    first = put_aside(database)
    assert first.read_bytes() == data
    assert first.with_name(first.name + "-wal").read_bytes() == b"log"
    assert not database.exists()
    database.write_bytes(b"again")
    assert put_aside(database) != first


def test_a_sqlite_without_search_is_said(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain:
        def execute(self, _: str) -> None:
            raise sqlite3.OperationalError("no such module: fts5")

    with pytest.raises(LibraryError, match="FTS5"):
        migrations._check_search(Plain())  # type: ignore[arg-type]
