"""Changing the sample rate: the reference's windowed sinc, and soxr for all other rates.

The model was trained on audio that torchaudio had resampled (`sinc_interp_hann`, low-pass
width 6, roll-off 0.99), so its own rates go through that very filter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import mlx.core as mx
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

#: Outputs of each channel computed at a time, in a few arrays of that size.
_BLOCK = 1 << 18

#: Inputs that a period of outputs may see for the filter to be done as a matrix product.
_MOST_DENSE = 512


def resample(audio: npt.ArrayLike | mx.array, source_rate: int, target_rate: int) -> FloatArray:
    """Resample (channels, samples) audio, float32, from `source_rate` to `target_rate` (Hz).

    Equal rates return the audio as it is (an MLX array as a NumPy array). Towards 44.1 and 48 kHz
    it is the reference's filter (`resample_sinc`); any other target, and source rates with hardly
    a common divisor (over `MAX_PHASES` phases), go through soxr at its highest quality.
    Raises AudioError for rates that are not positive integers or audio that is not 2-D.
    """
    samples = _checked(audio, source_rate, target_rate)
    phases = target_rate // math.gcd(source_rate, target_rate)
    by_sinc = target_rate in SINC_RATES and phases <= MAX_PHASES
    if by_sinc or source_rate == target_rate:
        return resample_sinc(samples, source_rate, target_rate)

    import soxr

    resampled = soxr.resample(np.asarray(samples).T, source_rate, target_rate, quality="VHQ")
    return np.ascontiguousarray(resampled.T, dtype=np.float32)


def resample_sinc(
    audio: npt.ArrayLike | mx.array, source_rate: int, target_rate: int
) -> FloatArray:
    """torchaudio's `sinc_interp_hann` resampling of (channels, samples) audio, float32.

    Computed on MLX's default device, where an MLX array is read without a copy on the host.
    Returns (channels, ceil(samples * target_rate / source_rate)) float32. Memory beyond input
    and output is a few blocks. (torchaudio rounds that length to single precision, so it can
    differ by a sample from about 4 million samples on.)
    Raises AudioError for rates that are not positive integers or audio that is not 2-D.
    """
    samples = _checked(audio, source_rate, target_rate)
    if source_rate == target_rate:
        return np.array(samples) if isinstance(samples, mx.array) else samples
    divisor = math.gcd(source_rate, target_rate)
    source, target = int(source_rate) // divisor, int(target_rate) // divisor
    channels, count = samples.shape
    resampled = np.empty((channels, -(-count * target // source)), dtype=np.float32)
    if resampled.size == 0:
        return resampled

    done = 0
    for block in _one_ahead(_blocks(samples, source, target, resampled.shape[1])):
        kept = resampled[:, done : done + block.shape[1]]
        kept[:] = np.asarray(block)[:, : kept.shape[1]]
        done += kept.shape[1]
    return resampled


def _checked(
    audio: npt.ArrayLike | mx.array, source_rate: Any, target_rate: Any
) -> FloatArray | mx.array:
    for rate in (source_rate, target_rate):
        if not isinstance(rate, int | np.integer) or rate < 1:
            raise AudioError(f"sample rate {rate!r}: must be a positive whole number of hertz")
    if isinstance(audio, mx.array):
        samples: FloatArray | mx.array = audio.astype(mx.float32)
    else:
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


def _blocks(
    samples: FloatArray | mx.array, source: int, target: int, length: int
) -> Iterator[mx.array]:
    """The outputs, (channels, whole periods) at a time, until there are `length` or more.

    Every `target` outputs, a period, see the next `source` inputs in the same way.
    """
    taps, first = _polyphase(source, target)
    offset = int(first.min())
    first = (first - offset).astype(np.int32)
    span = int(first.max()) + taps.shape[1]
    channels, count = samples.shape
    matrix = None
    if span <= _MOST_DENSE and mx.default_device() == mx.Device(mx.cpu):
        matrix = np.zeros((span, target), dtype=np.float32)
        matrix[first[:, None] + np.arange(taps.shape[1]), np.arange(target)[:, None]] = taps
    places = [(mx.array(first + tap), mx.array(taps[:, tap])) for tap in range(taps.shape[1])]

    periods = -(-length // target)
    step = max(1, _BLOCK // target)
    for start in range(0, periods, step):
        size = min(step, periods - start)
        low = start * source + offset
        high = low + (size - 1) * source + span
        seen = mx.array(samples[:, max(low, 0) : max(min(high, count), 0)])
        before = max(-low, 0)
        padding = [(0, 0), (before, high - low - before - seen.shape[1])]
        padded = mx.contiguous(mx.pad(seen, padding))
        rows = mx.as_strided(padded, (channels, size, span), (high - low, source, 1))
        total = _tap_by_tap(rows, places) if matrix is None else _dense(rows, matrix)
        yield total.reshape(channels, size * target)


def _dense(rows: mx.array, matrix: FloatArray) -> mx.array:
    """`rows` @ `matrix` on a CPU: mostly zeros, and still several times faster than the taps.

    By NumPy, whose product takes a seventh of the time of MLX's on Linux. No GPU does this: CUDA
    would multiply in TF32, with 10 bits, which is -66 dB of noise.
    """
    return mx.array(np.matmul(np.ascontiguousarray(rows), matrix))


def _tap_by_tap(rows: mx.array, places: list[tuple[mx.array, mx.array]]) -> mx.array:
    """Outputs (channels, periods, target) of `rows` (channels, periods, span), in plain float32.

    `places` holds, for each tap, its column and its weight in every output, both (target,).
    """
    products = (mx.take(rows, columns, axis=2) * weights for columns, weights in places)
    total = next(products)
    for product in products:
        total = total + product
    return total


def _one_ahead(blocks: Iterator[mx.array]) -> Iterator[mx.array]:
    """`blocks`, of which the device computes the next while one is used."""
    waiting: mx.array | None = None
    for block in blocks:
        mx.async_eval(block)
        if waiting is not None:
            yield waiting
        waiting = block
    if waiting is not None:
        yield waiting
