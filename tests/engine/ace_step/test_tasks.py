"""The tasks keep what they promise to keep, for windows drawn at random."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_music import ACEStep, AudioError, GenerationRequest, InvalidRequest, MusicOutput
from mlx_music.ace_step.dcae import SAMPLE_RATE, SAMPLES_PER_LATENT
from tests.doubles import SilentComponents
from tests.parity.conftest import relative_error

PROMPT = "funk, slap bass"
FRAME = SAMPLES_PER_LATENT / SAMPLE_RATE
QUICK = {"num_inference_steps": 3, "sample_rate": SAMPLE_RATE}


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> ACEStep:
    return ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")


def attend_to(frames: int, model: ACEStep, patch: pytest.MonkeyPatch) -> None:
    """Let the model say that it attends to so many latent frames at once."""
    about = dataclasses.replace(model.about, max_duration=(frames - 0.5) * FRAME)
    patch.setattr(model.components, "about", about)


def song(frames: int, seed: int = 0) -> MusicOutput:
    random = np.random.default_rng(seed)
    samples = frames * SAMPLES_PER_LATENT
    return MusicOutput(
        audio=random.uniform(-0.5, 0.5, (2, samples)).astype(np.float32),
        sample_rate=SAMPLE_RATE,
        latents=random.standard_normal((8, 16, frames)).astype(np.float32),
        request=GenerationRequest(prompt=PROMPT),
        model="synthetic",
    )


def windows(count: int, frames: int) -> list[tuple[int, int]]:
    random = np.random.default_rng(count)
    edges = [sorted(random.choice(frames + 1, 2, replace=False).tolist()) for _ in range(count)]
    return [(start, stop) for start, stop in edges]


@pytest.mark.parametrize("window", [*windows(6, 30), (0, 30), (0, 1), (29, 30)])
@pytest.mark.parametrize("scheduler", ["euler", "pingpong"])
def test_repaint_keeps_what_is_outside(
    model: ACEStep, window: tuple[int, int], scheduler: str
) -> None:
    source, (start, stop) = song(30), window
    output = model.repaint(
        source,
        start=(start + 0.01) * FRAME,
        end=min((stop + 0.01) * FRAME, source.duration),
        variance=0.7,
        scheduler=scheduler,
        **QUICK,
    )
    inside = np.zeros(30, dtype=bool)
    inside[start:stop] = True
    np.testing.assert_array_equal(output.latents[..., ~inside], source.latents[..., ~inside])
    changed = (output.latents != source.latents).all(axis=(0, 1))
    assert changed[inside].all()

    # In sound, all but a short fade outside of the window is the original.
    assert output.audio.shape == source.audio.shape
    kept = np.repeat(~inside, SAMPLES_PER_LATENT)
    near = np.zeros_like(kept)
    for edge in (start, stop):
        if 0 < edge < 30:
            at = edge * SAMPLES_PER_LATENT
            near[max(0, at - 2 * SAMPLES_PER_LATENT) : at + 2 * SAMPLES_PER_LATENT] = True
    same = kept & ~near
    np.testing.assert_array_equal(output.audio[:, same], source.audio[:, same])
    assert not output.audio[:, ~kept].any()  # what was decoded, which is silence here


@pytest.mark.parametrize("scheduler", ["euler", "heun", "pingpong"])
def test_a_scheduler_that_is_not_heeded_is_noted(model: ACEStep, scheduler: str) -> None:
    source = song(16)
    repainted = model.repaint(source, start=0.2, end=0.6, scheduler=scheduler, **QUICK)
    assert any("does not use scheduler" in note for note in repainted.notes) is (
        scheduler != "euler"
    )
    edited = model.edit(source, prompt="piano", scheduler=scheduler, **QUICK)
    assert any("does not use scheduler" in note for note in edited.notes) is (scheduler == "heun")
    guided = model.edit(source, prompt="piano", cfg_type="cfg", guidance_scale_text=2.0, **QUICK)
    assert any("does not use cfg type, guidance scale text" in note for note in guided.notes)
    assert any("unless both are over 1" in note for note in guided.notes)


def test_a_source_is_not_ignored(model: ACEStep) -> None:
    for source in (song(16), "a.wav"):
        with pytest.raises(InvalidRequest, match="only for the tasks"):
            model.generate(prompt=PROMPT, source=source, num_inference_steps=1)


def test_repaint_without_variance_changes_nothing(model: ACEStep) -> None:
    source = song(20)
    output = model.repaint(source, start=0.5, end=1.0, variance=0.0, **QUICK)
    np.testing.assert_array_equal(output.latents, source.latents)


@pytest.mark.parametrize(("left", "right"), [(3, 0), (0, 5), (4, 7), (25, 30)])
def test_extend_keeps_the_song(model: ACEStep, left: int, right: int) -> None:
    source = song(20)
    output = model.extend(
        source, left=(left + 0.01) * FRAME * (left > 0), right=(right + 0.01) * FRAME, **QUICK
    )
    assert output.latents.shape[2] == left + 20 + right
    np.testing.assert_array_equal(output.latents[..., left : left + 20], source.latents)
    new = np.delete(output.latents, range(left, left + 20), axis=2)
    assert np.isfinite(new).all()
    assert (new != 0).all()
    start = left * SAMPLES_PER_LATENT + 2 * SAMPLES_PER_LATENT * (left > 0)
    stop = (left + 20) * SAMPLES_PER_LATENT - 2 * SAMPLES_PER_LATENT * (right > 0)
    offset = left * SAMPLES_PER_LATENT
    np.testing.assert_array_equal(
        output.audio[:, start:stop], source.audio[:, start - offset : stop - offset]
    )


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("seconds", [1.03, 1.5, 1.77])
def test_extending_to_the_left_keeps_the_end_of_the_song(
    model: ACEStep, rate: int, seconds: float
) -> None:
    """Also where the source ends within a latent frame, and the decoder's length rounds."""
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (2, int(seconds * rate)))
    frames = -(-int(seconds * 44_100) // SAMPLES_PER_LATENT)
    source = MusicOutput(
        audio=sound.astype(np.float32),
        sample_rate=rate,
        latents=np.random.default_rng(2).standard_normal((8, 16, frames)).astype(np.float32),
        request=GenerationRequest(prompt=PROMPT),
        model="synthetic",
    )
    output = model.extend(source, left=0.5, num_inference_steps=2, sample_rate=rate)
    offset = output.audio.shape[1] - source.audio.shape[1]
    assert abs(offset - 5 * SAMPLES_PER_LATENT * rate / 44_100) <= 0.5
    seam = 2 * SAMPLES_PER_LATENT * rate // 44_100 + 1
    np.testing.assert_array_equal(output.audio[:, offset + seam :], source.audio[:, seam:])


def test_less_than_a_frame_is_nothing_to_add(model: ACEStep) -> None:
    with pytest.raises(InvalidRequest, match="less than a latent frame"):
        model.extend(song(16), right=0.05, num_inference_steps=1)


def test_whole_numbers_are_scaled(model: ACEStep) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 60_000))
    whole = (sound * 32768).astype(np.int16)
    fields = {"prompt": PROMPT, "start": 0.4, "end": 0.8, "seed": 1, **QUICK}
    output = model.repaint((whole, np.int64(44_100)), **fields)
    np.testing.assert_allclose(output.audio[:, :8_000], sound[:, :8_000], atol=1e-4)


