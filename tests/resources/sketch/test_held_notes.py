"""What says whether a vocoder keeps pitch."""

from __future__ import annotations

import numpy as np

from resources.sketch.recipe.held_notes import HOP, PITCHES, held_notes, in_tune


def test_a_note_is_on_its_own_pitch_and_a_semitone_off_is_not() -> None:
    notes = {note.pitch: note for note in held_notes(["organ", "bell"]) if note.timbre == "organ"}
    assert tuple(notes) == PITCHES
    note = notes[57]
    assert note.on_pitch(note.sound) > 0.99
    # Played a semitone faster.
    places = np.arange(note.sound.size) * 2 ** (1 / 12)
    sharp = np.interp(places, np.arange(note.sound.size), note.sound).astype(np.float32)
    assert note.on_pitch(sharp) < 0.01
    assert note.on_pitch(np.zeros_like(note.sound)) == 0.0


def test_a_wave_that_repeats_every_frame_is_out_of_tune() -> None:
    """What a convolution makes of a mel that does not change."""

    def repeat(sound: np.ndarray) -> np.ndarray:
        return np.tile(sound[40 * HOP : 41 * HOP], 172)

    pitches = PITCHES[::2]
    kept = in_tune(lambda sound: sound, pitches=pitches)
    lost = in_tune(repeat, pitches=pitches)
    assert min(kept.values()) > 0.95
    assert max(lost.values()) < 0.4


def test_notes_begin_where_they_are_asked_to() -> None:
    note = next(held_notes(["piano"], start=1000, pitches=[60]))
    assert note.pitch == 60
    assert not note.sound[:1000].any()
    assert np.abs(note.sound[1000:1100]).max() > 0.0
