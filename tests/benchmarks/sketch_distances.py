"""How far one sound is from another, in NumPy: log-mel error and multi-resolution STFT."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mlx_music.audio.mel import MEL_FLOOR, MelConfig, hann_window, mel_filterbank

FloatArray = npt.NDArray[np.float32]

#: Windows and hops in samples, after Yamamoto et al. (2020), "Parallel WaveGAN".
RESOLUTIONS = ((512, 50), (1024, 120), (2048, 240))

#: Under this a magnitude is silence: 80 dB below that of a full-scale sine, roughly.
_MAGNITUDE_FLOOR = 1e-2


def magnitudes(audio: FloatArray, window: int, hop: int) -> FloatArray:
    """Magnitudes (channels, frames, bins) of a short-time Fourier transform, Hann window."""
    pad = window // 2
    padded = np.pad(audio, ((0, 0), (pad, pad)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, window, axis=1)[:, ::hop]
    return np.abs(np.fft.rfft(frames * hann_window(window))).astype(np.float32)


def log_mel(audio: FloatArray) -> FloatArray:
    """Log-mel (channels, frames, bins) as the published vocoder's, in nepers."""
    config = MelConfig()
    power = magnitudes(audio, config.n_fft, config.hop_length)
    return np.asarray(np.log(np.maximum(power @ _filterbank(), MEL_FLOOR)), dtype=np.float32)


def log_mel_error(made: FloatArray, true: FloatArray) -> float:
    """The mean absolute difference of two sounds' (channels, samples) log-mels, in nepers."""
    return float(np.mean(np.abs(log_mel(made) - log_mel(true))))


def stft_distance(made: FloatArray, true: FloatArray) -> float:
    """Spectral convergence plus mean log magnitude difference, averaged over resolutions.

    0 is equal; two unrelated pieces of music come to about 2.
    """
    total = 0.0
    for window, hop in RESOLUTIONS:
        a, b = magnitudes(made, window, hop), magnitudes(true, window, hop)
        convergence = np.linalg.norm(b - a) / np.linalg.norm(b)
        logs = np.log(np.maximum(a, _MAGNITUDE_FLOOR)) - np.log(np.maximum(b, _MAGNITUDE_FLOOR))
        total += float(convergence) + float(np.mean(np.abs(logs)))
    return total / len(RESOLUTIONS)


@lru_cache(maxsize=1)
def _filterbank() -> FloatArray:
    return mel_filterbank(MelConfig())
