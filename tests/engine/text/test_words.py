"""The tables of abbreviations and symbols."""

from __future__ import annotations

import pytest

from mlx_music.text.languages import LANGUAGES
from mlx_music.text.words import SYMBOLS, expand_abbreviations, expand_symbols

SPOKEN = [language for language in LANGUAGES if language not in ("ja", "hi")]


@pytest.mark.parametrize("language", SPOKEN)
def test_every_symbol_has_a_word(language: str) -> None:
    said = expand_symbols(f"a{'|'.join(SYMBOLS)}b", language)
    assert not set(said) & set(SYMBOLS)
    words = said.split("|")
    assert len(set(words)) == len(SYMBOLS)
    assert not any("  " in word for word in words)


@pytest.mark.parametrize(
    ("language", "text", "expanded"),
    [
        ("en", "Drs. MR. dr. ft.", "doctors mister doctor fort"),
        ("en", "first. mrst. dr", "first. mrst. dr"),  # whole words with a stop only
        ("en", "st.co.", "saintco."),  # one after the other: no word begins at "co." any more
        ("ru", "г-жа г-н. д-р", "госпожа господин. доктор"),
        ("nl", "dhr. mevr. jhr.", "de heer mevrouw jonkheer"),
        ("zh", "dr. mr.", "dr. mr."),
        ("ko", "dr. mr.", "dr. mr."),
    ],
)
def test_abbreviations(language: str, text: str, expanded: str) -> None:
    assert expand_abbreviations(text, language) == expanded
