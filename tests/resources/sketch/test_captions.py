"""What is said of a song is true, and said in many ways."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from resources.sketch.recipe import words
from resources.sketch.recipe.captions import caption, full_caption, speed_of
from resources.sketch.recipe.instruments import TIMBRES
from resources.sketch.recipe.songs import draw_song, tempo_near
from resources.sketch.recipe.styles import STYLES

CASES = [(draw_song(seed), caption(draw_song(seed), seed)) for seed in range(3000)]
SONGS = [song for song, _ in CASES]


def says(text: str, *phrases: str) -> bool:
    return any(re.search(rf"(?<![\w#]){re.escape(p)}(?![\w#])", text, re.I) for p in phrases)


def test_a_seed_is_one_wording() -> None:
    assert [caption(song, seed) for seed, song in enumerate(SONGS[:50])] == [
        t for _, t in CASES[:50]
    ]


def test_one_song_is_described_in_many_ways() -> None:
    assert len({caption(SONGS[0], seed) for seed in range(100)}) > 85


def test_there_are_words_for_everything() -> None:
    assert set(words.GENRES) == set(STYLES)
    assert set(words.INSTRUMENTS) == set(TIMBRES)
    assert len(words.KEYS) == 12


def test_captions_are_short_clean_lines() -> None:
    for _, text in CASES:
        assert 0 < len(text) < 250
        assert text == text.strip()
        assert "  " not in text
        assert "\n" not in text
        assert ", ," not in text
        assert not text.startswith(",")


def test_all_that_is_said_is_true() -> None:
    for song, text in CASES:
        for number in re.findall(r"(?:tempo )?(\d+) ?(?:bpm|beats per minute)", text, re.I):
            # Every tempo leads to the nearest one that songs keep to.
            assert tempo_near(int(number), song.plan.beats) == song.tempo
        if says(text, *words.NO_DRUMS):
            assert not song.has_drums, text
        elif says(text, "drums", "drum kit", "drum beat"):
            assert song.has_drums, text
        if says(text, *(b for b in words.BRIGHTNESS["bright"])):
            assert song.brightness == "bright", text
        if says(text, "warm", "mellow", "dark"):
            assert song.brightness == "warm", text
        if says(text, "fast", "uptempo"):
            assert speed_of(song) == "fast", text
        if says(text, "slow", "downtempo"):
            assert speed_of(song) == "slow", text


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_keys_are_named_by_one_of_their_names(mode: str) -> None:
    for song, text in CASES:
        names = words.KEYS[song.key]
        if says(text, mode):
            assert song.mode == mode, text
            assert says(text, *(f"{name} {mode}" for name in names)), text


def test_parts_are_left_out_and_told() -> None:
    told = Counter[str]()
    for song, text in CASES:
        told["tempo"] += bool(re.search(r"\d\d", text))
        told["key"] += says(text, "major", "minor")
        told["genre"] += says(text, *words.GENRES[song.style])
        told["no drums"] += says(text, *words.NO_DRUMS)
        told["lower"] += text == text.lower()
        told["brief"] += len(text.split()) <= 2
    count = len(CASES)
    assert 0.4 < told["tempo"] / count < 0.8
    assert 0.3 < told["key"] / count < 0.7
    assert 0.6 < told["genre"] / count < 0.95
    assert 0.1 < told["no drums"] / count < 0.4
    assert 0.3 < told["lower"] / count < 0.9
    assert 0.02 < told["brief"] / count < 0.2


def test_the_full_caption_names_everything() -> None:
    for song in SONGS[:200]:
        text = full_caption(song)
        assert text.startswith(song.style)
        assert f"{round(song.tempo)} bpm" in text
        assert text.endswith("no drums") is not song.has_drums
        assert f"{words.KEYS[song.key][0]} {song.mode}" in text
        assert (song.brightness in text) is (song.brightness != "neutral")
        assert (speed_of(song) in text.split(", ")) is (speed_of(song) != "medium")


def test_words_are_not_shared_by_opposites() -> None:
    for table in (words.BRIGHTNESS, words.ENERGIES, words.MOODS, words.SPEEDS):
        every = [word for choices in table.values() for word in choices]
        assert len(set(every)) == len(every)
