"""Cleaning, line by line, as the official tokenizer cleans (its `preprocess_text`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_music.text.cleaning import clean
from mlx_music.text.languages import LANGUAGES
from mlx_music.text.transliteration import UnreadableLine

#: Language -> line -> what the official tokenizer made of it, oddities included.
CLEANED: dict[str, dict[str, str]] = json.loads(
    Path(__file__).with_name("reference_lines.json").read_text(encoding="utf-8")
)["cleaned"]
CASES = [
    (language, line, cleaned)
    for language, lines in CLEANED.items()
    for line, cleaned in lines.items()
]


def test_every_language_has_cases() -> None:
    assert set(CLEANED) == set(LANGUAGES)


@pytest.mark.parametrize(("language", "line", "cleaned"), CASES)
def test_cleaned_as_the_reference_does(language: str, line: str, cleaned: str) -> None:
    assert clean(line, language) == cleaned


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_came_before_does_not_matter(language: str) -> None:
    for line, cleaned in reversed(CLEANED[language].items()):
        clean("1" * 40, "ar")  # num2words answers this by changing the precision of decimals
        assert clean(line, language) == cleaned


@settings(max_examples=60, deadline=None)
@given(line=st.text(max_size=30), language=st.sampled_from(LANGUAGES))
def test_any_text_is_cleaned_or_refused(line: str, language: str) -> None:
    try:
        cleaned = clean(line, language)
    except UnreadableLine:
        assert language == "ja"
    else:
        assert isinstance(cleaned, str)
