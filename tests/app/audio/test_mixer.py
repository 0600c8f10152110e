"""The mixer: which frames are heard, to the sample, and that nothing clicks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlx_music_app.audio.mixer import FADE, Mixer

RATE = 48_000


def _track(frames: int, ready: int | None = None, value: float | None = None) -> Any:
    line = np.arange(1, frames + 1, dtype=np.float32) / 2**20
    if value is not None:
        line[:] = value
    return SimpleNamespace(
        samples=np.stack([line, -line], axis=1),
        frames=frames,
        ready=frames if ready is None else ready,
    )


def _mixer(track: Any, **state: Any) -> Mixer:
    mixer = Mixer()
    mixer.do(lambda: mixer.set_track(track, 0))
    mixer.settle()
    for name, value in state.items():
        setattr(mixer, name, value)
    mixer.do(mixer.play)
    return mixer


def _render(mixer: Mixer, frames: int, block: int = 512) -> np.ndarray:
    out = np.full((frames, 2), np.nan, np.float32)
    for start in range(0, frames, block):
        mixer.render(out[start : start + block])
    assert np.isfinite(out).all()
    return out


@pytest.mark.parametrize("block", [64, 512, 5000])
def test_plays_every_frame_and_then_silence(block: int) -> None:
    track = _track(3000)
    mixer = _mixer(track)
    out = _render(mixer, 6000, block)
    np.testing.assert_array_equal(out[:3000], track.samples)
    assert not out[3000:].any()
    assert mixer.finished
    assert not mixer.playing


def test_playing_again_after_the_end_starts_at_the_beginning() -> None:
    mixer = _mixer(_track(1000))
    _render(mixer, 1024)
    mixer.do(mixer.play)
    np.testing.assert_array_equal(_render(mixer, 500), _track(1000).samples[:500])


def test_a_loop_is_exact_to_the_sample() -> None:
    track = _track(5000)
    mixer = _mixer(track, loop=(100, 733))
    mixer.do(lambda: mixer.seek(100))
    out = _render(mixer, 4000, 256)
    expected = np.resize(track.samples[100:733], (4000, 2))
    np.testing.assert_array_equal(out[FADE:], expected[FADE:])


def test_play_goes_to_the_loop_and_seeking_past_it_leaves_it() -> None:
    mixer = _mixer(_track(5000), loop=(1000, 2000))
    _render(mixer, 512)
    assert 1000 <= mixer.position < 2000
    mixer.do(lambda: mixer.seek(3000))
    _render(mixer, 1024)
    assert mixer.position == 4024


@pytest.mark.parametrize("what", ["pause", "seek", "track", "volume"])
def test_nothing_clicks(what: str) -> None:
    """A constant must not jump by more than a fade's step, whatever is done to it."""
    mixer = _mixer(_track(50_000, value=0.5))
    before = _render(mixer, 1024)
    actions = {
        "pause": mixer.pause,
        "seek": lambda: mixer.seek(20_000),
        "track": lambda: mixer.set_track(_track(50_000, value=-0.5), mixer.position),
        "volume": lambda: mixer.set_volume(0.0),
    }
    mixer.do(actions[what])
    out = np.concatenate([before, _render(mixer, 4096, 100)])
    assert np.abs(np.diff(out[:, 0])).max() < 1.5 / FADE


def test_a_second_jump_within_a_fade_does_not_click() -> None:
    mixer = _mixer(_track(50_000, value=0.5))
    out = [_render(mixer, 512)]
    for position in (10_000, 20_000, 30_000):
        mixer.do(lambda position=position: mixer.seek(position))
        out.append(_render(mixer, 100, 50))
    mixer.do(mixer.pause)
    out.append(_render(mixer, 1024))
    assert np.abs(np.diff(np.concatenate(out)[:, 0])).max() < 3 / FADE
    assert not out[-1][-1].any()


def test_the_volume_arrives_exactly() -> None:
    track = _track(20_000)
    mixer = _mixer(track)
    _render(mixer, 512)
    mixer.do(lambda: mixer.set_volume(0.25))
    _render(mixer, 2048)
    np.testing.assert_array_equal(_render(mixer, 512), track.samples[2560:3072] * np.float32(0.25))


def test_waits_for_what_is_not_decoded_yet() -> None:
    track = _track(4000, ready=0)
    mixer = _mixer(track)
    assert not _render(mixer, 1024).any()
    assert mixer.position == 0
    assert mixer.starved == 0  # it has not begun
    track.ready = 700
    np.testing.assert_array_equal(_render(mixer, 1024)[:700], track.samples[:700])
    assert mixer.starved == 324
    track.ready = 4000
    np.testing.assert_array_equal(_render(mixer, 1024), track.samples[700:1724])


def test_what_is_heard_lies_behind_by_the_latency_but_not_behind_a_jump() -> None:
    mixer = _mixer(_track(50_000))
    _render(mixer, 5120)
    assert mixer.heard(1000) == 4120
    mixer.do(lambda: mixer.seek(20_000))
    _render(mixer, 512)
    assert mixer.heard(1000) == 20_000
    mixer.do(lambda: mixer.set_loop((20_000, 21_000)))
    _render(mixer, 1024)  # 536 frames into the second round
    assert mixer.position == 20_536
    assert mixer.heard(600) == 20_936


def test_levels_are_peak_and_rms_since_the_last_look() -> None:
    time = np.arange(48_000) / RATE
    track = _track(48_000)
    track.samples[:, 0] = 0.5 * np.sin(2 * np.pi * 1000 * time)
    track.samples[:, 1] = 0.0
    mixer = _mixer(track)
    _render(mixer, 4800, 480)
    levels = mixer.levels()
    assert levels.peak == pytest.approx((0.5, 0.0), abs=1e-3)
    assert levels.rms == pytest.approx((0.5 / np.sqrt(2), 0.0), abs=1e-3)
    mixer.do(mixer.pause)
    _render(mixer, 1024)
    mixer.levels()
    _render(mixer, 480)
    assert mixer.levels().peak == (0.0, 0.0)
