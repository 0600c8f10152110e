"""Finding a line's language, as the official pipeline finds it (its `get_lang`)."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_music.text.detection import detect

#: Line -> what the official language segmentation says of it.
DETECTED: dict[str, str] = json.loads(
    Path(__file__).with_name("reference_lines.json").read_text(encoding="utf-8")
)["detected"]


@pytest.mark.parametrize(("line", "language"), DETECTED.items())
def test_detected_as_the_reference_does(line: str, language: str) -> None:
    assert detect(line) == language


def test_what_came_before_does_not_matter() -> None:
    assert [detect(line) for line in reversed(DETECTED)] == list(reversed(DETECTED.values()))


def test_nothing_is_chinese() -> None:
    assert detect("") == "zh"


def test_a_forged_mark_does_no_harm() -> None:
    # Taking the inner one out leaves a mark that stands for the very quotation it is in.
    assert detect('"⑥⑥00000000⑥00000000⑥ hello"')


@pytest.mark.parametrize("unit", ["a", "1", "1 ", "(", '"', "<a>", "我，", "a.", "É", "⑥"])
def test_time_does_not_grow_with_the_square(unit: str) -> None:
    detect("warm up")
    start = time.perf_counter()
    detect(unit * (4000 // len(unit)))
    assert time.perf_counter() - start < 3.0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40))
def test_any_text_has_a_language(line: str) -> None:
    assert isinstance(detect(line), str)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="a1我あ사я \"'<>(.,⑥é-zh", max_size=40))
def test_any_mixture_has_a_language(line: str) -> None:
    assert isinstance(detect(line), str)
