"""Scales, chords and voice-leading, in MIDI pitches. Everything is strictly diatonic.

Without an accidental a listener, and a key finder, can only hear one key; and minor has the
lowered seventh throughout.
"""

from __future__ import annotations

from itertools import product

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)
SCALES = {"major": MAJOR, "minor": MINOR}

#: Scale degrees from 0, one chord a bar. The tonic comes first and comes back within the loop,
#: so that no relative key can claim the song.
PROGRESSIONS: dict[str, tuple[tuple[int, ...], ...]] = {
    "major": (
        (0, 3, 0, 4),
        (0, 3, 4, 0),
        (0, 4, 0, 3),
        (0, 4, 3, 0),
        (0, 5, 3, 4),
        (0, 4, 5, 3),
        (0, 3, 1, 4),
        (0, 0, 3, 4),
    ),
    "minor": (
        (0, 3, 0, 4),
        (0, 3, 4, 0),
        (0, 5, 0, 4),
        (0, 6, 0, 3),
        (0, 4, 3, 0),
        (0, 5, 3, 4),
        (0, 4, 0, 5),
        (0, 0, 3, 4),
    ),
}

#: Chords lie here: high enough for their harmonics to stay apart in a mel spectrogram.
LOWEST_CHORD_NOTE = 57
HIGHEST_CHORD_NOTE = 78
CHORD_CENTRE = 66.0


def scale_pitch(key: int, mode: str, degree: int, base: int = 60) -> int:
    """The pitch `degree` scale steps over the tonic (negative: under it) nearest over `base`."""
    octave, step = divmod(degree, 7)
    return base + key + 12 * octave + SCALES[mode][step]


def chord_degrees(root: int, *, seventh: bool = False) -> tuple[int, ...]:
    """Scale degrees 0..6 of the triad, or chord of four, on the degree `root`."""
    return tuple((root + third) % 7 for third in ((0, 2, 4, 6) if seventh else (0, 2, 4)))


def chord_classes(key: int, mode: str, root: int, *, seventh: bool = False) -> tuple[int, ...]:
    """Pitch classes 0..11 of a chord."""
    scale = SCALES[mode]
    return tuple((key + scale[d]) % 12 for d in chord_degrees(root, seventh=seventh))


def voicings(classes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Every close position of a chord within the chords' range, each from low to high."""
    span = range(LOWEST_CHORD_NOTE, HIGHEST_CHORD_NOTE + 1)
    choices = [[pitch for pitch in span if pitch % 12 == c] for c in classes]
    chords = {tuple(sorted(notes)) for notes in product(*choices)}
    return sorted(chord for chord in chords if chord[-1] - chord[0] < 12)


def lead_voices(chords: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """One voicing for each chord (pitch classes), each as near to the one before as can be."""
    led: list[tuple[int, ...]] = []
    for classes in chords:
        before = led[-1] if led else None
        led.append(min(voicings(classes), key=lambda v: (_movement(before, v), v)))
    return led


def _movement(before: tuple[int, ...] | None, after: tuple[int, ...]) -> float:
    """Semitones that the voices move, and a pull to the middle against slow drift."""
    centre = sum(after) / len(after)
    pull = abs(centre - CHORD_CENTRE)
    if before is None:
        return pull
    moves = [min(abs(note - other) for other in before) for note in after]
    return float(sum(moves)) + 0.4 * pull


def bass_pitch(key: int, mode: str, degree: int) -> int:
    """A bass note, C2 to B2 at degree 0..6 over the chord's root: 65 to 123 Hz."""
    pitch_class = (key + SCALES[mode][degree % 7]) % 12
    return 36 + pitch_class
