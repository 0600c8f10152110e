"""A small model that says of itself what it cannot do, through the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_music import ACEStep, GenerationRequest, InvalidRequest, MusicOutput
from mlx_music.ace_step import pipeline
from mlx_music.ace_step.quantize import quantize_checkpoint
from mlx_music.weights import QuantizationConfig
from tests.doubles import SKETCH, SilentComponents

RATE = 44_100


@pytest.fixture(scope="module")
def model(sketch_folder: Path) -> ACEStep:
    return ACEStep(SilentComponents(sketch_folder, mx.float32), "sketch")


@pytest.fixture(autouse=True)
def no_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is looked for, here or on the network."""

    def refuse(**options: object) -> Path:
        raise AssertionError("a vocabulary was looked for")

    monkeypatch.setattr(pipeline, "find_vocabulary", refuse)


def test_from_pretrained(sketch: Path) -> None:
    model = ACEStep.from_pretrained("sketch")
    assert model.name == "sketch"
    assert model.about.to_dict() == SKETCH
    output = model.generate(prompt="funk", duration=1.0, num_inference_steps=1, sample_rate=RATE)
    assert output.model == "sketch"
    assert np.abs(output.audio).max() > 0.01


def test_fields_start_from_the_models_defaults(model: ACEStep) -> None:
    output = model.generate(prompt="funk", seed=1, guidance_scale=2.0)
    assert output.request == model.about.request(prompt="funk", seed=1, guidance_scale=2.0)
    assert output.request.duration == SKETCH["defaults"]["duration"]  # type: ignore[index]
    assert output.notes == ()


def test_a_request_is_used_as_it_is(model: ACEStep) -> None:
    request = GenerationRequest(prompt="funk", duration=1.5, num_inference_steps=2, seed=1)
    output = model.generate(request)
    assert output.request == request
    assert output.notes == ("Sketch has no entropy rectifying guidance (ERG); it is left out",)
    # Off is off: zero states are the unconditional condition.
    without = request.replace(use_erg_tag=False, use_erg_lyric=False, use_erg_diffusion=False)
    again = model.generate(without)
    assert again.notes == ()
    np.testing.assert_array_equal(again.latents, output.latents)


def test_too_long(model: ACEStep) -> None:
    def no_work(*args: object) -> None:
        raise AssertionError("work was done")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "Running", no_work)
        with pytest.raises(InvalidRequest, match=r"^duration: 60 .* Sketch makes 1 to 30 seconds"):
            model.generate(GenerationRequest(prompt="funk"))
        with pytest.raises(InvalidRequest, match=r"^duration: 31 "):
            model.generate(prompt="funk", duration=31)


WORKS: dict[str, Callable[[ACEStep, Any], MusicOutput]] = {
    "repaint": lambda model, song: model.repaint(song, start=0.5, end=1.0, prompt="funk"),
    "extend": lambda model, song: model.extend(song, right=0.5, prompt="funk"),
    "edit": lambda model, song: model.edit(song, prompt="jazz", source_prompt="funk"),
    "text2music": lambda model, song: model.generate(reference=song, prompt="funk"),
}


@pytest.mark.parametrize("task", WORKS)
def test_a_recording_is_worked_on_with_the_models_defaults(task: str, model: ACEStep) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 2 * RATE)).astype(np.float32)
    output = WORKS[task](model, (sound, RATE))
    request = output.request
    assert request.task == task
    assert request.num_inference_steps == SKETCH["defaults"]["num_inference_steps"]  # type: ignore[index]
    assert (request.guidance_scale, request.use_erg_tag) == (4.0, False)
    assert not [note for note in output.notes if "use" in note]


def test_work_on_a_song_of_another_model(model: ACEStep) -> None:
    """Its request is its own, and its duration says nothing about the work."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 2 * RATE)).astype(np.float32)
    frames = -(-2 * RATE // 4096)
    latents = np.random.default_rng(1).standard_normal((8, 16, frames)).astype(np.float32)
    request = GenerationRequest(prompt="funk", duration=120.0, lyrics="la", num_inference_steps=2)
    song = MusicOutput(sound, RATE, latents, request, "ACE-Step/ACE-Step-v1-3.5B")
    output = model.extend(song, right=0.5)
    assert (output.request.duration, output.request.guidance_scale) == (120.0, 15.0)
    assert output.request.lyrics == "la"
    assert len([note for note in output.notes if note.startswith("Sketch")]) == 2


def test_lyrics_are_ignored_with_a_note(model: ACEStep) -> None:
    plain = model.generate(prompt="funk", seed=1)
    sung = model.generate(prompt="funk", seed=1, lyrics="[verse]\nla la", language="en")
    assert sung.notes == ("Sketch does not sing; the lyrics are ignored",)
    assert sung.request.lyrics == "[verse]\nla la"
    np.testing.assert_array_equal(sung.latents, plain.latents)
    assert model.read_lyrics("la la") == []
    edited = model.edit(plain, lyrics="la", preset="only_lyrics")
    assert edited.notes == ("Sketch does not sing; the lyrics are ignored",)


def test_a_smaller_copy_says_the_same(sketch_folder: Path, tmp_path: Path) -> None:
    quantize_checkpoint(sketch_folder, tmp_path / "small", QuantizationConfig.for_quality())
    model = ACEStep.from_pretrained(tmp_path / "small")
    assert model.name == "small"
    assert model.about.to_dict() == SKETCH
