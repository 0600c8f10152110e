"""Numbers that num2words has no words for, and long ones."""

from __future__ import annotations

import decimal
import time

import pytest

from mlx_music.text.languages import LANGUAGES
from mlx_music.text.numbers import spell_numbers

SPELLED = [language for language in LANGUAGES if language not in ("zh", "ja", "hi")]


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("cs", "100 nocí"),  # Czech is asked for by a name that num2words does not know
        ("en", f"{'9' * 4301} and 5"),  # Python converts no longer ones
        ("en", f"{'9' * 400} and 5"),  # num2words ends at 10**306
        ("hu", "3,14159 és 5"),  # Hungarian has names for few decimal places
        ("hu", "12345678901234567890,5"),  # num2words calls itself without end
    ],
)
def test_one_unspeakable_number_leaves_all_as_figures(language: str, line: str) -> None:
    assert spell_numbers(line, language) == line


@pytest.mark.parametrize(
    ("language", "line", "spelled"),
    [
        # Two points: dollars are given up, and the euros after them; the figures are still said.
        ("en", "£1 $1.2.3 5€", "one pound sterling $one point two.three five€"),
        ("en", "$1.50 5€", "one dollar, fifty cents five euro"),
        ("tr", "$5 5€", "$beş beş€"),  # Turkish money is beyond num2words
    ],
)
def test_unspeakable_money_is_left_to_be_plain_numbers(
    language: str, line: str, spelled: str
) -> None:
    assert spell_numbers(line, language) == spelled


@pytest.mark.parametrize("language", SPELLED)
@pytest.mark.parametrize("line", ["7" * 4000, "7" * 300, "1." * 500, "$" + "1," * 500, "1 " * 500])
def test_time_does_not_grow_with_the_cube(language: str, line: str) -> None:
    spell_numbers("1", language)
    start = time.perf_counter()
    spell_numbers(line, language)
    assert time.perf_counter() - start < 3.0


def test_the_precision_of_decimals_is_left_alone() -> None:
    before = decimal.getcontext().prec
    assert spell_numbers("1" * 40, "ar") != "1" * 40
    assert decimal.getcontext().prec == before
