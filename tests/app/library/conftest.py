"""A library in a home of its own, and takes to put into it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication

from mlx_music import GenerationRequest, MusicOutput
from mlx_music_app import paths
from mlx_music_app.background import Background
from mlx_music_app.engine.jobs import Job, MadeTake
from mlx_music_app.library.library import Library
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences

RATE = 48_000


def sound(samples: int = 4800, seed: int = 0) -> Any:
    """Noise (2, samples) that 24 bits hold exactly."""
    steps = np.random.default_rng(seed).integers(-(2**22), 2**22, (2, samples))
    return (steps / 2**23).astype(np.float32)


def output(samples: int = 4800, seed: int = 0, **fields: Any) -> MusicOutput:
    request = GenerationRequest(**{"prompt": "folk, 120 bpm", "seed": seed, **fields})
    latents = np.zeros((8, 16, 4), np.float32)
    return MusicOutput(sound(samples, seed), RATE, latents, request, "sketch")


class Home:
    """A library and its surroundings, closed and opened as by an app that is started anew."""

    def __init__(self) -> None:
        self.preferences = Preferences()
        self.background = Background()
        self.library = self._library()
        self.problems: list[str] = []
        self.seed = 0

    def _library(self) -> Library:
        library = Library(self.preferences, self.background)
        library.problem.connect(self._on_problem)
        return library

    def _on_problem(self, text: str) -> None:
        self.problems.append(text)

    @property
    def folder(self) -> Path:
        return self.library.files.folder

    @property
    def database(self) -> Path:
        return paths.data_folder() / "library.sqlite3"

    def open(self) -> None:
        self.library.open()
        self.settle()

    def reopen(self) -> None:
        self.library.close()
        self.library = self._library()
        self.open()

    def settle(self) -> None:
        """Until the background is done, and everything it said has arrived."""
        deadline = time.monotonic() + 10
        quiet = 0
        while quiet < 3:
            assert time.monotonic() < deadline, "the background does not come to rest"
            self.background.wait()
            QCoreApplication.processEvents()
            quiet = quiet + 1 if self.background._pool.activeThreadCount() == 0 else 0

    def make(self, title: str = "Night", parent: int | None = None, **fields: Any) -> Take:
        """A new take, written and recorded as the engine and the app do it."""
        self.seed += 1
        music = output(seed=self.seed, **fields)
        path = self.library.files.save(music, title, parent=parent)
        return self.library.add(made(path, music, title, parent))

    def lose_database(self) -> None:
        self.library.close()
        for file in self.database.parent.glob(f"{self.database.name}*"):
            file.unlink()

    def names(self) -> list[str]:
        return [take.name for take in self.library.get_many(self.library.takes())]


def made(path: Path, music: MusicOutput, title: str, parent: int | None = None) -> MadeTake:
    job = Job(music.request, "sketch", title, parent=parent)
    return MadeTake(job, path, music.request, "sketch", music.duration, music.sample_rate)


@pytest.fixture
def home(qapp: QCoreApplication, app_home: Path) -> Iterator[Home]:
    home = Home()
    home.open()
    yield home
    home.library.close()
    home.settle()


@pytest.fixture
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A trash of this test's own; returns what is in it."""
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(data))

    def content() -> list[str]:
        return sorted(path.name for path in (data / "Trash" / "files").glob("*"))

    return content


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()
