"""A controller over a fake engine, shut down after each test."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mlx_music_app.engine.controller import EngineController
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.preferences import Preferences
from tests.app.engine.fakes import FakeEngine


@pytest.fixture(autouse=True)
def no_garbage_left() -> Iterator[None]:
    """What a test leaves behind is deleted here and not on a later test's threads."""
    yield
    gc.collect()


@pytest.fixture
def preferences(qtbot: QtBot) -> Preferences:
    return Preferences()


@pytest.fixture
def files(tmp_path: Path) -> TakeFiles:
    return TakeFiles(tmp_path / "music")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def controller(
    preferences: Preferences, files: TakeFiles, engine: FakeEngine
) -> Iterator[EngineController]:
    made = EngineController(preferences, files, opener=engine.open)
    yield made
    engine.go.set()
    assert made.shutdown(5000)
