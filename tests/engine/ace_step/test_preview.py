"""Pictures of a song that takes shape: what they show, what they cost, what they leave alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_music import ACEStep, Progress
from mlx_music.ace_step import dcae, preview
from mlx_music.ace_step.components import DCAE_FOLDER, Components
from mlx_music.ace_step.preview import LinearMap, Preview, picture_of, pixels_of
from mlx_music.output import MusicOutput
from tests.doubles import SilentComponents

FACTOR = 4  # of the fake autoencoder
HEIGHT, CHANNELS = 4, 2


class Clock:
    """Stands still but for what is said to take time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FakeCodec:
    """An autoencoder whose mel repeats the first channel, and which takes its time."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.decoder = self
        self._clock, self._seconds = clock, seconds
        self.decoded: list[Any] = []

    def parameters(self) -> dict[str, mx.array]:
        return {}

    def decode(self, latents: mx.array, tile: int | None = None) -> mx.array:
        self._clock.now += self._seconds
        scaled = dcae.scale_latents(latents)
        self.decoded.append(np.array(scaled[0]))
        mel = mx.repeat(mx.repeat(scaled[..., :1], FACTOR, axis=1), FACTOR, axis=2)
        return mx.concatenate([mel, mel], axis=3)


def estimate(frames: int, seed: int) -> mx.array:
    random = np.random.default_rng(seed)
    return mx.array(random.uniform(-1, 1, (1, HEIGHT, frames, CHANNELS)).astype(np.float32))


def expected(latents: Any) -> Any:
    """The picture that the fake autoencoder would give."""
    values = np.asarray(latents)[0, :, :, 0]
    columns = np.repeat(np.repeat(values, FACTOR, axis=0), preview.COLUMNS, axis=1)
    return pixels_of(columns).astype(int)


@pytest.mark.parametrize("cost", [0.001, 0.01, 0.05, 0.3, 5.0])
@pytest.mark.parametrize("frames", [9, 100, 1000])
def test_pictures_keep_to_their_share(cost: float, frames: int) -> None:
    clock, pictures = Clock(), []
    codec = FakeCodec(clock, cost)
    shown = Preview(codec, Progress(on_picture=pictures.append), clock)  # type: ignore[arg-type]
    steps = 60
    for step in range(steps):
        clock.now += 0.5  # the model
        before = shown.spent
        shown(estimate(frames, step))
        worked = 0.5 * (step + 1)
        if shown.spent > before and before > 0:
            assert shown.spent <= preview.SHARE * worked + 1e-9
    # At most the first window, whose cost nobody knew, goes beyond.
    assert shown.spent <= max(cost, preview.SHARE * 0.5 * steps) + 1e-9
    affordable = int(preview.SHARE * 0.5 * steps / cost)
    assert len(codec.decoded) <= max(1, affordable)
    if frames >= 100:  # of a short song, a window is a lot, and the first one comes late
        assert len(codec.decoded) >= min(affordable, steps * -(-frames // preview.WINDOW)) // 2
    assert bool(pictures) is bool(codec.decoded)


def test_whole_song_is_refreshed_over_several_steps() -> None:
    clock, pictures = Clock(), []
    codec = FakeCodec(clock, 0.02)
    shown = Preview(codec, Progress(on_picture=pictures.append), clock)  # type: ignore[arg-type]
    frames = preview.WINDOW * 10
    for step in range(20):
        clock.now += 0.5
        shown(estimate(frames, step))
    inner = [window[:, preview.CONTEXT : -preview.CONTEXT] for window in codec.decoded]
    assert len(inner) >= 10
    # Each of the ten windows was decoded before any was for the second time.
    assert len({window.shape for window in inner}) == 1
    assert pictures[-1].shape == (HEIGHT * FACTOR, frames * preview.COLUMNS)
    assert pictures[-1].dtype == np.uint8
    # The fake is linear, so the map shows what was not decoded as well.
    difference = pictures[-1].astype(int) - expected(estimate(frames, 19))
    assert abs(difference).mean() < 3


def test_what_moves_is_decoded_before_what_is_kept() -> None:
    clock = Clock()
    codec = FakeCodec(clock, 0.02)
    shown = Preview(codec, Progress(on_picture=lambda _: None), clock)  # type: ignore[arg-type]
    frames, start = preview.WINDOW * 8, preview.WINDOW * 5
    kept = np.array(estimate(frames, 0))
    for step in range(12):
        clock.now += 0.5
        song = kept.copy()
        song[:, :, start : start + preview.WINDOW] = np.array(estimate(preview.WINDOW, step))
        before = len(codec.decoded)
        shown(mx.array(song))
        if step and len(codec.decoded) > before:
            low = start - preview.CONTEXT
            window = song[0, :, low : low + preview.WINDOW + 2 * preview.CONTEXT]
            np.testing.assert_allclose(codec.decoded[before], window, atol=1e-5)
    # What is kept is decoded once and then left alone.
    for _ in range(200):
        clock.now += 0.5
        shown(mx.array(song))
    assert len(codec.decoded) <= 8 + 12


def test_map_learns_what_is_linear() -> None:
    random = np.random.default_rng(0)
    mixing = random.standard_normal((CHANNELS, 2, 3)).astype(np.float32)

    def truth(latents: Any) -> Any:
        patches = np.einsum("htc,crk->hrtk", latents, mixing)
        return patches.reshape(HEIGHT * 2, -1)

    learnt = LinearMap()
    assert not learnt.ready
    for _ in range(3):
        latents = random.standard_normal((HEIGHT, 40, CHANNELS)).astype(np.float32)
        learnt.learn(latents, truth(latents))
    fresh = random.standard_normal((HEIGHT, 25, CHANNELS)).astype(np.float32)
    error = np.linalg.norm(learnt(fresh) - truth(fresh)) / np.linalg.norm(truth(fresh))
    assert error < 0.03  # what the ridge takes


class Watcher:
    """Pictures of a run, by its stage."""

    def __init__(self) -> None:
        self.stage = ""
        self.pictures: dict[str, list[Any]] = {"sample": [], "decode": []}
        self.progress = Progress(self._event, self._picture)

    def _event(self, event: Any) -> None:
        self.stage = event.stage

    def _picture(self, picture: Any) -> None:
        self.pictures[self.stage].append(picture)


def true_picture(model: ACEStep, output: MusicOutput) -> Any:
    latents = mx.array(output.latents)[None].transpose(0, 2, 3, 1)
    mel = model.components.autoencoder.codec.decode(dcae.unscale_latents(latents))
    return pixels_of(picture_of(mel, latents.shape[2])).astype(int)


#: Short enough that one window is the song.
SHORT = {"prompt": "funk", "num_inference_steps": 3, "seed": 4, "sample_rate": dcae.SAMPLE_RATE}


def make(model: ACEStep, how: str, progress: Progress | None) -> MusicOutput:
    if how in ("euler", "heun", "pingpong"):
        return model.generate(**SHORT, duration=1.0, scheduler=how, progress=progress)
    if how == "retake":
        first = model.generate(**SHORT, duration=1.0)
        return model.retake(first, retake_seed=8, progress=progress)
    random = np.random.default_rng(1)
    source = (random.uniform(-0.3, 0.3, (2, 45_000)).astype(np.float32), dcae.SAMPLE_RATE)
    if how == "repaint":
        return model.repaint(source, start=0.3, end=0.7, variance=0.9, progress=progress, **SHORT)
    if how == "extend":
        return model.extend(source, left=0.2, right=0.2, progress=progress, **SHORT)
    if how == "reference":
        return model.generate(**SHORT, reference=source, reference_strength=0.1, progress=progress)
    words = {**SHORT, "prompt": "piano", "source_prompt": "funk"}
    free = {"edit_n_max": 0.5} if how == "edit then sample" else {}
    scheduler = "pingpong" if how == "edit then sample" else "euler"
    return model.edit(source, **words, **free, scheduler=scheduler, progress=progress)


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> ACEStep:
    return ACEStep(Components(checkpoint, mx.float32), "synthetic")


@pytest.fixture(scope="module")
def silent(checkpoint: Path) -> ACEStep:
    """The same, for latents alone."""
    return ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")


@pytest.mark.parametrize(
    "how",
    [
        *("euler", "heun", "pingpong", "retake", "reference"),
        *("repaint", "extend", "edit", "edit then sample"),
    ],
)
def test_last_picture_is_the_song(
    model: ACEStep, silent: ACEStep, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "SHARE", 1e9)
    monkeypatch.setattr(preview, "MAP_SHARE", 1e9)
    watcher = Watcher()
    watched = make(model, how, watcher.progress)
    # Pictures change nothing. Sources are encoded, so only what has none can do without sound.
    from_noise = how in ("euler", "heun", "pingpong", "retake")
    plain = make(silent if from_noise and how != "heun" else model, how, None)
    np.testing.assert_array_equal(watched.latents, plain.latents)
    if not from_noise or how == "heun":
        np.testing.assert_array_equal(watched.audio, plain.audio)
    truth = true_picture(model, watched)
    assert len(watcher.pictures["sample"]) >= 2
    for pictures in watcher.pictures.values():
        assert pictures[-1].shape == truth.shape
        assert abs(pictures[-1].astype(int) - truth).max() <= 1
    first = watcher.pictures["sample"][0].astype(int)
    assert abs(first - truth).max() > 1  # or the picture would not have taken shape


def test_no_pictures_while_there_is_no_memory(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "SHARE", 1e9)
    monkeypatch.setattr(preview, "MAP_SHARE", 1e9)
    components = Components(checkpoint, mx.float32, memory_limit=1)
    tight = ACEStep(components, "synthetic")
    watcher, opened = Watcher(), []
    finished = components.finished_sampling

    def note_what_is_open() -> None:
        opened.append(DCAE_FOLDER in components._open)
        finished()

    monkeypatch.setattr(components, "finished_sampling", note_what_is_open)
    output = make(tight, "euler", watcher.progress)
    assert opened == [False]
    assert watcher.pictures["sample"] == []
    last = watcher.pictures["decode"][-1].astype(int)
    assert abs(last - true_picture(tight, output)).max() <= 1


def test_a_batch_shows_its_first_take(model: ACEStep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "SHARE", 1e9)
    watcher = Watcher()
    first, _ = model.generate_batch(takes=2, duration=1.0, progress=watcher.progress, **SHORT)
    truth = true_picture(model, first)
    for pictures in watcher.pictures.values():
        assert abs(pictures[-1].astype(int) - truth).max() <= 1
