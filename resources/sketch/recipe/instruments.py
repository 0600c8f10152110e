"""The timbres: one note of each as a mono waveform.

Nearly all are sums of harmonics whose envelopes are exponentials, so that a partial costs a few
passes over an array: cos(k x) comes from those of k - 1 and k - 2 (Chebyshev), and a decay that
grows with k from multiplying by the same falling curve again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 44_100

_HIGHEST_PARTIAL_HZ = 14_000.0


@dataclass(frozen=True)
class Timbre:
    """A sum of harmonics.

    slope: harmonic k has the amplitude k**-slope. even: how strong the even ones are beside the
    odd. partials: amplitudes by harmonic, instead of a slope. decay: seconds in which the
    fundamental falls to 1/e (0: it is held). damping: how much faster each further harmonic
    falls. attack, release: seconds. vibrato: depth in semitones. colour: how far the cutoff of
    the filter lies from the usual. level: of the whole note.
    """

    slope: float = 1.0
    even: float = 1.0
    partials: Mapping[int, float] = field(default_factory=dict)
    count: int = 16
    decay: float = 0.0
    damping: float = 0.0
    attack: float = 0.004
    release: float = 0.06
    vibrato: float = 0.0
    colour: float = 1.0
    level: float = 1.0


#: Levels bring held and struck notes to about one loudness.
TIMBRES: dict[str, Timbre] = {
    "piano": Timbre(slope=1.1, count=12, decay=0.9, damping=0.35, release=0.12, level=1.35),
    "epiano": Timbre(
        partials={1: 1.0, 2: 0.35, 3: 0.12, 5: 0.10, 7: 0.14},
        decay=1.1,
        damping=0.5,
        release=0.1,
        level=1.15,
    ),
    "pluck": Timbre(
        slope=0.8, count=16, decay=0.7, damping=0.6, attack=0.002, release=0.08, level=1.4
    ),
    "organ": Timbre(
        partials={1: 1.0, 2: 0.8, 3: 0.5, 4: 0.4, 6: 0.25, 8: 0.25},
        attack=0.008,
        release=0.04,
        level=0.75,
    ),
    "pad": Timbre(slope=1.0, count=10, attack=0.03, decay=3.0, release=0.25, colour=0.8, level=0.8),
    "bell": Timbre(
        partials={1: 1.0, 4: 0.45, 10: 0.18}, decay=0.8, damping=0.25, attack=0.001, release=0.25
    ),
    "lead": Timbre(slope=0.9, count=16, attack=0.012, release=0.06, vibrato=0.18, level=0.7),
    "chip": Timbre(slope=1.0, even=0.0, count=15, attack=0.002, decay=1.2, release=0.02, level=0.9),
    "bass": Timbre(slope=0.9, count=16, decay=0.9, damping=0.12, attack=0.004, release=0.05),
}

#: Cutoff in Hz of the filter that brightness stands for.
CUTOFFS = {"bright": 6_500.0, "neutral": 2_200.0, "warm": 750.0}


def tone(name: str, pitch: int, seconds: float, brightness: str) -> FloatArray:
    """One note of a timbre: `seconds` long and then its release. Mono, at a level of about one."""
    timbre = TIMBRES[name]
    frequency = 440.0 * 2.0 ** ((pitch - 69) / 12.0)
    amplitudes = _amplitudes(timbre, frequency, CUTOFFS[brightness] * timbre.colour)
    length = int((seconds + timbre.release) * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    cosine = np.cos(_phase(timbre, frequency, time)).astype(np.float32)
    return _sum(timbre, amplitudes, cosine, time.astype(np.float32)) * _envelope(
        timbre, seconds, length
    )


def _amplitudes(timbre: Timbre, frequency: float, cutoff: float) -> FloatArray:
    """The amplitude of harmonics 1, 2, ...; at equal power whatever the filter leaves."""
    if timbre.partials:
        raw = np.zeros(max(timbre.partials), dtype=np.float32)
        for harmonic, amplitude in timbre.partials.items():
            raw[harmonic - 1] = amplitude
    else:
        number = np.arange(1, timbre.count + 1)
        raw = (number**-timbre.slope).astype(np.float32)
        raw[1::2] *= timbre.even
    hertz = frequency * np.arange(1, raw.size + 1)
    # Never below the note itself, or high notes would have no sound of their own.
    corner = max(cutoff, 0.8 * frequency)
    shaped = raw / np.sqrt(1.0 + (hertz / corner) ** 4)
    shaped = shaped[hertz < _HIGHEST_PARTIAL_HZ]
    level = timbre.level / np.sqrt(np.sum(shaped**2))
    return np.asarray(shaped * level, dtype=np.float32)


def _phase(
    timbre: Timbre, frequency: float, time: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Radians of the fundamental; vibrato comes in after a quarter of a second."""
    phase = 2.0 * np.pi * frequency * time - np.pi / 2.0
    if timbre.vibrato:
        rate = 5.5
        depth = frequency * (2.0 ** (timbre.vibrato / 12.0) - 1.0) / rate
        phase += depth * np.clip(4.0 * time - 1.0, 0.0, 1.0) * np.sin(2.0 * np.pi * rate * time)
    return phase


def _sum(
    timbre: Timbre, amplitudes: FloatArray, cosine: FloatArray, time: FloatArray
) -> FloatArray:
    """The harmonics, each under its decay."""
    total = np.zeros_like(cosine)
    before, current = np.ones_like(cosine), cosine
    envelope = np.exp(-time / timbre.decay) if timbre.decay else None
    faster = np.exp(-time * (timbre.damping / timbre.decay)) if timbre.damping else None
    for amplitude in amplitudes:
        if amplitude > 1e-4:
            partial = amplitude * current
            if envelope is not None:
                partial *= envelope
            total += partial
        if envelope is not None and faster is not None:
            envelope *= faster
        before, current = current, 2.0 * cosine * current - before
    return total


def _envelope(timbre: Timbre, seconds: float, length: int) -> FloatArray:
    """Attack and release, both straight lines; the decay is the harmonics' own."""
    envelope = np.ones(length, dtype=np.float32)
    attack = min(int(timbre.attack * SAMPLE_RATE), length)
    held = int(seconds * SAMPLE_RATE)
    envelope[:attack] = np.linspace(0.0, 1.0, attack, dtype=np.float32)
    envelope[held:] *= np.linspace(1.0, 0.0, length - held, dtype=np.float32) ** 2
    return envelope
