"""Rendered music: its level, length and sameness, and that one hears what the song says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from resources.sketch.recipe.mastering import PEAK, _loudness_weights
from resources.sketch.recipe.render import SAMPLE_RATE, FloatArray, render
from resources.sketch.recipe.songs import Song, draw_song
from resources.sketch.recipe.styles import STYLES

SECONDS = 6.0


def first_of(style: str) -> Song:
    return next(song for seed in range(1000) if (song := draw_song(seed)).style == style)


@pytest.fixture(scope="module")
def clips() -> dict[str, FloatArray]:
    return {style: render(first_of(style), SECONDS) for style in STYLES}


def loudness(audio: FloatArray) -> float:
    """LUFS without gates."""
    size = audio.shape[1]
    spectrum = np.abs(np.fft.rfft(audio)) ** 2
    energy = 2.0 * np.sum(spectrum * _loudness_weights(size)) / size**2
    return float(-0.691 + 10.0 * np.log10(energy))


def centroid(audio: FloatArray) -> float:
    magnitude = np.abs(np.fft.rfft(audio.mean(axis=0)))
    return float(
        np.sum(np.fft.rfftfreq(audio.shape[1], 1 / SAMPLE_RATE) * magnitude) / magnitude.sum()
    )


@pytest.mark.parametrize("style", STYLES)
def test_a_clip_is_as_it_should_be(clips: dict[str, FloatArray], style: str) -> None:
    clip = clips[style]
    assert clip.dtype == np.float32
    assert clip.shape == (2, round(SECONDS * SAMPLE_RATE))
    assert np.isfinite(clip).all()
    assert np.abs(clip).max() <= PEAK
    assert -20.0 < loudness(clip) < -12.0
    # It begins at once, and both sides have something of their own to play.
    assert np.abs(clip[:, : SAMPLE_RATE // 20]).max() > 0.03
    assert 0.02 < np.std(clip[0] - clip[1]) / np.std(clip) < 1.2


@pytest.mark.parametrize("style", STYLES)
def test_there_is_no_silence(clips: dict[str, FloatArray], style: str) -> None:
    tenths = clips[style].reshape(2, -1, SAMPLE_RATE // 10)
    is_silent = np.sqrt(np.mean(tenths**2, axis=(0, 2))) < 1e-3
    runs = "".join(".#"[int(s)] for s in is_silent).split(".")
    assert max(map(len, runs)) < 8


def test_the_same_song_is_the_same_sound() -> None:
    song = draw_song(3)
    assert np.array_equal(render(song, 2.0), render(song, 2.0))
    assert not np.array_equal(render(song, 2.0), render(draw_song(4), 2.0))


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.21])
def test_lengths(seconds: float) -> None:
    assert render(draw_song(5), seconds).shape == (2, round(seconds * SAMPLE_RATE))


def test_a_longer_clip_goes_on_from_the_shorter() -> None:
    song = first_of("techno")
    short, long = render(song, 4.0), render(song, 6.0)[:, : 4 * SAMPLE_RATE]
    keep = slice(0, 3 * SAMPLE_RATE)
    assert np.corrcoef(short[0, keep], long[0, keep])[0, 1] > 0.98


@pytest.mark.parametrize("style", ["house", "ballad", "chiptune", "ambient", "folk"])
def test_bright_is_brighter_than_warm(style: str) -> None:
    song = first_of(style)
    bright, warm = (
        centroid(render(dataclasses.replace(song, brightness=name), 4.0))
        for name in ("bright", "warm")
    )
    assert bright > 1.6 * warm


def test_drums_are_heard_only_where_there_are_some() -> None:
    song = dataclasses.replace(first_of("rock"), brightness="warm", arpeggio=False)
    with_drums, without = (
        render(dataclasses.replace(song, has_drums=has), 4.0) for has in (True, False)
    )
    treble = [np.abs(np.fft.rfft(clip[0]))[4 * 6_000 :].sum() for clip in (with_drums, without)]
    assert treble[0] > 3 * treble[1]


@pytest.mark.parametrize("tempo", [60, 93, 180])
def test_beats_fall_where_the_tempo_says(tempo: int) -> None:
    song = dataclasses.replace(first_of("house"), tempo=tempo, has_drums=True, groove=0)
    mono = np.abs(render(song, 8.0).mean(axis=0))
    # The kick comes in on every beat, within the first hundredth of a second.
    hundredths = mono[: mono.size // 441 * 441].reshape(-1, 441).max(axis=1)
    rises = np.maximum(np.diff(hundredths, prepend=0.0), 0.0)
    beats = np.arange(1, int(8.0 * tempo / 60)) * 60.0 / tempo
    at_beats = [rises[round(100 * beat) - 1 : round(100 * beat) + 2].max() for beat in beats]
    assert np.median(at_beats) > 4 * np.mean(rises)
