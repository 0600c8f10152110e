from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlx_music import GenerationRequest
from mlx_music_app.library.naming import (
    FALLBACK,
    MAX_TITLE,
    ascii_title,
    parse_stem,
    region_text,
    suggest_title,
    take_stem,
    tempo_of,
)


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("Night drive", "Night drive"),
        ("Ørsted’s Café", "Orsted's Cafe"),
        ("Ночь", "Noch"),
        ("夜", "ye"),
        ("안녕", "annyeong"),
        ("ピアノ", "piano"),
        ("AC/DC: live?", "AC DC live"),
        ("..", FALLBACK),
        ("🎵", FALLBACK),
        ("a" * 300, "a" * MAX_TITLE),
        ("word " * 60, ("word " * 16).strip()),
    ],
)
def test_a_title_becomes_plain_letters(title: str, plain: str) -> None:
    assert ascii_title(title) == plain


@given(st.text(max_size=200), st.integers(1, 999_999))
def test_any_title_makes_a_name_that_every_system_takes_and_that_can_be_read_back(
    title: str, number: int
) -> None:
    stem = take_stem(title, "drums, 87 bpm", number)
    assert stem.isascii()
    assert stem.isprintable()
    assert not set(stem) & set('/\\<>:"|?*#%')
    assert stem.strip(" .") == stem
    assert len(stem) < 120
    name = parse_stem(stem)
    assert name is not None
    assert (name.title, name.number, name.tempo) == (ascii_title(title), number, 87)


@pytest.mark.parametrize(
    ("prompt", "tempo"),
    [
        ("folk, 120 bpm", 120),
        ("112.5 BPM funk", 112),
        ("bpm: 87, soul", 87),
        ("120bpm, steady 120 bpm", 120),
        ("90-100 bpm", None),
        ("90 bpm verse, 120 bpm chorus", None),
        ("808 drums", None),
        ("999 bpm", None),
        ("", None),
    ],
)
def test_the_tempo_is_what_the_prompt_says(prompt: str, tempo: int | None) -> None:
    assert tempo_of(prompt) == tempo


def test_without_a_tempo_the_name_has_none() -> None:
    assert take_stem("Night", "folk", 3) == "Night - take 3"
    assert parse_stem("Night") is None
    assert parse_stem("Night - take x") is None


def test_regions_in_names() -> None:
    assert region_text((12, 20)) == "0m12.00-0m20.00"
    assert region_text((59.999, 3600)) == "1m00.00-60m00.00"


def test_music_without_a_title_is_named_after_its_prompt() -> None:
    assert suggest_title(GenerationRequest(prompt="lo-fi hip hop, 80 bpm")) == "Lo-fi hip hop"
    assert suggest_title(GenerationRequest(prompt=" ")) == FALLBACK
