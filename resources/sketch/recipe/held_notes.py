"""Single held notes, which show whether a vocoder keeps pitch: nothing else covers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resources.sketch.recipe.instruments import SAMPLE_RATE, TIMBRES, tone
from resources.sketch.recipe.sizes import VOCODER

FloatArray = npt.NDArray[np.float32]

#: Samples of a mel frame.
HOP: int = VOCODER["hop_length"]

#: Three semitones apart, over what the renderer plays.
PITCHES = tuple(range(36, 85, 3))
#: Of a note until its release, and samples of it with the silence around it: 2 seconds.
_SECONDS, _LENGTH = 1.4, 172 * HOP
#: Of every note, whatever its timbre.
_PEAK = 0.3
#: Where the note is looked at: after its onset is over, and before it ends.
_FROM, _TO = round(0.3 * SAMPLE_RATE), round(1.3 * SAMPLE_RATE)
#: On pitch is less than this off, of the frequency: not quite half a semitone.
_NEAR = 0.025
#: What counts as the fundamental, on pitch or not: less than the octave above.
_LOW, _HIGH = 0.6, 1.6


@dataclass(frozen=True)
class HeldNote:
    """sound: float32 (samples,), mono at 44,100 Hz."""

    timbre: str
    pitch: int
    sound: FloatArray

    def on_pitch(self, sound: FloatArray) -> float:
        """Share of the energy around the fundamental that is less than half a semitone from it."""
        frequency = 440.0 * 2.0 ** ((self.pitch - 69) / 12.0)
        heard = sound[_FROM:_TO] * np.hanning(_TO - _FROM)
        energy = np.abs(np.fft.rfft(heard)) ** 2
        ratio = np.arange(energy.size) * (SAMPLE_RATE / heard.size) / frequency
        around = energy[(ratio > _LOW) & (ratio < _HIGH)].sum()
        return float(energy[np.abs(ratio - 1.0) < _NEAR].sum() / (around + 1e-12))


def held_notes(
    timbres: Sequence[str] = tuple(TIMBRES),
    start: int = 8 * HOP,
    pitches: Sequence[int] = PITCHES,
) -> Iterator[HeldNote]:
    """Notes of 1.4 seconds that begin at sample `start`."""
    for timbre in timbres:
        for pitch in pitches:
            note = tone(timbre, pitch, _SECONDS, "neutral")[: _LENGTH - start]
            sound = np.zeros(_LENGTH, dtype=np.float32)
            sound[start : start + note.size] = note * (_PEAK / np.abs(note).max())
            yield HeldNote(timbre, pitch, sound)


def in_tune(
    through: Callable[[FloatArray], FloatArray],
    start: int = 8 * HOP,
    pitches: Sequence[int] = PITCHES,
) -> dict[str, float]:
    """The mean share on pitch by timbre of what `through` makes of each note.

    through: from float32 (samples,) to the same, or longer.
    """
    shares: dict[str, list[float]] = {}
    for note in held_notes(start=start, pitches=pitches):
        shares.setdefault(note.timbre, []).append(note.on_pitch(through(note.sound)))
    return {timbre: float(np.mean(found)) for timbre, found in shares.items()}
