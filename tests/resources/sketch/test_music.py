"""The notes themselves: in the key, over the chords, within the form."""

from __future__ import annotations

from itertools import pairwise

import pytest

from resources.sketch.recipe.harmony import (
    HIGHEST_CHORD_NOTE,
    LOWEST_CHORD_NOTE,
    PROGRESSIONS,
    SCALES,
    chord_classes,
    lead_voices,
)
from resources.sketch.recipe.melody import LOWEST_NOTE, melody_part
from resources.sketch.recipe.score import Clock, bass_part, chord_part, form, intro_bars
from resources.sketch.recipe.songs import Song, draw_song
from resources.sketch.recipe.styles import STYLES

SONGS = [draw_song(seed) for seed in range(80)]


def test_every_note_is_of_the_scale() -> None:
    for song in SONGS:
        bars = form(song, 24.0)
        scale = {(song.key + step) % 12 for step in SCALES[song.mode]}
        for part in (chord_part, bass_part, melody_part):
            assert {note.pitch % 12 for note in part(song, bars)} <= scale


def test_music_starts_on_the_tonic_at_the_first_moment() -> None:
    for song in SONGS:
        bars = form(song, 24.0)
        assert bars[0].chord == 0
        assert min(note.start for note in chord_part(song, bars)) == 0
        bass = bass_part(song, bars)
        assert (bass[0].pitch - song.key) % 12 == 0


def test_bass_notes_at_a_bar_s_start_are_roots() -> None:
    for song in SONGS:
        bars = form(song, 24.0)
        roots = {bar.index * song.plan.steps: bar for bar in bars}
        for note in bass_part(song, bars):
            if (bar := roots.get(int(note.start))) is not None:
                root = (song.key + SCALES[song.mode][bar.chord]) % 12
                assert note.pitch % 12 == root


def test_melodies_have_chord_tones_on_strong_beats() -> None:
    for song in SONGS:
        bars = form(song, 24.0)
        steps = song.plan.steps
        for note in melody_part(song, bars):
            bar = bars[int(note.start) // steps]
            if (note.start - bar.index * steps) % 8 == 0:
                assert note.pitch % 12 in chord_classes(song.key, song.mode, bar.chord)


def test_melodies_are_in_range_and_not_hectic() -> None:
    for song in SONGS:
        notes = melody_part(song, form(song, 24.0))
        assert all(LOWEST_NOTE <= note.pitch <= 90 for note in notes)
        assert all(note.length >= 2 for note in notes)
        gaps = [b.start - a.start for a, b in pairwise(notes)]
        assert all(gap >= 2 for gap in gaps)


def test_a_motif_comes_again() -> None:
    for song in SONGS:
        steps = song.plan.steps
        start = intro_bars(song) * steps
        notes = melody_part(song, form(song, 40.0))
        first, again = (
            [(n.pitch, n.start - at) for n in notes if at <= n.start < at + steps]
            for at in (start, start + 4 * steps)
        )
        assert first == again
        assert first


def test_harmony_comes_home_at_the_end_of_a_repeat() -> None:
    for song in SONGS:
        closes = [bar for bar in form(song, 60.0) if bar.place.is_close]
        assert closes
        assert all(bar.chord == 0 for bar in closes)


def test_intro_has_no_melody() -> None:
    for song in SONGS:
        first = min(note.start for note in melody_part(song, form(song, 24.0)))
        assert first >= intro_bars(song) * song.plan.steps


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_voices_move_little(mode: str) -> None:
    for key in range(12):
        for progression in PROGRESSIONS[mode]:
            assert progression[0] == 0
            voiced = lead_voices([chord_classes(key, mode, root) for root in progression])
            for before, after in pairwise(voiced):
                assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= 5
            assert min(map(min, voiced)) >= LOWEST_CHORD_NOTE
            assert max(map(max, voiced)) <= HIGHEST_CHORD_NOTE


def test_patterns_are_one_bar_long() -> None:
    for style in STYLES.values():
        patterns = [*style.comping, *style.bass_lines, *style.melodies]
        for groove in style.grooves:
            patterns += [p for p in vars(groove).values() if p]
            # Without a sound of the treble nobody would hear that there are drums.
            assert groove.snare or groove.clap or groove.hat or groove.shaker
        assert {len(pattern) for pattern in patterns} == {style.steps}


def test_swing_delays_off_beats_alone() -> None:
    straight, swung = Clock(120, 0.0), Clock(120, 0.5)
    for step in range(0, 32, 4):
        assert swung.seconds(step) == pytest.approx(straight.seconds(step))
        assert swung.seconds(step + 2) == pytest.approx(straight.seconds(step + 2.5))
    times = [swung.seconds(step / 4) for step in range(64)]
    assert times == sorted(times)


def test_a_song_is_its_parameters() -> None:
    song = draw_song(1)
    twin = Song(**vars(song))
    assert melody_part(twin, form(twin, 10.0)) == melody_part(song, form(song, 10.0))
