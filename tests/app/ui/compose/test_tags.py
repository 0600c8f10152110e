"""The style field: free text, tags in frames, words that complete."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from mlx_music_app.ui.compose import ComposeView
from mlx_music_app.ui.compose.tags import TagField, spans, title_of


@pytest.fixture
def field(qtbot: QtBot) -> TagField:
    made = TagField()
    made.resize(300, 100)
    qtbot.addWidget(made)
    made.show()
    return made


@given(st.text(alphabet="ab ,\n"))
def test_spans_are_what_stands_between_commas(text: str) -> None:
    found = spans(text)
    assert [text[start:end] for start, end, _ in found] == [tag for _, _, tag in found]
    parts = [part.strip() for line in text.split("\n") for part in line.split(",")]
    assert [tag for _, _, tag in found] == [part for part in parts if part]


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("", ""),
        ("folk ballad, warm, slow", "Folk ballad, warm"),
        ("a " * 40, ("A " + "a " * 40)[:48].rstrip()),
        (f"folk, {'x' * 60}", "Folk"),
    ],
)
def test_a_title_comes_from_the_first_tags(prompt: str, title: str) -> None:
    assert title_of(prompt) == title


@pytest.mark.parametrize("text", ["", "warm", "warm,", "warm, ", "a, b , c", "x\ny, z"])
def test_a_word_toggled_twice_leaves_the_tags(field: TagField, text: str) -> None:
    field.set_text(text)
    before = field.tags()
    field.toggle("choir")
    assert field.tags() == [*before, "choir"]
    field.toggle("CHOIR")
    assert field.tags() == before


@pytest.mark.parametrize("tag", ["a", "b", "c"])
def test_any_tag_can_be_taken_out(field: TagField, tag: str) -> None:
    field.set_text("a, b, c")
    field.toggle(tag)
    assert field.text() == ", ".join(other for other in "abc" if other != tag)
    field.undo()
    assert field.text() == "a, b, c"


def test_typing_completes(qtbot: QtBot, field: TagField) -> None:
    qtbot.keyClicks(field, "melanch")
    popup = field._popup
    assert popup.isVisible()
    qtbot.keyClick(field, Qt.Key.Key_Tab)
    assert field.text() == "melancholic, "
    assert not popup.isVisible()
    qtbot.keyClicks(field, "something of my own")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == "melancholic, something of my own, "
    assert "\n" not in field.text()


def test_the_arrows_choose_a_completion(qtbot: QtBot, field: TagField) -> None:
    qtbot.keyClicks(field, "warm, bossa")
    popup = field._popup
    qtbot.keyClick(popup, Qt.Key.Key_Down)
    qtbot.keyClick(popup, Qt.Key.Key_Return)
    assert field.text() == "warm, bossa nova, "


def test_every_tag_has_a_frame_on_each_of_its_lines(field: TagField) -> None:
    field.set_text("folk, warm, " + "long prose without any end " * 4)
    frames = field._frames()
    assert len(frames) == 2, "prose has none"
    field.set_text(", ".join(f"tag number {n}" for n in range(12)))
    frames = field._frames()
    assert len(frames) >= 12
    tops = sorted({frame.top() for frame in frames})
    assert len(tops) > 1
    height = frames[0].height()
    assert all(b - a >= height for a, b in itertools.pairwise(tops)), "they overlap"


def test_suggestions_are_chips_that_know_what_is_there(qtbot: QtBot, view: ComposeView) -> None:
    suggestions, tags = view.page.suggestions, view.form.tags
    chip = suggestions.chip("folk")
    qtbot.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert tags.value() == "folk"
    assert chip.isChecked()
    tags.edit.set_text("rock, Jazz")
    assert not chip.isChecked()
    assert suggestions.chip("jazz").isChecked()
    qtbot.mouseClick(suggestions.kinds.button("Voice"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(suggestions.chip("female voice"), Qt.MouseButton.LeftButton)
    assert tags.value() == "rock, Jazz, female voice"


def test_a_row_of_chips_is_one_stop_with_arrows(qtbot: QtBot, view: ComposeView) -> None:
    chips = view.page.suggestions.chips
    chips[0].setFocus()
    qtbot.keyClick(chips[0], Qt.Key.Key_Right)
    assert view.focusWidget() is chips[1]
    qtbot.keyClick(chips[1], Qt.Key.Key_End)
    assert view.focusWidget() is chips[-1]
    stops = [chip for chip in chips if chip.focusPolicy() & Qt.FocusPolicy.TabFocus]
    assert stops == [chips[-1]]
    qtbot.keyClick(chips[-1], Qt.Key.Key_Space)
    assert view.form.tags.value() == chips[-1].text()