def test_numbers_of_numpy_are_numbers(model: ACEStep) -> None:
    fields = {"prompt": PROMPT, "num_inference_steps": np.int64(1)}
    output = model.generate(duration=np.float32(1.5), seed=np.uint32(3), **fields)
    assert output.request.to_dict()["seed"] == 3
    assert isinstance(output.request.duration, float)
    assert len(model.generate_batch(takes=np.int64(2), **fields)) == 2
    with pytest.raises(InvalidRequest, match="takes: 0"):
        model.generate_batch(takes=[], **fields)
    with pytest.raises(InvalidRequest, match="of: "):
        model.retake("song.wav")


@pytest.mark.parametrize(("left", "right"), [(0, 12), (9, 0), (15, 5)])
def test_a_song_longer_than_the_model_attends_to_grows_in_windows(
    model: ACEStep, monkeypatch: pytest.MonkeyPatch, left: int, right: int
) -> None:
    attend_to(16, model, monkeypatch)
    seen: list[int] = []
    velocity = type(model.components.transformer).velocity

    def watched(self: object, latents: mx.array, *rest: object) -> mx.array:
        seen.append(latents.shape[2])
        return velocity(self, latents, *rest)

    monkeypatch.setattr(type(model.components.transformer), "velocity", watched)
    source = song(20)
    output = model.extend(
        source, left=(left + 0.01) * FRAME * (left > 0), right=(right + 0.01) * FRAME, **QUICK
    )
    assert max(seen) <= 16
    assert output.latents.shape[2] == left + 20 + right
    np.testing.assert_array_equal(output.latents[..., left : left + 20], source.latents)
    assert (np.delete(output.latents, range(left, left + 20), axis=2) != 0).all()


