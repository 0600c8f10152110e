"""A process that is killed: it gets everything ready, then forks one child per line it is sent.

A child works until it is killed, which takes milliseconds to start where Qt and NumPy are loaded
already. Nothing here has a thread when it forks.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from mlx_music_app.background import Background
from mlx_music_app.library.export import export_audio
from mlx_music_app.library.library import Library, database_path
from mlx_music_app.library.migrations import MIGRATIONS, open_database
from mlx_music_app.preferences import Preferences
from tests.app.library.conftest import made, output


def report(line: str) -> None:
    """Tell the test, at once and in one piece."""
    os.write(1, f"{line}\n".encode())


def _library() -> Library:
    library = Library(Preferences(), Background())
    library.open()
    return library


def take(_: str) -> None:
    """Make takes and change them; report each when it is certain."""
    library = _library()
    while True:
        music = output(20_000, seed=1)
        path = library.files.save(music, "Night")
        report(f"written {path.name}")
        new = library.add(made(path, music, "Night"))
        library.set_notes(new.id, f"notes of {path.name}")
        report(f"recorded {path.name}")
        QCoreApplication.processEvents()


def export(argument: str) -> None:
    """Export a region of a file in every format, over and over."""
    source = Path(argument)
    count = 0
    while True:
        for kind in ("wav", "flac", "aiff"):
            count += 1
            name = f"{os.getpid()}-{count}.{kind}"
            export_audio(
                source,
                Path(os.environ["EXPORTS"]) / name,
                format=kind,
                bit_depth=24,
                start=0.1,
                end=0.9,
            )
            report(f"exported {name}")


def slowly(connection: sqlite3.Connection) -> None:
    """A migration that takes a while."""
    connection.execute("ALTER TABLE take ADD COLUMN colour TEXT")
    for (identity,) in connection.execute("SELECT id FROM take").fetchall():
        connection.execute("UPDATE take SET colour = 'blue' WHERE id = ?", (identity,))
        time.sleep(0.0005)


def migrate(_: str) -> None:
    open_database(database_path(), (*MIGRATIONS, slowly, slowly_again)).close()
    report("migrated")
    time.sleep(60)


def slowly_again(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE take ADD COLUMN shape TEXT")
    connection.execute("UPDATE take SET shape = colour || '!'")
    time.sleep(0.02)


def delete(_: str) -> None:
    """Delete everything and bring it back, over and over."""
    library = _library()
    ids = library.takes()
    while True:
        for identity in ids:
            library.delete([identity])
            library._upkeep.serial.wait()
            report(f"deleted {identity}")
        while library.can_undo:
            library.undo_delete()
            library._upkeep.serial.wait()


def main() -> None:
    app = QCoreApplication([])
    jobs = {job.__name__: job for job in (take, export, migrate, delete)}
    report("ready")
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.update(order["environment"])
            report(f"child {os.getpid()}")
            jobs[order["job"]](order["argument"])
            os._exit(1)
        os.waitpid(child, 0)
        report("dead")
    del app


if __name__ == "__main__":
    main()
