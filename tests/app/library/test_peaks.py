from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mlx_music import AudioError
from mlx_music_app import paths
from mlx_music_app.library import peaks as module
from mlx_music_app.library.peaks import BIN, cached_peaks, compute_peaks, peaks_of, prune_cache

RATE = 8000


def write(path: Path, sound: Any, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, sound.T, RATE, subtype=subtype)
    return path


def noise(samples: int, channels: int = 2) -> Any:
    random = np.random.default_rng(1)
    loudness = np.linspace(0.05, 1.0, samples)
    return (random.uniform(-1, 1, (channels, samples)) * loudness).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("samples", [1, BIN - 1, BIN * 1024 + 7, BIN * 5000])
def test_every_stretch_has_its_extremes(tmp_path: Path, channels: int, samples: int) -> None:
    sound = noise(samples, channels)
    peaks = compute_peaks(write(tmp_path / "a.wav", sound))
    assert (peaks.channels, peaks.samples) == (channels, samples)
    assert peaks.duration == samples / RATE
    low, high = peaks.slice(0, peaks.duration, 1)
    assert low.shape == (channels, 1)
    np.testing.assert_allclose(low[:, 0], sound.min(axis=1), atol=1e-4)
    np.testing.assert_allclose(high[:, 0], sound.max(axis=1), atol=1e-4)
    rms = np.sqrt(np.mean(np.square(sound), axis=1))
    np.testing.assert_allclose(peaks.rms(0, peaks.duration, 1)[:, 0], rms, rtol=0.05, atol=1e-3)
    for fine, coarse in zip(peaks.levels, peaks.levels[1:], strict=False):
        assert coarse.shape[2] == -(-fine.shape[2] // 4)


@pytest.mark.parametrize("columns", [3, 100, 1000])
def test_columns_hold_their_samples_at_every_zoom(tmp_path: Path, columns: int) -> None:
    sound = noise(RATE * 40)
    peaks = compute_peaks(write(tmp_path / "a.wav", sound))
    for start, end in ((0.0, 40.0), (3.3, 17.7), (39.0, 39.5), (20.0, 20.01)):
        low, high = peaks.slice(start, end, columns)
        edges = np.linspace(start, end, columns + 1) * RATE
        slack = BIN + int((end - start) * RATE / columns)
        for column in range(columns):
            first, last = int(edges[column]), max(int(edges[column + 1]), int(edges[column]) + 1)
            inside = sound[:, first:last]
            assert (low[:, column] <= inside.min(axis=1) + 1e-4).all()
            assert (high[:, column] >= inside.max(axis=1) - 1e-4).all()
            around = sound[:, max(first - slack, 0) : last + slack]
            assert (low[:, column] >= around.min(axis=1) - 1e-4).all()


def test_close_up_the_samples_themselves_are_seen(tmp_path: Path) -> None:
    sound = noise(RATE)
    peaks = compute_peaks(write(tmp_path / "a.wav", sound))
    low, high = peaks.slice(100 / RATE, 110 / RATE, 10)
    np.testing.assert_allclose(low, sound[:, 100:110], atol=1e-6)
    np.testing.assert_allclose(high, low)


def test_outside_of_the_sound_is_silence(tmp_path: Path) -> None:
    peaks = compute_peaks(write(tmp_path / "a.wav", np.ones((2, RATE), np.float32) * 0.5))
    low, _ = peaks.slice(-1.0, 3.0, 400)
    assert (low[:, :99] == 0).all()
    assert (low[:, 101:199] > 0.49).all()
    assert (low[:, 201:] == 0).all()
    for start, end, columns in ((5.0, 6.0, 10), (1.0, 1.0, 10), (0.5, 0.2, 10), (0.0, 1.0, 0)):
        low, high = peaks.slice(start, end, columns)
        assert low.shape == high.shape == (2, columns)
        assert not low.any()


def test_sound_that_is_no_number_does_not_spoil_the_rest(tmp_path: Path) -> None:
    sound = noise(RATE)
    sound[0, 10] = np.nan
    low, _ = compute_peaks(write(tmp_path / "a.wav", sound)).slice(0, 1, 1)
    assert np.isfinite(low).all()


def test_lossy_files_have_pictures_too(tmp_path: Path) -> None:
    time = np.arange(RATE * 3) / RATE
    sound = np.stack([np.sin(time * 700)] * 2).astype(np.float32) * 0.5
    soundfile.write(tmp_path / "a.ogg", sound.T, RATE, format="OGG", subtype="VORBIS")
    peaks = compute_peaks(tmp_path / "a.ogg")
    _, high = peaks.slice(1.0, 1.1, 5)  # read from the file
    assert (high > 0.4).all()
    assert (peaks.slice(0.0, 3.0, 20)[1] > 0.4).all()


def test_the_cache_gives_the_same_again(app_home: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(RATE * 30))
    assert cached_peaks(path) is None
    first = peaks_of(path)
    again = cached_peaks(path)
    assert again is not None
    assert (again.path, again.sample_rate, again.samples) == (path, RATE, RATE * 30)
    for left, right in zip(first.levels, again.levels, strict=True):
        np.testing.assert_array_equal(left, right)
    write(path, noise(RATE))
    os.utime(path, (1, 1))
    assert cached_peaks(path) is None
    assert peaks_of(path).samples == RATE


@pytest.mark.parametrize("damage", ["empty", "cut", "head", "longer"])
def test_a_damaged_cache_is_made_anew(app_home: Path, tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.wav", noise(RATE))
    expected = peaks_of(path).slice(0, 1, 50)
    (file,) = (paths.cache_folder() / "peaks").iterdir()
    data = file.read_bytes()
    file.write_bytes(
        {"empty": b"", "cut": data[:-3], "head": b"X" + data[1:], "longer": data + b"1"}[damage]
    )
    assert cached_peaks(path) is None
    np.testing.assert_array_equal(peaks_of(path).slice(0, 1, 50), expected)
    assert cached_peaks(path) is not None


def test_without_a_cache_folder_there_is_still_a_picture(app_home: Path, tmp_path: Path) -> None:
    app_home.mkdir()
    (app_home / "cache").touch()
    assert peaks_of(write(tmp_path / "a.wav", noise(RATE))).samples == RATE


def test_the_cache_does_not_grow_for_ever(app_home: Path, tmp_path: Path) -> None:
    assert prune_cache() == 0
    files = [write(tmp_path / f"{n}.wav", noise(RATE)) for n in range(3)]
    for age, path in enumerate(files):
        peaks_of(path)
        (new,) = {module._cache_file(path)}
        os.utime(new, (1000 - age, 1000 - age))
    assert cached_peaks(files[2]) is not None  # and so it was used last
    size = module._cache_file(files[0]).stat().st_size
    assert prune_cache(2 * size) == 1
    assert [cached_peaks(path) is not None for path in files] == [True, False, True]


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is missing"):
        peaks_of(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(AudioError, match="cannot be read as audio"):
        peaks_of(tmp_path / "text.wav")
