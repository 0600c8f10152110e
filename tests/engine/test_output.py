"""An output as its owner sees it in a console, and saves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_music import AudioError, GenerationRequest, MusicOutput


@pytest.fixture
def output() -> MusicOutput:
    return MusicOutput(
        audio=np.zeros((2, 48_000), dtype=np.float32),
        sample_rate=48_000,
        latents=np.zeros((8, 16, 11), dtype=np.float32),
        request=GenerationRequest(prompt="funk", seed=7),
        model="sketch",
    )


def test_typed_in_a_console_it_is_one_short_line(output: MusicOutput) -> None:
    text = repr(output)
    assert "\n" not in text
    assert len(text) < 200
    for part in ("1.00 seconds", "(2, 48000) at 48000 Hz", "(8, 16, 11)", "'sketch'", "seed=7"):
        assert part in text


@pytest.mark.parametrize("path", [None, 3, b"o.wav"])
def test_what_is_no_path(path: Any, output: MusicOutput) -> None:
    with pytest.raises(AudioError, match="is no name of a file"):
        output.save(path)


def test_a_bit_depth_of_another_type(tmp_path: Path, output: MusicOutput) -> None:
    with pytest.raises(AudioError, match="'16' is not a whole number"):
        output.save(tmp_path / "o.wav", bit_depth="16")  # type: ignore[arg-type]
