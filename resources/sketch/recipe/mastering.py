"""The last steps over a whole piece: room, tone, loudness and a ceiling for peaks.

All filters act on one Fourier transform of the piece, so they cost little and are exactly what
their formulas say.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 44_100
PEAK = 0.97

#: Over this level peaks are bent, never cut.
_KNEE = 0.7


def master(
    dry: FloatArray,
    wet: FloatArray,
    *,
    brightness: str,
    room_seconds: float,
    loudness: float,
) -> FloatArray:
    """The finished piece (2, n) of its sound (2, n) and what of it goes into the room (n,).

    loudness: LUFS, as ITU-R BS.1770 weights it but without gates.
    """
    samples = dry.shape[1]
    size = _fast_length(samples + int(room_seconds * SAMPLE_RATE))
    spectrum = np.fft.rfft(dry, size)
    if room_seconds > 0.0:
        spectrum += np.fft.rfft(wet, size) * _room(size, room_seconds)
    spectrum *= _tone(size, brightness)
    gain = _gain(spectrum, size, samples, loudness)
    sound = np.fft.irfft(spectrum, size)[:, :samples]
    return _bend(np.asarray(sound * gain, dtype=np.float32))


def _fast_length(least: int) -> int:
    """The next length whose Fourier transform is quick: 2, 3 and 5 times powers of two."""
    power = 1 << (least - 1).bit_length()
    shorter = (power * 5 // 8, power * 3 // 4, power * 15 // 16)
    return next((length for length in shorter if length >= least), power)


# A room of half a minute is 17 MB.
@lru_cache(maxsize=4)
def _room(size: int, seconds: float) -> npt.NDArray[np.complex64]:
    """The spectra (2, bins) of a room's answer: dense, softly filtered, other on either side."""
    length = int(seconds * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    noise = np.random.RandomState(11).standard_normal((2, length))
    # 60 dB down at the end. The first 12 ms are the way to the walls and back.
    answer = noise * np.exp(-6.9 * time / seconds) * (time > 0.012)
    answer /= np.sqrt(np.sum(answer**2, axis=1, keepdims=True))
    hertz = np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
    shape = (hertz / 150.0) ** 2 / (1.0 + (hertz / 150.0) ** 2) / (1.0 + (hertz / 4_500.0) ** 2)
    spectra: npt.NDArray[np.complex64] = (np.fft.rfft(answer, size) * shape).astype(np.complex64)
    return spectra


@lru_cache(maxsize=4)
def _tone(size: int, brightness: str) -> FloatArray:
    """Gains per bin: no rumble, and a shelf up for bright music or down for warm."""
    hertz = np.fft.rfftfreq(size, 1.0 / SAMPLE_RATE)
    gains = (hertz / 30.0) ** 2 / (1.0 + (hertz / 30.0) ** 2)
    over = (hertz / 3_000.0) ** 2 / (1.0 + (hertz / 3_000.0) ** 2)
    if brightness == "bright":
        gains *= 1.0 + over
    elif brightness == "warm":
        gains *= 1.0 - 0.75 * over
    return gains.astype(np.float32)


@lru_cache(maxsize=4)
def _loudness_weights(size: int) -> FloatArray:
    """Power gains per bin of BS.1770's two filters: a shelf of 4 dB, and a cut of low bass."""
    turn = np.exp(-2j * np.pi * np.fft.rfftfreq(size))
    power = np.ones(turn.size)
    for b, a in (_shelf(1_500.0, 4.0), _low_cut(38.0)):
        power *= np.abs(np.polyval(b[::-1], turn) / np.polyval(a[::-1], turn)) ** 2
    return power.astype(np.float32)


def _shelf(hertz: float, decibels: float) -> tuple[FloatArray, FloatArray]:
    """A high shelf, after Bristow-Johnson's Audio EQ Cookbook (Q of one over root two)."""
    a = 10.0 ** (decibels / 40.0)
    omega = 2.0 * np.pi * hertz / SAMPLE_RATE
    cos, alpha = np.cos(omega), np.sin(omega) / np.sqrt(2.0)
    root = 2.0 * np.sqrt(a) * alpha
    above = (a + 1) + (a - 1) * cos
    below = (a + 1) - (a - 1) * cos
    numerator = a * np.array([above + root, -2 * ((a - 1) + (a + 1) * cos), above - root])
    denominator = np.array([below + root, 2 * ((a - 1) - (a + 1) * cos), below - root])
    return numerator, denominator


def _low_cut(hertz: float) -> tuple[FloatArray, FloatArray]:
    """A high-pass filter of the same cookbook (Q of one half)."""
    omega = 2.0 * np.pi * hertz / SAMPLE_RATE
    cos, alpha = np.cos(omega), np.sin(omega)
    numerator = np.array([(1 + cos) / 2, -(1 + cos), (1 + cos) / 2])
    return numerator, np.array([1 + alpha, -2 * cos, 1 - alpha])


def _gain(
    spectrum: npt.NDArray[np.complexfloating], size: int, samples: int, loudness: float
) -> float:
    """What brings the piece to a loudness; power is counted in its spectrum (Parseval)."""
    power = spectrum.real**2 + spectrum.imag**2
    energy = 2.0 * float(np.dot(power.sum(axis=0), _loudness_weights(size))) / size
    measured = -0.691 + 10.0 * np.log10(max(energy / samples, 1e-12))
    return float(10.0 ** ((loudness - measured) / 20.0))


def _bend(sound: FloatArray) -> FloatArray:
    """The sound with peaks over the knee bent towards the highest level, in place."""
    over = np.abs(sound) > _KNEE
    peaks = sound[over]
    room = PEAK - _KNEE
    bent = _KNEE + room * np.tanh((np.abs(peaks) - _KNEE) / room)
    sound[over] = np.sign(peaks) * bent
    return sound
