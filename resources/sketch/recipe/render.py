"""A song to sound: notes are made once each, laid into their parts, and the parts are mixed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from resources.sketch.recipe import mastering
from resources.sketch.recipe.drums import LEVELS, PANS, draw_kit, drum_part
from resources.sketch.recipe.instruments import tone
from resources.sketch.recipe.melody import melody_part
from resources.sketch.recipe.score import Bar, Clock, Note, bass_part, chord_part, form
from resources.sketch.recipe.songs import Song
from resources.sketch.recipe.styles import STEPS_PER_BEAT

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 44_100

#: How loud each part is beside the others, and its share into the room.
_MIX = {"chords": (0.10, 0.5), "melody": (0.145, 0.5), "bass": (0.125, 0.0), "drums": (0.18, 0.15)}

#: How far parts are brought to one level, in decibels per decibel. Wholly would make a sparse
#: part, or a soft groove, too loud.
_EVENNESS = 0.7

_LOUDNESS = {"calm": -17.5, "medium": -16.0, "lively": -15.0}

#: How deep a beat presses the chords down where a style pumps, and how fast they come back.
_PUMP_DEPTH = 0.6
_PUMP_SECONDS = 0.12


def render(song: Song, seconds: float) -> FloatArray:
    """The first `seconds` of a song: float32 (2, n) at 44,100 Hz, within -0.97 to 0.97."""
    samples = round(seconds * SAMPLE_RATE)
    bars = form(song, seconds)
    clock = Clock(song.tempo, song.swing)
    dry = np.zeros((2, samples), dtype=np.float32)
    wet = np.zeros(samples, dtype=np.float32)
    for part, sound in (
        ("chords", _pumped(song, _tonal(song, chord_part(song, bars), clock, samples))),
        ("melody", _tonal(song, melody_part(song, bars), clock, samples)),
        ("bass", _tonal(song, _bass(song, bars), clock, samples)),
        ("drums", _drums(song, bars, clock, samples)),
    ):
        level, send = _MIX[part]
        sound *= np.float32(level * _evening(sound))
        dry += sound
        if send:
            wet += (0.5 * send) * (sound[0] + sound[1])
    finished = mastering.master(
        dry,
        wet,
        brightness=song.brightness,
        room_seconds=song.plan.room,
        loudness=_LOUDNESS[song.energy],
    )
    return _faded_out(finished)


def _evening(part: FloatArray) -> float:
    """The gain that evens a part out, from those tenths of a second in which it sounds."""
    block = SAMPLE_RATE // 10
    blocks = part[:, : part.shape[1] // block * block].reshape(2, -1, block)
    power = np.einsum("cbs,cbs->b", blocks, blocks) / block
    heard = power[power > 0.05 * power.max(initial=0.0)]
    return float(heard.mean()) ** (-_EVENNESS / 2) if heard.size else 1.0


def _bass(song: Song, bars: list[Bar]) -> list[Note]:
    """The bass, which half of the songs keep out of the intro."""
    starts_with_chord = song.arpeggio or song.plan.comping[song.comping][0] == "x"
    is_late = starts_with_chord and song.random("intro").random() < 0.5
    heard = [bar for bar in bars if not (is_late and bar.place.section == "intro")]
    return bass_part(song, heard)


def _tonal(song: Song, notes: list[Note], clock: Clock, samples: int) -> FloatArray:
    """Notes laid into a part (2, samples). Equal notes are made once."""
    part = np.zeros((2, samples), dtype=np.float32)
    made: dict[tuple[str, int, float], FloatArray] = {}
    for note in notes:
        start = round(clock.seconds(note.start) * SAMPLE_RATE)
        if start >= samples:
            continue
        # Not from the start's place in the swing, so that equal lengths sound equally long.
        length = note.length * 60.0 / (STEPS_PER_BEAT * song.tempo) * 0.97
        key = (note.timbre, note.pitch, length)
        if key not in made:
            made[key] = tone(note.timbre, note.pitch, length, song.brightness)
        _lay(part, made[key], start, note.velocity, note.pan)
    return part


def _drums(song: Song, bars: list[Bar], clock: Clock, samples: int) -> FloatArray:
    part = np.zeros((2, samples), dtype=np.float32)
    hits = drum_part(song, bars)
    kit = draw_kit(song) if hits else {}
    for kind, step, velocity in hits:
        start = round(clock.seconds(step) * SAMPLE_RATE)
        if start < samples:
            _lay(part, kit[kind], start, velocity * LEVELS[kind], PANS[kind])
    return part


def _lay(part: FloatArray, sound: FloatArray, start: int, level: float, pan: float) -> None:
    """Add a mono sound to a part, at equal power between the sides."""
    end = min(start + sound.size, part.shape[1])
    angle = (pan + 1.0) * np.pi / 4.0
    piece = sound[: end - start]
    part[0, start:end] += np.float32(level * np.cos(angle)) * piece
    part[1, start:end] += np.float32(level * np.sin(angle)) * piece


def _pumped(song: Song, part: FloatArray) -> FloatArray:
    """The part pressed down by every beat, as a compressor on the kick would."""
    if not (song.plan.pump and song.has_drums):
        return part
    beat = 60.0 / song.tempo
    time = np.arange(part.shape[1], dtype=np.float32) / SAMPLE_RATE
    since = np.mod(time, np.float32(beat))
    part *= 1.0 - _PUMP_DEPTH * np.exp(-since / _PUMP_SECONDS)
    return part


def _faded_out(sound: FloatArray) -> FloatArray:
    """The sound with its last 10 ms faded, so that a cut does not click."""
    fade = min(SAMPLE_RATE // 100, sound.shape[1])
    sound[:, sound.shape[1] - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return sound
