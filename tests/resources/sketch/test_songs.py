"""A seed's song, and the split between what is trained on and what is not."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from resources.sketch.recipe.instruments import TIMBRES
from resources.sketch.recipe.songs import (
    MAX_TEMPO,
    MIN_TEMPO,
    draw_song,
    held_out_song,
    is_held_out,
    tempo_near,
    training_song,
)
from resources.sketch.recipe.styles import STYLES

SONGS = [draw_song(seed) for seed in range(4000)]


def test_a_seed_is_one_song() -> None:
    assert [draw_song(seed) for seed in range(50)] == SONGS[:50]
    assert len({dataclasses.replace(song, seed=0) for song in SONGS[:50]}) == 50


def test_draws_do_not_change_between_versions() -> None:
    # Weights are trained on these songs, and the split is only a split if it stays.
    song = draw_song(0)
    assert (song.style, song.tempo, song.key_name) == ("funk", tempo_near(123, 4), "A minor")
    assert [seed for seed in range(120) if is_held_out(SONGS[seed])] == [24, 33, 62, 74, 104, 117]


def test_everything_is_drawn_somewhere() -> None:
    assert {song.style for song in SONGS} == set(STYLES)
    assert {(song.key, song.mode) for song in SONGS} == {
        (key, mode) for key in range(12) for mode in ("major", "minor")
    }
    assert {(song.tempo, song.plan.beats) for song in SONGS if song.plan.beats == 4} == {
        (tempo_near(tempo, 4), 4) for tempo in range(MIN_TEMPO, MAX_TEMPO + 1)
    }
    assert {name for song in SONGS for name in song.instruments} == set(TIMBRES)
    assert {song.brightness for song in SONGS} == {"bright", "neutral", "warm"}
    assert {song.energy for song in SONGS} == {"calm", "medium", "lively"}
    assert {song.has_drums for song in SONGS} == {True, False}
    assert {song.swing > 0 for song in SONGS} == {True, False}


def test_bars_are_whole_latent_frames() -> None:
    for song in SONGS:
        bar_seconds = song.plan.beats * 60.0 / song.tempo
        frames = bar_seconds * 44_100 / 4_096
        assert song.bar_frames == pytest.approx(frames)
        assert 2 * frames == pytest.approx(round(2 * frames))
        assert frames == pytest.approx(round(frames)) or frames < 15


@pytest.mark.parametrize("beats", [3, 4])
def test_no_tempo_is_far_from_one_that_songs_keep_to(beats: int) -> None:
    for asked in range(MIN_TEMPO, MAX_TEMPO + 1):
        tempo = tempo_near(asked, beats)
        assert abs(tempo / asked - 1) < 0.032
        assert tempo_near(round(tempo), beats) == tempo


def test_about_three_in_a_hundred_are_held_out() -> None:
    share = sum(map(is_held_out, SONGS)) / len(SONGS)
    assert 0.015 < share < 0.045


def test_the_split_is_over_style_key_mode_and_tempo() -> None:
    held = next(song for song in SONGS if is_held_out(song))
    others = [
        dataclasses.replace(held, seed=held.seed + n, brightness=brightness, has_drums=drums)
        for n, (brightness, drums) in enumerate((("warm", True), ("bright", False)))
    ]
    bucket = range(round(held.tempo) // 10 * 10, round(held.tempo) // 10 * 10 + 10)
    others += [dataclasses.replace(held, tempo=tempo) for tempo in bucket]
    assert all(is_held_out(other) for other in others)


@pytest.mark.parametrize("held_out", [True, False])
def test_each_side_draws_from_its_side(held_out: bool) -> None:
    draw = held_out_song if held_out else training_song
    songs = [draw(seed) for seed in range(40)]
    assert all(is_held_out(song) is held_out for song in songs)
    assert len(set(songs)) == len(songs)
    assert songs == [draw(seed) for seed in range(40)]


def test_no_style_or_key_is_rare() -> None:
    styles = Counter(song.style for song in SONGS)
    keys = Counter(song.key for song in SONGS)
    assert min(styles.values()) > len(SONGS) / len(STYLES) / 1.5
    assert min(keys.values()) > len(SONGS) / 12 / 1.5
