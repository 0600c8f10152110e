"""A library with its background, and a player that makes no sound."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlx_music_app.background import Background
from mlx_music_app.library.library import Library
from mlx_music_app.preferences import Preferences
from tests.app.doubles import SilentPlayer


@pytest.fixture
def preferences(qapp: object) -> Preferences:
    return Preferences()


@pytest.fixture
def background(qapp: object) -> Iterator[Background]:
    background = Background()
    yield background
    assert background.wait()


@pytest.fixture
def library(preferences: Preferences, background: Background) -> Iterator[Library]:
    library = Library(preferences, background)
    library.open()
    yield library
    library.close()


@pytest.fixture
def player(qapp: object) -> SilentPlayer:
    return SilentPlayer()
