"""The melody: two motifs of a bar, said again with small changes over the chords.

Strong beats carry a tone of the chord. Each phrase is four bars: the motif, the motif, an
answer, and a long note that rests on the tonic's chord where the harmony allows it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from resources.sketch.recipe.harmony import chord_degrees, scale_pitch
from resources.sketch.recipe.score import Bar, Note, held_length
from resources.sketch.recipe.songs import FAST_TEMPO, Song
from resources.sketch.recipe.styles import STEPS_PER_BEAT

#: In MIDI pitches. Melodies lie over the chords, where a mel spectrogram is sharp.
LOWEST_NOTE = 67


@dataclass(frozen=True)
class Motif:
    """One bar: a rhythm (see `styles`) and, per note, the scale steps from the one before."""

    rhythm: str
    moves: tuple[int, ...]


def melody_part(song: Song, bars: list[Bar]) -> list[Note]:
    """The melody of all bars that have one."""
    draw = song.random("melody")
    motifs = {name: _draw_motif(song, draw) for name in ("verse", "chorus")}
    answers = {(name, r): _draw_motif(song, draw) for name in motifs for r in (0, 1)}
    lowest = _lowest_degree(song)
    start = {"verse": lowest + 4, "chorus": lowest + 6}
    notes: list[Note] = []
    degree = lowest
    for bar in bars:
        place = bar.place
        if place.section not in motifs:
            continue
        motif = motifs[place.section]
        if place.within == 0:
            # A phrase starts where it started before.
            degree = _nearest(start[place.section], (0, 2, 4), lowest)
        elif place.within == 2:
            motif = answers[place.section, place.repeat]
        elif place.is_last:
            motif = Motif(_closing(motif.rhythm), motif.moves)
        degree, played = _play(song, bar, motif, degree, lowest)
        notes += played
    return notes


def _draw_motif(song: Song, draw: random.Random) -> Motif:
    rhythm = draw.choice(song.plan.melodies)
    if song.energy == "calm" and song.tempo < FAST_TEMPO:
        rhythm = _thinned(rhythm)
    moves = [draw.choice((-2, -1, -1, 0, 1, 1, 2)) for _ in range(rhythm.count("x"))]
    return Motif(rhythm, tuple(moves))


def _thinned(rhythm: str) -> str:
    """The same rhythm with notes off the beat drawn into those before them."""
    return "".join(
        "_" if mark == "x" and step % STEPS_PER_BEAT else mark for step, mark in enumerate(rhythm)
    )


def _closing(rhythm: str) -> str:
    """The rhythm of a phrase's last bar: its first half, then one long note."""
    half = len(rhythm) // 2
    return rhythm[:half] + "x" + "_" * (len(rhythm) - half - 2) + "-"


def _play(song: Song, bar: Bar, motif: Motif, degree: int, lowest: int) -> tuple[int, list[Note]]:
    """The notes of one bar, and the scale degree that the melody has got to."""
    notes = []
    tones = chord_degrees(bar.chord)
    start = bar.index * song.plan.steps
    onsets = [step for step, mark in enumerate(motif.rhythm) if mark == "x"]
    for number, step in enumerate(onsets):
        move = motif.moves[number] if number < len(motif.moves) else -1
        degree = _within(degree + move, lowest)
        is_final = bar.place.is_last and step == onsets[-1]
        if is_final and bar.place.is_close:
            degree = _nearest(degree, (0,), lowest)
        elif is_final or number == 0 or step % (2 * STEPS_PER_BEAT) == 0:
            degree = _nearest(degree, tones, lowest)
        pitch = scale_pitch(song.key, song.mode, degree)
        velocity = 1.0 if step % STEPS_PER_BEAT == 0 else 0.8
        length = float(held_length(motif.rhythm, step))
        notes.append(Note(song.lead, pitch, start + step, length, velocity, 0.1))
    return degree, notes


def _lowest_degree(song: Song) -> int:
    """The lowest scale degree, counted from the tonic in octave 4, that is in range."""
    degree = 0
    while scale_pitch(song.key, song.mode, degree) < LOWEST_NOTE:
        degree += 1
    while scale_pitch(song.key, song.mode, degree - 1) >= LOWEST_NOTE:
        degree -= 1
    return degree


def _within(degree: int, lowest: int) -> int:
    """The degree turned back into the range of eleven scale steps."""
    highest = lowest + 10
    if degree < lowest:
        return 2 * lowest - degree
    if degree > highest:
        return 2 * highest - degree
    return degree


def _nearest(degree: int, steps: tuple[int, ...], lowest: int) -> int:
    """The degree in range nearest to `degree` whose step of the scale is one of `steps`."""
    candidates = range(lowest, lowest + 14)
    return min((c for c in candidates if c % 7 in steps), key=lambda c: (abs(c - degree), c))
