from __future__ import annotations

import math

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.audio import resample as module
from mlx_music.audio.resample import resample, resample_sinc
from mlx_music.errors import AudioError

RATES = [(48_000, 44_100), (44_100, 48_000), (8_000, 44_100), (96_000, 44_100), (22_050, 44_100)]


def _noise(channels: int, samples: int) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((channels, samples)).astype(np.float32)


def _sine(rate: int, samples: int, hz: float = 997.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(samples) / rate)[None].astype(np.float32)


def _by_definition(audio: np.ndarray, source: int, target: int) -> np.ndarray:
    """Every output as the windowed sinc sum over every input, in float64."""
    cutoff = min(source, target) * 0.99
    times = np.arange(math.ceil(audio.shape[1] * target / source)) / target
    crossings = (np.arange(audio.shape[1])[None] / source - times[:, None]) * cutoff
    window = np.where(abs(crossings) < 6, np.cos(crossings * np.pi / 12) ** 2, 0.0)
    return audio.astype(np.float64) @ (np.sinc(crossings) * window * cutoff / source).T


@pytest.mark.parametrize(("source", "target"), RATES)
@pytest.mark.parametrize("samples", [1, 2, 147, 161, 900])
def test_sinc_is_the_windowed_sum_it_claims_to_be(source: int, target: int, samples: int) -> None:
    audio = _noise(2, samples)
    expected = _by_definition(audio, source, target)
    actual = resample_sinc(audio, source, target)
    assert actual.dtype == np.float32
    assert actual.shape == expected.shape
    # torchaudio rounds the phase to single precision, and so do we: hence not 1e-7.
    assert np.linalg.norm(actual - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_keeps_its_pitch_and_level(source: int, target: int) -> None:
    resampled = resample(_sine(source, source // 4), source, target)
    expected = _sine(target, resampled.shape[1])
    inner = slice(200, -200)
    assert np.abs(resampled[:, inner] - expected[:, inner]).max() < 5e-3


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = _noise(2, 5000)
    whole = resample_sinc(audio, 48_000, 44_100)
    monkeypatch.setattr(module, "_BLOCK", 300)
    np.testing.assert_allclose(resample_sinc(audio, 48_000, 44_100), whole, atol=1e-6)
    monkeypatch.setattr(module, "_MOST_DENSE", 0)
    np.testing.assert_allclose(resample_sinc(audio, 48_000, 44_100), whole, atol=1e-6)


@pytest.mark.parametrize("target", [48_000, 44_100, 32_000])
def test_an_mlx_array_gives_what_its_numpy_array_gives(target: int) -> None:
    audio = _noise(2, 5000)
    resampled = resample(mx.array(audio), 44_100, target)
    assert isinstance(resampled, np.ndarray)
    np.testing.assert_array_equal(resampled, resample(audio, 44_100, target))


def test_rates_may_be_numpy_integers() -> None:
    audio = _noise(1, 900)
    for kind in (np.int64, np.uint32):
        resampled = resample(audio, kind(48_000), kind(44_100))
        np.testing.assert_array_equal(resampled, resample(audio, 48_000, 44_100))


@pytest.mark.parametrize("dense", [0, 512])
def test_a_block_is_as_the_whole_has_it(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_DENSE", dense)
    audio = _noise(2, 20_000)
    whole = resample_sinc(audio, 44_100, 48_000)
    monkeypatch.setattr(module, "_BLOCK", 4096)
    blocks = resample_sinc(audio, 44_100, 48_000)
    if not dense:
        np.testing.assert_array_equal(blocks, whole)
    # A BLAS may have one order of summing for few rows, and another one for many.
    np.testing.assert_allclose(blocks, whole, atol=1e-6)


def test_there_and_back_keeps_the_music() -> None:
    audio = _sine(44_100, 10_000) + _sine(44_100, 10_000, hz=5_000.0)
    back = resample(resample(audio, 44_100, 48_000), 48_000, 44_100)[:, :10_000]
    assert np.abs(back - audio)[:, 100:-100].max() < 1e-2


def test_equal_rates_change_nothing() -> None:
    audio = _noise(2, 10)
    assert resample(audio, 44_100, 44_100) is audio
    assert resample_sinc(audio, 12_345, 12_345) is audio


def test_no_samples_give_no_samples() -> None:
    assert resample(np.zeros((2, 0), np.float32), 48_000, 44_100).shape == (2, 0)


@pytest.mark.parametrize(
    ("source", "target", "sinc"),
    [
        (44_100, 48_000, True),
        (11_025, 44_100, True),
        (44_100, 96_000, False),
        (44_101, 44_100, False),
        (44_100, 32_000, False),
    ],
)
def test_the_reference_filter_is_used_for_its_own_rates(
    source: int, target: int, sinc: bool
) -> None:
    audio = _noise(2, 4000)
    resampled = resample(audio, source, target)
    assert abs(resampled.shape[1] - 4000 * target / source) <= 1
    assert resampled.dtype == np.float32
    assert resampled.flags["C_CONTIGUOUS"]
    expected = resample_sinc(audio, source, target)
    same = resampled.shape == expected.shape and np.allclose(resampled, expected, atol=1e-6)
    assert same is sinc


@pytest.mark.parametrize("rate", [0, -44_100, 44_100.0, "44100", None])
def test_rates_that_are_no_rates_are_refused(rate: object) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        resample(_noise(1, 10), rate, 44_100)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="sample rate"):
        resample_sinc(_noise(1, 10), 44_100, rate)  # type: ignore[arg-type]


def test_audio_of_another_shape_is_refused() -> None:
    with pytest.raises(AudioError, match="shape"):
        resample(np.zeros(10, np.float32), 44_100, 48_000)