def test_repaint_of_a_long_song_sees_a_window(
    model: ACEStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    attend_to(16, model, monkeypatch)
    source = song(40)
    output = model.repaint(source, start=30.5 * FRAME, end=36.5 * FRAME, variance=1.0, **QUICK)
    np.testing.assert_array_equal(output.latents[..., :30], source.latents[..., :30])
    np.testing.assert_array_equal(output.latents[..., 36:], source.latents[..., 36:])
    assert (output.latents[..., 30:36] != source.latents[..., 30:36]).all()
    with pytest.raises(InvalidRequest, match=r"^repaint_end: is over 1\.\d+ seconds after"):
        model.repaint(source, start=0.0, end=30 * FRAME, **QUICK)


@pytest.mark.parametrize("field", ["source", "reference"])
def test_what_is_longer_than_the_model_attends_to(
    field: str, model: ACEStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    attend_to(16, model, monkeypatch)

    def work(frames: int) -> MusicOutput:
        fields: dict[str, Any] = {**QUICK, "prompt": PROMPT, "num_inference_steps": 1}
        if field == "source":
            return model.edit(song(frames), **fields)
        return model.generate(reference=song(frames), **fields)

    assert work(16).latents.shape[2] == 16
    way_out = {"source": "edits up to .* repaint or extend", "reference": "from up to .* loop it"}
    with pytest.raises(AudioError, match=rf"^{field}: lasts .*{way_out[field]}"):
        work(17)


def test_a_retake_turns_from_its_original(model: ACEStep) -> None:
    original = model.generate(prompt=PROMPT, duration=2.0, seed=3, **QUICK)
    same = model.retake(original, variance=0.0)
    near = model.retake(original, variance=0.1, retake_seed=5)
    far = model.retake(original, variance=1.0, retake_seed=5)
    np.testing.assert_array_equal(same.latents, original.latents)
    errors = [relative_error(take.latents, original.latents) for take in (near, far)]
    assert 0 < errors[0] < errors[1]
    assert near.request.seed == 3
    assert near.request.retake_seed == 5
    again = model.generate(near.request)
    np.testing.assert_array_equal(again.latents, near.latents)
    takes = model.generate_batch(near.request, takes=2)
    assert [(t.request.seed, t.request.retake_seed) for t in takes] == [(3, 5), (3, 6)]


def test_only_new_music_is_retaken(model: ACEStep) -> None:
    edited = GenerationRequest(prompt=PROMPT, task="edit", source_prompt="x", seed=1)
    with pytest.raises(InvalidRequest, match="noise alone"):
        model.retake(edited)
    with pytest.raises(InvalidRequest, match="seed: is missing"):
        model.retake(GenerationRequest(prompt=PROMPT))


def test_reference_strength(model: ACEStep) -> None:
    source = song(16)
    fields = {**QUICK, "prompt": PROMPT, "seed": 1, "num_inference_steps": 8}
    same = model.generate(reference=source, reference_strength=1.0, **fields)
    np.testing.assert_array_equal(same.latents, source.latents)
    strengths = (0.99, 0.5)
    errors = [
        relative_error(
            model.generate(reference=source, reference_strength=s, **fields).latents,
            source.latents,
        )
        for s in strengths
    ]
    assert errors == sorted(errors)
    assert errors[0] > 0


@pytest.mark.parametrize("scheduler", ["euler", "heun", "pingpong"])
def test_an_edit_in_a_batch_equals_its_seed_alone(model: ACEStep, scheduler: str) -> None:
    source = song(16)
    request = GenerationRequest(
        prompt="calm piano",
        source_prompt=PROMPT,
        task="edit",
        scheduler=scheduler,
        edit_n_min=0.25,
        edit_n_max=0.75,
        **{**QUICK, "num_inference_steps": 4},
    )
    takes = model.generate_batch(request, takes=[1, 2], source=source)
    assert relative_error(takes[0].latents, takes[1].latents) > 1e-3
    alone = model.generate(request, seed=2, source=source)
    assert relative_error(takes[1].latents, alone.latents) < 1e-5


def test_edit_presets_and_words(model: ACEStep) -> None:
    source = song(16)
    output = model.edit(source, prompt="calm piano", preset="remix", **QUICK)
    assert (output.request.edit_n_min, output.request.edit_n_max) == (0.2, 0.4)
    assert output.request.source_prompt == PROMPT
    assert output.request.prompt == "calm piano"
    with pytest.raises(InvalidRequest, match="preset"):
        model.edit(source, prompt="calm piano", preset="lyrics")


def test_an_unchanged_edit_in_the_window_alone_gives_the_source_back(model: ACEStep) -> None:
    source = song(16)
    output = model.edit(source, edit_n_min=0.0, edit_n_max=1.0, guidance_scale=1.0, **QUICK)
    assert relative_error(output.latents, source.latents) < 1e-5


class TestBadInput:
    @pytest.mark.parametrize(
        ("start", "end", "field"),
        [(1.0, 1.0, "repaint_end"), (2.0, 1.0, "repaint_end"), (1.0, 9.0, "repaint_end"),
         (8.0, 9.0, "repaint_start"), (-1.0, 1.0, "repaint_start"), (0.5, 0.501, "repaint_end")],
    )  # fmt: skip
    def test_windows(self, model: ACEStep, start: float, end: float, field: str) -> None:
        with pytest.raises(InvalidRequest, match=f"^{field}: "):
            model.repaint(song(20), start=start, end=end, **QUICK)

    def test_nothing_to_add(self, model: ACEStep) -> None:
        with pytest.raises(InvalidRequest, match="extend_right"):
            model.extend(song(16), **QUICK)

    def test_no_source(self, model: ACEStep) -> None:
        with pytest.raises(InvalidRequest, match="source: is missing"):
            model.generate(prompt=PROMPT, task="extend", extend_right=1.0, num_inference_steps=1)

    @pytest.mark.parametrize(
        ("samples", "rate", "problem"),
        [
            (np.zeros((2, 88_200)), 44_100, "silent"),
            (np.ones((2, 4_000)), 44_100, "lasts 0.1 seconds"),
            (np.ones((1, 8_000 * 3600)), 8_000, "lasts 3600.0 seconds"),
            (np.full((2, 88_200), np.nan), 44_100, "not numbers"),
            (np.ones((88_200, 2)), 44_100, "must be"),
            (np.ones((2, 88_200), dtype=complex), 44_100, "must be floats"),
            (np.ones((2, 88_200)), 0, "sample rate in Hz"),
            (np.ones((2, 88_200)), 44_100.5, "sample rate in Hz"),
            (np.ones((6, 88_200)), 44_100, "mix it down to mono or stereo"),
        ],
    )
    def test_arrays(self, model: ACEStep, samples: np.ndarray, rate: int, problem: str) -> None:
        with pytest.raises(AudioError, match=problem):
            model.repaint((samples, rate), start=0.0, end=1.0, prompt=PROMPT, **QUICK)

    def test_words_are_needed_where_the_source_has_none(self, model: ACEStep) -> None:
        with pytest.raises(InvalidRequest, match=r"^prompt: "):
            model.extend((np.ones((2, 88_200)), 44_100), right=1.0, **QUICK)
