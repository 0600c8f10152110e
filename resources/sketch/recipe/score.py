"""From a song to its notes: form, chords, bass. (Melody and drums have files of their own.)

Time is counted in sixteenths from the start; `Clock` turns it into seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, cycle

from resources.sketch.recipe.harmony import bass_pitch, chord_classes, lead_voices
from resources.sketch.recipe.songs import Song
from resources.sketch.recipe.styles import STEPS_PER_BEAT

#: The sections after the intro, over and over, and whether each is said again. A section of
#: four bars ends open the first time and on the tonic the second.
_FORM = (("verse", 0), ("verse", 1), ("chorus", 0), ("chorus", 1), ("break", 0))


@dataclass(frozen=True)
class Note:
    """A note of a part. start, length: sixteenths. pan: -1 left to 1 right."""

    timbre: str
    pitch: int
    start: float
    length: float
    velocity: float
    pan: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where a bar is in the form. repeat: 0 the first time a section comes, 1 the second."""

    section: str
    repeat: int
    within: int
    length: int

    @property
    def is_last(self) -> bool:
        """Whether the section ends with this bar."""
        return self.within == self.length - 1

    @property
    def is_close(self) -> bool:
        """Whether the harmony comes home here."""
        return self.is_last and self.repeat == 1


@dataclass(frozen=True)
class Bar:
    """One bar. index: from the start; chord: scale degree of its root from 0."""

    index: int
    place: Place
    chord: int
    voicing: tuple[int, ...]


@dataclass(frozen=True)
class Clock:
    """Sixteenths to seconds, late off-beat eighths included."""

    tempo: float
    swing: float

    def seconds(self, step: float) -> float:
        """The time of a step counted from the start."""
        beat, within = divmod(step, STEPS_PER_BEAT)
        half = STEPS_PER_BEAT / 2
        middle = half + self.swing
        if within < half:
            warped = within * middle / half
        else:
            warped = middle + (within - half) * (STEPS_PER_BEAT - middle) / half
        return (beat + warped / STEPS_PER_BEAT) * 60.0 / self.tempo


def intro_bars(song: Song) -> int:
    """Bars before the melody: one, or two where bars are short."""
    return 2 if song.tempo * 4 / song.plan.beats >= 125 else 1


def form(song: Song, seconds: float) -> list[Bar]:
    """The bars that begin within `seconds`, each with its section and chord."""
    bar_seconds = song.plan.beats * 60.0 / song.tempo
    count = int(seconds / bar_seconds) + 1
    places = _places(song, count)
    voiced = _voicings(song)
    bars = []
    for index, place in enumerate(places):
        at = place.within % len(song.progression)
        if place.is_close:
            at = song.progression.index(0)
        bars.append(Bar(index, place, song.progression[at], voiced[at]))
    return bars


def _places(song: Song, count: int) -> list[Place]:
    """Where in the form each of the first `count` bars is."""
    places: list[Place] = []
    sections = chain([("intro", 0)], cycle(_FORM))
    while len(places) < count:
        name, repeat = next(sections)
        length = {"intro": intro_bars(song), "break": 2}.get(name, 4)
        places += [Place(name, repeat, bar, length) for bar in range(length)]
    return places[:count]


def _voicings(song: Song) -> list[tuple[int, ...]]:
    """One voicing per chord of the progression; a chord of four never on the tonic."""
    return lead_voices(
        [
            chord_classes(song.key, song.mode, root, seventh=song.plan.seventh and root != 0)
            for root in song.progression
        ]
    )


def held_length(pattern: str, step: int) -> int:
    """Sixteenths that the note which begins at `step` is held: itself and the "_" after it."""
    end = step + 1
    while end < len(pattern) and pattern[end] == "_":
        end += 1
    return end - step


def chord_part(song: Song, bars: list[Bar]) -> list[Note]:
    """The chords: struck together, or note by note in eighths."""
    pattern = song.plan.comping[song.comping]
    notes = []
    for bar in bars:
        start = bar.index * song.plan.steps
        if song.arpeggio:
            notes += _arpeggio(song, bar, start)
            continue
        # The first beat always sounds: it is where the listener finds the bar.
        played = pattern if pattern[0] == "x" or bar.index else "x" + pattern[1:]
        for step, mark in enumerate(played):
            if mark not in "xo":
                continue
            # A chord that is not held is short but not dry.
            length = max(float(held_length(played, step)), 1.5)
            velocity = (0.9 if step == 0 else 0.75) * (1.0 if mark == "x" else 0.6)
            notes += [
                Note(song.chords, pitch, start + step, length, velocity, _spread(voice))
                for voice, pitch in enumerate(bar.voicing)
            ]
    return notes


def _arpeggio(song: Song, bar: Bar, start: int) -> list[Note]:
    """Eighths up and down the chord, the root's octave on top; quarters in a calm song."""
    stride = 4 if song.energy == "calm" and song.tempo >= 80 else 2
    tones = (*bar.voicing, bar.voicing[0] + 12)
    order = (*tones, *tones[-2:0:-1])
    notes = []
    for number, step in enumerate(range(0, song.plan.steps, stride)):
        velocity = 0.95 if step % STEPS_PER_BEAT == 0 else 0.6
        pan = 0.4 if number % 2 else -0.4
        pitch = order[number % len(order)]
        notes.append(Note(song.chords, pitch, start + step, stride + 0.5, velocity, pan))
    # Under them the chord itself, softly, once a bar.
    notes += [
        Note(song.chords, pitch, start, song.plan.steps, 0.4, _spread(voice))
        for voice, pitch in enumerate(bar.voicing)
    ]
    return notes


def _spread(voice: int) -> float:
    """Where a voice of a chord stands, from low on the left to high on the right."""
    return (-0.45, 0.0, 0.45, 0.2)[voice % 4]


def bass_part(song: Song, bars: list[Bar]) -> list[Note]:
    """The bass, on the chord's root at every bar's first note."""
    pattern = song.plan.bass_lines[song.bass_line]
    notes = []
    for bar in bars:
        held = bar.index == 0 and pattern[0] == "-"
        played = "1" + pattern[1:] if held else pattern
        for step, mark in enumerate(played):
            if not mark.isdigit():
                continue
            root = bass_pitch(song.key, song.mode, bar.chord)
            pitch = bass_pitch(song.key, song.mode, bar.chord + int(mark) - 1)
            if mark == "8" or pitch < root:
                pitch += 12
            length = max(float(held_length(played, step)), 1.6)
            velocity = 0.95 if step % STEPS_PER_BEAT == 0 else 0.8
            notes.append(
                Note(song.bass, pitch, bar.index * song.plan.steps + step, length, velocity)
            )
    return notes
