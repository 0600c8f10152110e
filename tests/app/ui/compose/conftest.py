"""A Compose view with two models, as a person meets it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music_app.library.take import Take
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.compose import ComposeView

SINGER = ModelChoice("Singer", "singer/model")
SKETCH = ModelChoice(
    "Sketch",
    "sketch",
    default_fields={"num_inference_steps": 20, "duration": 30.0},
    sings=False,
    max_duration=90.0,
)


@pytest.fixture(autouse=True)
def no_voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for voices."""
    folder = tmp_path / "voices"
    monkeypatch.setenv("MLX_MUSIC_VOICES", str(folder))
    return folder


@pytest.fixture
def make_view(qtbot: QtBot) -> Callable[[], ComposeView]:
    """Makes a view as at the start of the app."""

    def make() -> ComposeView:
        view = ComposeView(Preferences())
        view.set_models([SINGER, SKETCH])
        view.resize(1100, 900)
        qtbot.addWidget(view)
        view.show()
        return view

    return make


@pytest.fixture
def view(make_view: Callable[[], ComposeView]) -> ComposeView:
    return make_view()


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """A take of new music, whose file is there."""
    path = tmp_path / "Harbour lights.wav"
    path.write_bytes(b"RIFF")
    request = GenerationRequest(
        prompt="folk, warm",
        lyrics="[verse]\nThe boats are in\nThe night is thin",
        duration=42.0,
        seed=7,
        num_inference_steps=33,
        lora=("some/adapter:0.5",),
    )
    return Take(
        id=11,
        path=path,
        title="Harbour lights",
        number=2,
        created=datetime(2025, 1, 1, tzinfo=timezone.utc),
        duration=42.0,
        sample_rate=48_000,
        request=request,
        model="singer/model",
    )
