from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.audio import mel as module
from mlx_music.audio.mel import MelConfig, hann_window, log_mel, mel_filterbank
from mlx_music.errors import AudioError

CONFIG = MelConfig(sample_rate=8000, n_fft=128, hop_length=32, n_mels=20, f_min=40.0, f_max=3000.0)


def _noise(channels: int, samples: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((channels, samples)).astype(np.float32)


def _log_mel(audio: np.ndarray, config: MelConfig = CONFIG) -> mx.array:
    window, filterbank = mx.array(hann_window(config.n_fft)), mx.array(mel_filterbank(config))
    return log_mel(mx.array(audio), window, filterbank, config.hop_length)


def _by_definition(audio: np.ndarray, config: MelConfig) -> np.ndarray:
    edge = (config.n_fft - config.hop_length) // 2
    after = config.n_fft - config.hop_length - edge
    padded = np.pad(audio.astype(np.float64), ((0, 0), (edge, after)), mode="reflect")
    starts = range(0, padded.shape[1] - config.n_fft + 1, config.hop_length)
    frames = np.stack([padded[:, start : start + config.n_fft] for start in starts], axis=1)
    spectrum = np.fft.rfft(frames * hann_window(config.n_fft))
    return np.log(np.maximum(np.sqrt(np.abs(spectrum) ** 2 + 1e-6) @ mel_filterbank(config), 1e-5))


@pytest.mark.parametrize("hop_length", [32, 33])
@pytest.mark.parametrize("samples", [64, 200, 1000])
def test_log_mel_is_what_it_claims_to_be(samples: int, hop_length: int) -> None:
    config = MelConfig(8000, 128, hop_length, 20, 40.0, 3000.0)
    audio = _noise(2, samples)
    spectrogram = _log_mel(audio, config)
    assert spectrogram.shape == (2, samples // hop_length, 20)
    assert spectrogram.dtype == mx.float32
    np.testing.assert_allclose(spectrogram, _by_definition(audio, config), atol=2e-4)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = _noise(2, 2000)
    whole = _log_mel(audio)
    monkeypatch.setattr(module, "_BLOCK_FRAMES", 7)
    np.testing.assert_allclose(_log_mel(audio), whole, atol=1e-5)


def test_tables_may_be_of_low_precision() -> None:
    window, filterbank = mx.array(hann_window(128)), mx.array(mel_filterbank(CONFIG))
    audio = mx.array(_noise(1, 500))
    low = log_mel(audio, window.astype(mx.bfloat16), filterbank.astype(mx.bfloat16), 32)
    assert low.dtype == mx.float32
    assert 0 < mx.abs(low - log_mel(audio, window, filterbank, 32)).max() < 0.05


def test_silence_is_floored_not_infinite() -> None:
    silence = _log_mel(np.zeros((1, 320), np.float32))
    assert mx.isfinite(silence).all()
    assert silence.max() < -6


def test_a_tone_is_loudest_in_its_band() -> None:
    filterbank = mel_filterbank(CONFIG)
    hz = 1500.0
    tone = np.sin(2 * np.pi * hz * np.arange(4000) / 8000)[None].astype(np.float32)
    band = int(np.argmax(np.array(_log_mel(tone))[0, 50]))
    assert band == int(np.argmax(filterbank[round(hz / 8000 * 128)]))


def test_too_little_to_reflect_is_refused() -> None:
    with pytest.raises(AudioError, match="48 samples is too short"):
        _log_mel(np.zeros((2, 48), np.float32))
    assert _log_mel(np.zeros((2, 49), np.float32)).shape[1] == 1


def test_tables_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        log_mel(mx.zeros((1, 500)), mx.ones((128,)), mx.ones((64, 20)), 32)


def test_hann_window_is_periodic() -> None:
    window = hann_window(8)
    assert window[0] == 0
    assert window[4] == 1
    np.testing.assert_allclose(window + np.roll(window, 4), 1, atol=1e-7)


def test_filterbank_has_unit_areas_and_slaney_corners() -> None:
    config = MelConfig(n_fft=1 << 16)  # fine enough to integrate
    filterbank = mel_filterbank(config).astype(np.float64)
    spacing = config.sample_rate / config.n_fft
    np.testing.assert_allclose(filterbank.sum(axis=0) * spacing, 1, rtol=1e-3)
    heard = np.flatnonzero(filterbank.any(axis=1)) * spacing
    assert heard[0] == pytest.approx(config.f_min, abs=2 * spacing)
    assert heard[-1] == pytest.approx(config.f_max, abs=2 * spacing)
    # Linear below 1 kHz: equally spaced peaks; above, a constant ratio.
    peaks = filterbank.argmax(axis=0) * spacing
    low, high = peaks[peaks < 900], peaks[peaks > 1100]
    assert np.diff(low).std() < 2 * spacing
    assert (high[1:] / high[:-1]).std() < 1e-3
