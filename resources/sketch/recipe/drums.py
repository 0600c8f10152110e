"""Drum patterns with fills, and the sounds of the kit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from resources.sketch.recipe.score import Bar
from resources.sketch.recipe.songs import SLOW_TEMPO, Song
from resources.sketch.recipe.styles import STEPS_PER_BEAT

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 44_100

#: drum, start in sixteenths, velocity
Hit = tuple[str, float, float]

_VELOCITIES = {"X": 1.0, "x": 0.8, "o": 0.5}
_KINDS = ("kick", "snare", "clap", "hat", "shaker")

#: Where each drum stands, -1 left to 1 right.
PANS = {"kick": 0.0, "snare": 0.05, "clap": -0.1, "hat": -0.3, "shaker": 0.35}

#: How loud beside each other.
LEVELS = {"kick": 0.95, "snare": 0.6, "clap": 0.55, "hat": 0.36, "shaker": 0.27}


def drum_part(song: Song, bars: list[Bar]) -> list[Hit]:
    """All hits. An intro has the beat alone, and what is said twice ends in a fill."""
    if not song.has_drums:
        return []
    groove = song.plan.grooves[song.groove]
    draw = song.random("drums")
    hits: list[Hit] = []
    for bar in bars:
        start = bar.index * song.plan.steps
        place = bar.place
        kinds = ("kick", "hat", "shaker") if place.section == "intro" else _KINDS
        has_fill = place.is_last and (place.repeat or place.section == "intro")
        for kind in kinds:
            pattern = str(getattr(groove, kind))
            if song.energy == "calm" or song.tempo <= SLOW_TEMPO:
                pattern = pattern.replace("o", "-")
            elif song.energy == "lively" and kind == "hat":
                pattern = _on_eighths(pattern)
            if has_fill and kind == "snare" and pattern:
                pattern = pattern[:-STEPS_PER_BEAT] + draw.choice(("x-x-", "o-xx", "x-xx"))
            hits += [
                (kind, start + step, _VELOCITIES[mark])
                for step, mark in enumerate(pattern)
                if mark != "-"
            ]
    return hits


def _on_eighths(pattern: str) -> str:
    """The pattern with soft strokes on all eighths that it leaves free."""
    eighth = STEPS_PER_BEAT // 2
    return "".join(
        "o" if mark == "-" and step % eighth == 0 else mark for step, mark in enumerate(pattern)
    )


def draw_kit(song: Song) -> dict[str, FloatArray]:
    """The sounds of the kit, mono. The same in every song but for how bright they are."""
    cutoff = {"bright": 15_000.0, "neutral": 8_000.0, "warm": 3_500.0}[song.brightness]
    noise = np.random.RandomState(7).standard_normal(SAMPLE_RATE // 2).astype(np.float32)
    return {
        "kick": _kick(song.brightness),
        "snare": _snare(noise, cutoff),
        "clap": _clap(noise, cutoff),
        "hat": _burst(noise, 0.07, 0.018, 0.7 * min(cutoff, 9_000.0), cutoff * 1.1),
        "shaker": _burst(noise, 0.09, 0.03, 0.45 * min(cutoff, 9_000.0), cutoff * 0.8, 0.012),
    }


def _time(seconds: float) -> FloatArray:
    return (np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE).astype(np.float32)


def _kick(brightness: str) -> FloatArray:
    """A sine that falls from 160 to 52 Hz, with a click at its start."""
    time = _time(0.3)
    phase = 2.0 * np.pi * (52.0 * time + (108.0 / 28.0) * (1.0 - np.exp(-28.0 * time)))
    body = np.sin(phase) * np.exp(-time / 0.11)
    click = {"bright": 0.35, "neutral": 0.2, "warm": 0.08}[brightness]
    body += click * np.sin(2.0 * np.pi * 1_800.0 * time) * np.exp(-time / 0.004)
    return _faded(body)


def _snare(noise: FloatArray, cutoff: float) -> FloatArray:
    time = _time(0.18)
    tone = np.sin(2.0 * np.pi * 190.0 * time) * np.exp(-time / 0.05)
    rattle = _band(noise[: time.size], 900.0, cutoff) * np.exp(-time / 0.055)
    return _faded(0.6 * tone + 0.8 * rattle)


def _clap(noise: FloatArray, cutoff: float) -> FloatArray:
    time = _time(0.2)
    envelope = np.exp(-time / 0.06)
    for delay in (0.0, 0.011, 0.022):
        after = time >= delay
        envelope = envelope + after * np.exp(-np.maximum(time - delay, 0.0) / 0.005)
    return _faded(0.6 * _band(noise[: time.size], 800.0, min(cutoff, 6_000.0)) * envelope)


def _burst(
    noise: FloatArray,
    seconds: float,
    decay: float,
    low: float,
    high: float,
    attack: float = 0.0005,
) -> FloatArray:
    """Filtered noise with a rise of `attack` and a fall of `decay` seconds."""
    time = _time(seconds)
    envelope = np.minimum(time / attack, 1.0) * np.exp(-time / decay)
    return _faded(_band(noise[: time.size], low, high) * envelope)


def _band(noise: FloatArray, low: float, high: float) -> FloatArray:
    """Noise between two frequencies in Hz, at a level of one."""
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(noise.size, 1.0 / SAMPLE_RATE)
    spectrum *= (frequencies / low) ** 2 / (1.0 + (frequencies / low) ** 2)
    spectrum /= 1.0 + (frequencies / high) ** 4
    filtered = np.fft.irfft(spectrum, noise.size)
    return np.asarray(filtered / np.sqrt(np.mean(filtered**2)), dtype=np.float32)


def _faded(sound: npt.NDArray[np.floating]) -> FloatArray:
    """The sound with its last 5 ms faded out, at a peak of one."""
    fade = int(0.005 * SAMPLE_RATE)
    shaped = sound.astype(np.float32)
    shaped[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return np.asarray(shaped / np.abs(shaped).max(), dtype=np.float32)
