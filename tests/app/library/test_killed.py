"""`kill -9` at any moment, then start again: nothing is lost and nothing is corrupt."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mlx_music import GenerationRequest
from mlx_music_app.library import files
from mlx_music_app.library.files import EXPORTS, remove_unfinished
from mlx_music_app.library.migrations import MIGRATIONS, backup_path, open_database
from tests.app.library.conftest import Home, output, rows
from tests.app.library.killed import slowly, slowly_again

KILLS = 12


class Victim:
    """Starts jobs of `killed.py` and kills them at moments that nobody can foresee."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.library.killed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self._chance = random.Random(0)
        assert self._read() == "ready"

    def __call__(self, job: str, longest: float, argument: str = "", reports: int = 0) -> list[str]:
        """Run a job until it has made up to `reports` reports, and up to `longest` seconds more.
        Returns its reports."""
        assert self._process.stdin
        names = ("MLX_MUSIC_APP_HOME", "XDG_DATA_HOME", "EXPORTS")
        environment = {name: os.environ[name] for name in names if name in os.environ}
        order = {"job": job, "argument": argument, "environment": environment}
        print(json.dumps(order), file=self._process.stdin, flush=True)
        child = int(self._read().split()[1])
        lines = [self._read() for _ in range(self._chance.randint(0, reports))]
        time.sleep(self._chance.uniform(0.0, longest))
        os.kill(child, signal.SIGKILL)
        while (line := self._read()) != "dead":
            lines.append(line)
        return lines

    def _read(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        assert line, "the process died by itself"
        return line

    def end(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(5)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def kill() -> Iterator[Victim]:
    victim = Victim()
    yield victim
    victim.end()


def names(lines: list[str], word: str) -> list[str]:
    return [line.partition(" ")[2] for line in lines if line.startswith(word)]


def check(home: Home) -> None:
    assert rows(home.database, "PRAGMA integrity_check") == [("ok",)]
    assert rows(home.database, "PRAGMA foreign_key_check") == []
    assert home.problems == []


def test_takes(home: Home, kill: Victim) -> None:
    written: set[str] = set()
    recorded: set[str] = set()
    for _ in range(KILLS):
        home.library.close()
        lines = kill("take", 0.05, reports=6)
        written.update(names(lines, "written"))
        recorded.update(names(lines, "recorded"))
        home.reopen()
        takes = {t.path.name: t for t in home.library.get_many(home.library.takes())}
        assert written <= takes.keys()
        assert all(takes[name].notes == f"notes of {name}" for name in recorded)
        assert {p.name for p in home.folder.glob("Night*.wav")} == takes.keys()
        assert not any(take.missing for take in takes.values())
    check(home)
    assert len(recorded) > KILLS / 2
    for path in home.folder.glob("Night*.wav"):
        assert soundfile.info(path).frames == 20_000
    assert len({t.number for t in takes.values()}) == len(takes)
    remove_unfinished(home.folder, older_than=0)
    assert not list(home.folder.glob(".mlx-music-*.wav"))
    # And if the catalogue were lost as well.
    home.settle()
    home.lose_database()
    home.reopen()
    again = {t.path.name: t for t in home.library.get_many(home.library.takes())}
    assert {n: t.notes for n, t in again.items()} == {n: t.notes for n, t in takes.items()}


def test_exports(home: Home, kill: Victim, monkeypatch: pytest.MonkeyPatch) -> None:
    source = home.library.files.save(output(48_000, seed=1), "Long")
    expected = soundfile.read(source, dtype="float32")[0][4800:43_200]
    exports = home.folder / EXPORTS
    monkeypatch.setenv("EXPORTS", str(exports))
    done: set[str] = set()
    for _ in range(KILLS):
        done.update(names(kill("export", 0.05, str(source), reports=4), "exported"))
    found = [path for path in exports.iterdir() if not path.name.startswith(".")]
    assert done <= {path.name for path in found}
    assert done
    for path in found:
        np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0], expected)
    remove_unfinished(home.folder, older_than=0)
    assert not list(exports.glob(".*"))


def test_migrations(home: Home, kill: Victim) -> None:
    connection = open_database(home.database)
    connection.execute("BEGIN")
    for number in range(100):
        connection.execute(
            "INSERT INTO take (uid, path, title, title_key, number, created, duration, "
            "sample_rate, model) VALUES (?, ?, 'N', 'n', ?, '', 1, 48000, 'm')",
            (str(number), f"/{number}", number),
        )
    connection.execute("COMMIT")
    connection.close()
    home.library.close()
    seen = set()
    first = len(MIGRATIONS)
    for _ in range(KILLS):
        kill("migrate", 0.12)
        ((version,),) = rows(home.database, "PRAGMA user_version")
        columns = {row[1] for row in rows(home.database, "PRAGMA table_info(take)")}
        assert ("colour" in columns, "shape" in columns) == (version > first, version > first + 1)
        assert rows(home.database, "SELECT count(*), max(number) FROM take") == [(100, 99)]
        if version > first:
            assert rows(home.database, "SELECT count(*) FROM take WHERE colour = 'blue'") == [
                (100,)
            ]
            backup = backup_path(home.database, first)
            assert rows(backup, "SELECT count(*) FROM take") == [(100,)]
        seen.add(version)
        if version == first + 2:  # begin again
            connection = open_database(home.database, (*MIGRATIONS, slowly, slowly_again))
            connection.execute("ALTER TABLE take DROP COLUMN colour")
            connection.execute("ALTER TABLE take DROP COLUMN shape")
            connection.execute(f"PRAGMA user_version = {first}")
            connection.close()
    assert first in seen
    open_database(home.database, (*MIGRATIONS, slowly, slowly_again)).close()
    assert rows(home.database, "SELECT count(*) FROM take WHERE shape = 'blue!'") == [(100,)]
    assert rows(home.database, "PRAGMA integrity_check") == [("ok",)]


def test_deletions(
    home: Home, kill: Victim, trash: Callable[[], list[str]], app_home: Path
) -> None:
    for number in range(4):
        home.make(f"Take {number}")
    contents = {path.read_bytes() for path in home.folder.glob("*.wav")}
    in_trash = app_home.parent / "data" / "Trash" / "files"
    deleted = 0
    for _ in range(KILLS):
        home.library.close()
        deleted += len(names(kill("delete", 0.03, reports=6), "deleted"))
        home.reopen()
        takes = home.library.get_many(home.library.takes())
        assert not any(take.missing for take in takes)
        assert {take.path for take in takes} == set(home.folder.glob("*.wav"))
        # Qt may leave a second link in the trash if it is killed right then; here, never.
        here = [path.read_bytes() for path in home.folder.glob("*.wav")]
        assert len(set(here)) == len(here)
        assert {*here, *(path.read_bytes() for path in in_trash.glob("*"))} == contents
        # A person puts them back, so that there is something to delete again.
        for path in list(in_trash.glob("*.wav*")):
            path.rename(home.folder / f"{path.name.partition('.wav')[0]}.wav")
        for note in (in_trash.parent / "info").glob("*"):
            note.unlink()
        home.library.rescan()
        home.settle()
        assert len(home.library.takes()) == len(contents)
    check(home)
    assert deleted


def test_the_command_lines_half_files_are_left_to_it(home: Home) -> None:
    half = home.folder / ".mlx-music-0123456789abcdef.wav"
    home.folder.mkdir(exist_ok=True)
    half.write_bytes(b"RIFF")
    home.reopen()
    assert half.exists()
    assert files.ABANDONED > 60
    assert home.library.files.reserve("x", GenerationRequest()).name == "x - take 1.wav"
