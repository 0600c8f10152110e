"""The lyrics editor: sections, counts, what changes."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from pytestqt.qtbot import QtBot

from mlx_music import LyricsError
from mlx_music.request import MAX_LYRIC_TOKENS
from mlx_music_app.background import Background
from mlx_music_app.ui.compose import ComposeView
from mlx_music_app.ui.compose.lyrics_diff import changed_lines, count_changes

from .conftest import SINGER, SKETCH


def test_section_buttons_write_tags_on_their_own_lines(qtbot: QtBot, view: ComposeView) -> None:
    lyrics = view.form.lyrics
    buttons = lyrics.section_buttons
    qtbot.mouseClick(buttons["verse"], Qt.MouseButton.LeftButton)
    assert view.focusWidget() is lyrics.text
    qtbot.keyClicks(lyrics.text, "The boats are in")
    qtbot.mouseClick(buttons["chorus"], Qt.MouseButton.LeftButton)
    qtbot.keyClicks(lyrics.text, "Harbour lights")
    assert lyrics.value() == "[verse]\nThe boats are in\n\n[chorus]\nHarbour lights"
    lyrics.text.moveCursor(QTextCursor.MoveOperation.Start)
    qtbot.mouseClick(buttons["intro"], Qt.MouseButton.LeftButton)
    assert lyrics.value().startswith("[intro]\n[verse]\n")
    lyrics.text.undo()
    assert lyrics.value().startswith("[verse]\n"), "one undo takes a section back"


def test_lines_that_are_sung_are_counted(view: ComposeView) -> None:
    lyrics = view.form.lyrics
    assert lyrics.counts.text() == "No words: an instrumental"
    lyrics.text.set_text("[verse]\none\n\n[chorus] two\nthree")
    assert lyrics.counts.text() == "3 lines"


def test_words_can_be_written_for_a_model_that_sings(qtbot: QtBot, view: ComposeView) -> None:
    view.settings.model.choose(SKETCH.value)
    lyrics = view.form.lyrics
    assert lyrics.silent.isVisible()
    assert "does not sing" in lyrics.silent.text()
    qtbot.mouseClick(lyrics.section_buttons["verse"], Qt.MouseButton.LeftButton)
    qtbot.keyClicks(lyrics.text, "The boats are in")
    assert lyrics.counts.text() == "1 line"
    assert view.request().lyrics == ""
    view.settings.model.choose(SINGER.value)
    assert view.request().lyrics == "[verse]\nThe boats are in"


def test_tokens_are_counted_in_the_background(qtbot: QtBot, view: ComposeView) -> None:
    background = Background()
    asked: list[tuple[str, str | None, int]] = []

    def count(lyrics: str, language: str | None) -> int:
        asked.append((lyrics, language, threading.get_ident()))
        return 1000 * len(lyrics)

    view.form.tags.set_value("folk")
    view.set_token_counter(count, background)
    lyrics = view.form.lyrics
    qtbot.keyClicks(lyrics.text, "la")
    qtbot.waitUntil(lambda: "2,000 of 4,096 tokens" in lyrics.counts.text())
    assert asked == [("la", None, asked[0][2])], "once typing has stopped"
    assert asked[0][2] != threading.get_ident()
    lyrics.language.set_value("de")
    qtbot.waitUntil(lambda: len(asked) == 2)
    assert asked[1][1] == "de"
    qtbot.keyClicks(lyrics.text, "la la")
    qtbot.waitUntil(lambda: not lyrics.error.isHidden())
    assert str(MAX_LYRIC_TOKENS) in lyrics.error.text()
    assert not view.bar.generate.isEnabled()
    lyrics.instrumental.click()
    assert view.bar.generate.isEnabled()
    assert background.wait()


def test_without_a_vocabulary_only_lines_are_shown(qtbot: QtBot, view: ComposeView) -> None:
    background = Background()

    def count(lyrics: str, language: str | None) -> int:
        raise LyricsError("there is no vocabulary; connect to the internet once")

    view.set_token_counter(count, background)
    lyrics = view.form.lyrics
    lyrics.text.set_text("la")
    qtbot.waitUntil(lambda: "no vocabulary" in lyrics.counts.toolTip())
    assert lyrics.counts.text() == "1 line"
    assert background.wait()


_LINES = st.lists(st.text(alphabet="ab ", max_size=6), max_size=5).map("\n".join)


@given(_LINES, _LINES)
def test_the_pieces_of_a_change_are_both_texts(old: str, new: str) -> None:
    lines = changed_lines(old, new)
    before = ["".join(p.text for p in line if p.kind != "+") for line in lines]
    after = ["".join(p.text for p in line if p.kind != "-") for line in lines]
    bare = str.strip
    assert [x for x in before if bare(x)] == [x for x in old.split("\n") if bare(x)]
    assert [x for x in after if bare(x)] == [x for x in new.split("\n") if bare(x)]
    assert (count_changes(lines) == 0) == (
        [x for x in old.split("\n") if bare(x)] == [x for x in new.split("\n") if bare(x)]
    ) or old.split("\n") != new.split("\n")


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ("a b c d", "a b x d", " -+ "),
        ("a", "a", " "),
        ("quite other words", "nothing of it", "-+"),
        ("", "new", "+"),
    ],
)
def test_words_are_compared_within_a_line(old: str, new: str, kinds: str) -> None:
    (line,) = changed_lines(old, new)
    assert "".join(piece.kind for piece in line) == kinds
