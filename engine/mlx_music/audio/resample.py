"""Changing the sample rate: the reference's windowed sinc, and soxr for all other rates.

The model was trained on audio that torchaudio had resampled (`sinc_interp_hann`, low-pass
width 6, roll-off 0.99), so its own rates go through that very filter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_music.errors import AudioError

FloatArray = npt.NDArray[np.float32]

#: The rates the model hears and the reference writes; to these, the reference's filter is used.
SINC_RATES = (44_100, 48_000)

#: Zero crossings of the sinc on each side, and the cut-off as a part of the lower Nyquist rate.
LOWPASS_WIDTH = 6
ROLLOFF = 0.99

#: The filter has one set of taps per output phase. Real rates need at most 441 of them; beyond
#: this many (44,101 Hz, say), the reference's single precision blurs the phase, and soxr is better.
MAX_PHASES = 2048

#: Outputs computed at a time: enough to hide NumPy's overhead, few enough to stay in cache.
_BLOCK = 1 << 17

#: Inputs that a period of outputs may see for the filter to be done as a matrix product.
_MOST_DENSE = 512


def resample(audio: npt.ArrayLike, source_rate: int, target_rate: int) -> FloatArray:
    """Resample (channels, samples) audio, float32, from `source_rate` to `target_rate` (Hz).

    Equal rates return the audio as it is. Towards 44.1 and 48 kHz it is the reference's filter
    (`resample_sinc`); any other target, and source rates with hardly a common divisor (over
    `MAX_PHASES` phases), go through soxr at its highest quality.
    Raises AudioError for rates that are not positive integers or audio that is not 2-D.
    """
    samples = _checked(audio, source_rate, target_rate)
    if source_rate == target_rate:
        return samples
    phases = target_rate // math.gcd(source_rate, target_rate)
    if target_rate in SINC_RATES and phases <= MAX_PHASES:
        return resample_sinc(samples, source_rate, target_rate)

    import soxr

    resampled = soxr.resample(samples.T, source_rate, target_rate, quality="VHQ")
    return np.ascontiguousarray(resampled.T, dtype=np.float32)


def resample_sinc(audio: npt.ArrayLike, source_rate: int, target_rate: int) -> FloatArray:
    """torchaudio's `sinc_interp_hann` resampling of (channels, samples) audio, float32.

    Returns (channels, ceil(samples * target_rate / source_rate)) float32. Memory beyond input
    and output is one padded channel. (torchaudio rounds that length to single precision, so it
    can differ by a sample from about 4 million samples on.)
    Raises AudioError for rates that are not positive integers or audio that is not 2-D.
    """
    samples = _checked(audio, source_rate, target_rate)
    if source_rate == target_rate:
        return samples
    divisor = math.gcd(source_rate, target_rate)
    source, target = source_rate // divisor, target_rate // divisor
    length = -(-samples.shape[1] * target // source)
    if length == 0:
        return np.zeros((samples.shape[0], 0), dtype=np.float32)

    taps, first = _polyphase(source, target)
    return np.stack([_filter(channel, taps, first, source, length) for channel in samples])


def _checked(audio: npt.ArrayLike, source_rate: Any, target_rate: Any) -> FloatArray:
    for rate in (source_rate, target_rate):
        if not isinstance(rate, int | np.integer) or rate < 1:
            raise AudioError(f"sample rate {rate!r}: must be a positive whole number of hertz")
    samples = np.asarray(audio, dtype=np.float32)
    if samples.ndim != 2:
        raise AudioError(f"audio of shape {samples.shape}: must be (channels, samples)")
    return samples


def _polyphase(source: int, target: int) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Taps (target, k) of each output phase, and the input offset (target,) of its first tap.

    Output n*target + p lies at input n*source + p*source/target; only the inputs within the
    window are kept, so the table stays small whatever the rates.
    """
    cutoff = min(source, target) * ROLLOFF
    half_width = LOWPASS_WIDTH * source / cutoff
    # Single precision for the phase, because torchaudio divides integers to float32 here.
    phase = (np.arange(target, dtype=np.float32) / np.float32(target)).astype(np.float64)
    first = np.ceil(phase * source - half_width).astype(np.intp)
    inputs = first[:, None] + np.arange(math.floor(2 * half_width) + 1)

    crossings = np.clip((inputs / source - phase[:, None]) * cutoff, -LOWPASS_WIDTH, LOWPASS_WIDTH)
    window = np.cos(crossings * (math.pi / 2 / LOWPASS_WIDTH)) ** 2
    taps = np.sinc(crossings) * window * (cutoff / source)
    return taps.astype(np.float32), first


def _filter(
    samples: FloatArray,
    taps: FloatArray,
    first: npt.NDArray[np.intp],
    source: int,
    length: int,
) -> FloatArray:
    """`length` outputs of one channel (samples,): every period of `source` inputs alike."""
    target, width = taps.shape
    periods = -(-length // target)
    before = max(0, -int(first.min()))
    span = before + int(first.max()) + width
    padded = np.zeros((periods - 1) * source + max(span, before + source), dtype=np.float32)
    kept = min(samples.size, padded.size - before)
    padded[before : before + kept] = samples[:kept]

    stride = padded.strides[0]
    rows = np.lib.stride_tricks.as_strided(
        padded, shape=(periods, span), strides=(source * stride, stride), writeable=False
    )
    resampled = np.empty((periods, target), dtype=np.float32)
    step = max(1, _BLOCK // target)
    blocks = [slice(at, at + step) for at in range(0, periods, step)]
    if span <= _MOST_DENSE:
        # As a matrix the taps are mostly zeros, and its product is still several times faster.
        matrix = np.zeros((span, target), dtype=np.float32)
        matrix[first[:, None] + before + np.arange(width), np.arange(target)[:, None]] = taps
        for block in blocks:
            np.matmul(np.ascontiguousarray(rows[block]), matrix, out=resampled[block])
        return resampled.reshape(-1)[:length]
    for block in blocks:
        inputs, total = rows[block], resampled[block]
        np.multiply(inputs[:, first + before], taps[:, 0], out=total)
        for tap in range(1, width):
            total += inputs[:, first + (before + tap)] * taps[:, tap]
    return resampled.reshape(-1)[:length]
