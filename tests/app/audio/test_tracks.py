"""Decoding for playback."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from mlx_music_app.audio.tracks import Track, TrackError


def _write(path: Path, rate: int, channels: int = 2, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(1)
    samples = rng.uniform(-0.5, 0.5, (round(rate * seconds), channels)).astype(np.float32)
    sf.write(path, samples, rate, subtype="FLOAT")
    return samples


def test_at_the_files_own_rate_every_sample_is_kept(tmp_path: Path) -> None:
    samples = _write(tmp_path / "a.wav", 48_000)
    track = Track(tmp_path / "a.wav", 48_000)
    assert track.wait()
    np.testing.assert_array_equal(track.samples, samples)
    assert track.duration == 1.0


def test_mono_is_heard_on_both_sides(tmp_path: Path) -> None:
    samples = _write(tmp_path / "a.wav", 48_000, channels=1)
    track = Track(tmp_path / "a.wav", 48_000)
    assert track.wait()
    np.testing.assert_array_equal(track.samples, np.repeat(samples, 2, axis=1))


def test_another_rate_is_resampled_to_the_right_length_and_pitch(tmp_path: Path) -> None:
    time = np.arange(44_100 * 2) / 44_100
    tone = 0.5 * np.sin(2 * np.pi * 1000 * time)
    sf.write(tmp_path / "a.wav", tone.astype(np.float32), 44_100, subtype="FLOAT")
    track = Track(tmp_path / "a.wav", 48_000)
    assert track.wait()
    assert track.frames == pytest.approx(96_000, abs=2)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(1000, 90_000) / 48_000)
    np.testing.assert_allclose(track.samples[1000:90_000, 0], expected, atol=1e-3)


def test_a_long_file_lies_in_a_file_and_plays_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlx_music_app.audio.tracks._LONG", 0.5)
    samples = _write(tmp_path / "a.wav", 48_000)
    track = Track(tmp_path / "a.wav", 48_000)
    assert track.wait()
    assert isinstance(track.samples, np.memmap)
    np.testing.assert_array_equal(track.samples, samples)


def test_closing_stops_decoding(tmp_path: Path) -> None:
    _write(tmp_path / "a.wav", 48_000, seconds=20.0)
    track = Track(tmp_path / "a.wav", 44_100)
    track.close()
    assert track.ready <= track.frames


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no sound at all", "damaged or no audio file"), (None, "is not where it was")],
)
def test_what_cannot_be_played_is_said(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrackError, match=message):
        Track(path, 48_000)


def test_an_empty_file_is_said(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.zeros((0, 2)), 48_000)
    with pytest.raises(TrackError, match="holds no sound"):
        Track(tmp_path / "a.wav", 48_000)
