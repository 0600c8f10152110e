"""The pipeline as a library user meets it, on the synthetic checkpoint."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file

from mlx_music import (
    ACEStep,
    Cancelled,
    CheckpointError,
    GenerationError,
    GenerationRequest,
    InvalidRequest,
    MLXMusicError,
    MusicOutput,
    Progress,
    ProgressEvent,
)
from mlx_music.metadata import read_description
from tests.doubles import SilentComponents
from tests.parity.conftest import relative_error

PROMPT = "warm lo-fi hip hop, 80 bpm"


@pytest.fixture(scope="module")
def silent(checkpoint: Path) -> ACEStep:
    """A model that samples for real and decodes to silence."""
    return ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")


def make(model: ACEStep, **fields: object) -> MusicOutput:
    defaults = {"prompt": PROMPT, "duration": 1.5, "num_inference_steps": 3, "seed": 7}
    return model.generate(**{**defaults, **fields})  # type: ignore[arg-type]


def test_the_promised_use(checkpoint: Path, tmp_path: Path) -> None:
    """The first program of the README, with a local checkpoint and without lyrics."""
    model = ACEStep.from_pretrained(str(checkpoint))
    output = model.generate(
        prompt="upbeat electronic dance music with heavy bass",
        lyrics="",
        duration=1.0,
        num_inference_steps=2,
        guidance_scale=15.0,
    )
    soundfile.write(tmp_path / "output.wav", output.audio.T, output.sample_rate)

    assert output.audio.dtype == np.float32
    assert output.audio.shape[0] == 2
    assert output.sample_rate == 48_000
    assert output.latents.shape == (8, 16, 10)
    assert np.abs(output.audio).max() < 1.1  # resampling may overshoot
    assert np.abs(output.audio).max() > 0.01
    assert soundfile.info(tmp_path / "output.wav").samplerate == 48_000

    # and saved with everything that makes it again
    path = output.save(tmp_path / "song.flac")
    described = read_description(path)
    assert described.request == output.request
    assert described.request.seed is not None
    assert described.model == checkpoint.name
    again = model.generate(described.request)
    np.testing.assert_array_equal(again.audio, output.audio)


def test_native_rate_is_not_resampled(checkpoint: Path) -> None:
    model = ACEStep.from_pretrained(checkpoint)
    output = make(model, duration=1.0, num_inference_steps=1, sample_rate=44_100)
    assert output.audio.shape == (2, 10 * 4096)


def test_seeds_decide(silent: ACEStep) -> None:
    first, same, other = make(silent), make(silent), make(silent, seed=8)
    np.testing.assert_array_equal(first.latents, same.latents)
    assert relative_error(other.latents, first.latents) > 0.5
    assert make(silent, seed=None).seed is not None


@pytest.mark.parametrize("scheduler", ["euler", "heun", "pingpong"])
def test_a_take_of_a_batch_equals_its_seed_alone(silent: ACEStep, scheduler: str) -> None:
    request = GenerationRequest(
        prompt=PROMPT, duration=1.5, num_inference_steps=4, scheduler=scheduler, seed=2**32 - 1
    )
    takes = silent.generate_batch(request, takes=3)
    assert [take.seed for take in takes] == [2**32 - 1, 0, 1]
    for take in takes:
        alone = silent.generate(take.request)
        assert relative_error(take.latents, alone.latents) < 1e-5
    chosen = silent.generate_batch(request, takes=[5, 0])
    assert [take.seed for take in chosen] == [5, 0]
    assert relative_error(chosen[1].latents, takes[1].latents) < 1e-5


def test_decay_over_one_guided_step_is_no_decay(silent: ACEStep) -> None:
    options = {"num_inference_steps": 2, "guidance_interval": 0.5}
    plain = make(silent, **options)
    decayed = make(silent, guidance_interval_decay=1.0, **options)
    np.testing.assert_array_equal(decayed.latents, plain.latents)


def test_progress_tells_every_step(silent: ACEStep) -> None:
    events: list[ProgressEvent] = []
    make(silent, num_inference_steps=4, progress=Progress(events.append))
    sampling = [event for event in events if event.stage == "sample"]
    assert [event.step for event in sampling] == [0, 1, 2, 3, 4]
    assert {event.total for event in sampling} == {4}
    assert sampling[0].remaining is None
    assert sampling[-1].remaining == 0.0
    assert {"encode", "sample"} <= {event.stage for event in events}


def test_cancelling_stops_within_a_step_and_leaves_the_model_usable(silent: ACEStep) -> None:
    before = make(silent)
    seen: list[int] = []

    def stop_at_two(event: ProgressEvent) -> None:
        if event.stage == "sample":
            seen.append(event.step)
            if event.step == 2:
                # from another thread, as an app would
                canceller = threading.Thread(target=progress.cancel)
                canceller.start()
                canceller.join()

    progress = Progress(stop_at_two)
    with pytest.raises(Cancelled):
        make(silent, num_inference_steps=50, progress=progress)
    assert seen[-1] == 2
    np.testing.assert_array_equal(make(silent).latents, before.latents)


def test_a_model_refuses_another_thread(silent: ACEStep) -> None:
    errors: list[Exception] = []

    def elsewhere() -> None:
        try:
            make(silent)
        except MLXMusicError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert "another thread" in str(errors[0])


def test_bad_fields_are_named(silent: ACEStep) -> None:
    with pytest.raises(InvalidRequest, match=r"^duration: 300 is out of range"):
        make(silent, duration=300)
    with pytest.raises(InvalidRequest, match=r"^steps: is no field"):
        make(silent, steps=3)
    with pytest.raises(InvalidRequest, match=r"^takes: 0"):
        silent.generate_batch(prompt=PROMPT, takes=0)
    with pytest.raises(InvalidRequest, match=r"^seed: -1"):
        silent.generate_batch(prompt=PROMPT, takes=[-1])


def test_a_long_prompt_is_noted(silent: ACEStep) -> None:
    output = make(silent, prompt="funk, " * 300)
    assert len(output.notes) == 1
    assert "the first 256" in output.notes[0]


def damaged(checkpoint: Path, to: Path, component: str, tensor: str) -> Path:
    """A copy of the checkpoint, one of whose tensors holds a NaN."""
    shutil.copytree(checkpoint, to)
    (file,) = (to / component).glob("*.safetensors")
    tensors = load_file(file)
    tensors[tensor].flat[0] = np.nan
    save_file(tensors, file)
    return to


def test_numbers_out_of_hand_are_an_error(checkpoint: Path, tmp_path: Path) -> None:
    folder = damaged(
        checkpoint, tmp_path / "nan", "ace_step_transformer", "final_layer.linear.bias"
    )
    model = ACEStep(SilentComponents(folder, mx.float32), "nan")
    with pytest.raises(GenerationError, match="latents are not finite"):
        make(model)


def test_sound_out_of_hand_is_an_error(checkpoint: Path, tmp_path: Path) -> None:
    folder = damaged(checkpoint, tmp_path / "nan", "music_vocoder", "head.conv_post.bias")
    model = ACEStep.from_pretrained(folder)
    with pytest.raises(GenerationError, match="audio is not finite"):
        make(model, duration=1.0, num_inference_steps=1)


def test_a_missing_network_is_found_before_any_work(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "partial"
    shutil.copytree(checkpoint, folder)
    shutil.rmtree(folder / "music_vocoder")
    with pytest.raises(CheckpointError, match="music_vocoder"):
        ACEStep.from_pretrained(folder)


def test_arguments_are_checked_before_a_download() -> None:
    """The folder is missing too: the argument must be what is told of."""
    with pytest.raises(InvalidRequest, match=r"^dtype: "):
        ACEStep.from_pretrained("nobody/nothing", dtype="int8", download=False)
    with pytest.raises(InvalidRequest, match=r"^memory_limit: "):
        ACEStep.from_pretrained("nobody/nothing", memory_limit=0, download=False)


def test_dtypes(checkpoint: Path) -> None:
    with pytest.raises(InvalidRequest, match="dtype"):
        ACEStep.from_pretrained(checkpoint, dtype="int8")
    model = ACEStep(SilentComponents(checkpoint, mx.bfloat16), "half")
    exact = ACEStep(SilentComponents(checkpoint, mx.float32), "exact")
    rounded = make(model, guidance_scale=1.0).latents
    assert 0 < relative_error(rounded, make(exact, guidance_scale=1.0).latents) < 0.05
