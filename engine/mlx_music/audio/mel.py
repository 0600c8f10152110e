"""Log-mel spectrograms in MLX, and the tables they need.

Slaney's mel scale: linear below 1 kHz (200/3 Hz per mel), logarithmic above (27 mels per factor
of 6.4); from his Auditory Toolbox, and the default of librosa.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music.errors import AudioError

#: Magnitudes are sqrt(re^2 + im^2 + this), which keeps the square root smooth at zero.
POWER_FLOOR = 1e-6
#: Mel energies are clipped here before the logarithm.
MEL_FLOOR = 1e-5

#: Frames per block: 32 MB of windowed samples for stereo at 2048 samples a frame.
_BLOCK_FRAMES = 2048

_HZ_PER_MEL = 200.0 / 3.0
_LOG_START_HZ = 1000.0
_LOG_STEP = math.log(6.4) / 27.0


@dataclass(frozen=True)
class MelConfig:
    """Frequencies in Hz, lengths in samples; the defaults are ACE-Step v1's."""

    sample_rate: int = 44_100
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    f_min: float = 40.0
    f_max: float = 16_000.0


def hann_window(length: int) -> npt.NDArray[np.float32]:
    """The periodic Hann window of `length` samples, float32."""
    phase = np.arange(length) * (2.0 * math.pi / length)
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


def mel_filterbank(config: MelConfig) -> npt.NDArray[np.float32]:
    """Triangles (n_fft // 2 + 1, n_mels), float32: Slaney's scale, each of unit area in Hz."""
    frequencies = np.linspace(0.0, config.sample_rate / 2, config.n_fft // 2 + 1)
    lowest, highest = _hz_to_mel(np.array([config.f_min, config.f_max]))
    corners = _mel_to_hz(np.linspace(lowest, highest, config.n_mels + 2))
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (frequencies[:, None] - left) / (centre - left)
    falling = (right - frequencies[:, None]) / (right - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (right - left))).astype(np.float32)


def _hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = _LOG_START_HZ / _HZ_PER_MEL + np.log(np.maximum(hz, 1e-9) / _LOG_START_HZ) / _LOG_STEP
    return np.where(hz < _LOG_START_HZ, hz / _HZ_PER_MEL, above)


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    start = _LOG_START_HZ / _HZ_PER_MEL
    above = _LOG_START_HZ * np.exp(_LOG_STEP * (mel - start))
    return np.where(mel < start, mel * _HZ_PER_MEL, above)


def log_mel(audio: mx.array, window: mx.array, filterbank: mx.array, hop_length: int) -> mx.array:
    """Log-mel spectrogram of `audio` (channels, samples): (channels, frames, n_mels), float32.

    `window` (n_fft,) and `filterbank` (n_fft // 2 + 1, n_mels) may be of any float dtype; the
    work is done in float32. There are samples // hop_length frames: the ends are padded by
    reflection so that frame i is centred on the middle of hop i.
    Raises AudioError where there is too little audio to reflect.
    """
    (n_fft,) = window.shape
    if filterbank.ndim != 2 or filterbank.shape[0] != n_fft // 2 + 1:
        raise ValueError(f"filterbank of shape {filterbank.shape} does not fit an FFT of {n_fft}")
    before, after = (n_fft - hop_length) // 2, (n_fft - hop_length + 1) // 2
    if audio.shape[1] <= after:
        raise AudioError(f"audio of {audio.shape[1]} samples is too short: needs over {after}")

    audio = audio.astype(mx.float32)
    head, tail = audio[:, before:0:-1], audio[:, -2 : -2 - after : -1]
    padded = mx.contiguous(mx.concatenate([head, audio, tail], axis=1))
    window, filterbank = window.astype(mx.float32), filterbank.astype(mx.float32)
    count = (padded.shape[1] - n_fft) // hop_length + 1
    blocks = []
    for start in range(0, count, _BLOCK_FRAMES):
        shape = (padded.shape[0], min(_BLOCK_FRAMES, count - start), n_fft)
        strides = (padded.shape[1], hop_length, 1)
        frames = mx.as_strided(padded, shape, strides, start * hop_length)
        blocks.append(_log_mel_of_frames(frames * window, filterbank))
        mx.eval(blocks[-1])  # or the frames of the whole song would be held at once
    return mx.concatenate(blocks, axis=1)


def _log_mel_of_frames(frames: mx.array, filterbank: mx.array) -> mx.array:
    spectrum = mx.fft.rfft(frames)
    power = mx.square(spectrum.real) + mx.square(spectrum.imag)
    mel = mx.sqrt(power + POWER_FLOOR) @ filterbank
    return mx.log(mx.maximum(mel, MEL_FLOOR))
