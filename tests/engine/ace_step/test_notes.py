"""What is said of settings that do nothing, and of sound that is not kept as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile

from mlx_music import ACEStep, AudioError, GenerationRequest
from mlx_music.ace_step.notes import notes_before
from mlx_music.ace_step.sources import LoadedSource
from tests.doubles import SilentComponents

RATE = 44_100


def source(seconds: float = 6.0, peak: float = 0.5, own_rate: int = 48_000) -> LoadedSource:
    audio = np.full((2, int(seconds * 48_000)), -peak, dtype=np.float32)
    return LoadedSource(mx.zeros((1, 16, 1, 8)), audio, 48_000, own_rate, "song.wav")


def notes(given: LoadedSource | None = None, **fields: Any) -> list[str]:
    request = GenerationRequest(prompt="funk", **fields)
    return list(notes_before(request, GenerationRequest(), given))


def test_nothing_is_said_without_a_cause() -> None:
    assert notes() == []
    assert notes(source()) == []
    assert notes(source(), reference_strength=0.3, reference_loop=True, duration=10.0) == []
    assert notes(source(), duration=6.0) == []
    assert notes(source(), task="extend", extend_right=4.0) == []
    assert notes(oss_steps=(1, 2)) == []


def test_a_duration_beside_a_reference() -> None:
    (note,) = notes(source(), duration=10.0)
    assert note.startswith("the music is as long as its reference, 6.0 seconds; the duration of 10")


def test_a_reference_that_is_not_there() -> None:
    (note,) = notes(reference_strength=0.3, reference_loop=True)
    assert note == "without a reference, nothing comes of reference strength, reference loop"


def test_steps_beside_those_to_keep() -> None:
    (note,) = notes(oss_steps=(1, 2), num_inference_steps=30)
    assert "30 steps are not used" in note
    assert notes(oss_steps=(1, 9), num_inference_steps=9) == []
    assert notes(oss_steps=(1, 9), num_inference_steps=2) == []


@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_a_side_of_less_than_a_frame(side: str, other: str) -> None:
    (note,) = notes(source(), task="extend", **{f"extend_{side}": 0.05, f"extend_{other}": 3.0})
    assert note.startswith(f"nothing is added on the {side}: 0.05 seconds are less than a latent")


@pytest.mark.parametrize("task", ["repaint", "extend"])
def test_a_source_that_files_clip(task: str) -> None:
    (note,) = notes(source(peak=3.0), task=task)
    assert note.startswith("the source peaks at +9.5 dB, which files of 16 and 24 bits")
    assert notes(source(peak=1.0), task=task) == []
    assert notes(source(peak=3.0), task="edit") == []


def test_fields_are_named_in_words() -> None:
    (note,) = notes(
        source(), task="edit", cfg_type="cfg", use_erg_tag=False, use_erg_diffusion=False
    )
    assert note == "edit does not use cfg type, entropy rectifying guidance (ERG)"


def test_music_from_a_reference_says_how_long_it_is(checkpoint: Path) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 3 * RATE))
    fields: dict[str, Any] = {"prompt": "funk", "num_inference_steps": 2, "sample_rate": RATE}
    output = model.generate(reference=(sound, RATE), duration=10.0, seed=1, **fields)
    assert output.request.duration == output.duration == 3.0
    assert any("as long as its reference, 3.0 seconds" in note for note in output.notes)
    again = model.generate(output.request, reference=(sound, RATE))
    np.testing.assert_array_equal(again.latents, output.latents)
    assert again.notes == ()
    # One that is shorter than a request can say is named as nearly as can be.
    short = model.generate(reference=(sound[:, : RATE // 2], RATE), duration=10.0, **fields)
    assert short.request.duration == 1.0
    looped = model.generate(reference=(sound, RATE), reference_loop=True, duration=4.0, **fields)
    assert looped.request.duration == 4.0


def test_a_source_too_long_to_edit_is_named(checkpoint: Path, tmp_path: Path) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (250 * 8_000, 2))
    soundfile.write(tmp_path / "long.wav", sound, 8_000)
    problem = r"long\.wav: lasts 250\.0 seconds, and this model edits up to 240 seconds; cut the"
    with pytest.raises(AudioError, match=problem):
        model.edit(tmp_path / "long.wav", prompt="piano", source_prompt="funk")
