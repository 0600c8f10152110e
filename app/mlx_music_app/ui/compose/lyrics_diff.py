"""What changes between two versions of lyrics: old words struck, new ones marked."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QTextEdit, QWidget

from mlx_music_app.ui.compose.look import column, label
from mlx_music_app.ui.style.theme import theme


class Piece(NamedTuple):
    """A run of text that is kept (" "), removed ("-") or added ("+")."""

    kind: str
    text: str


def changed_lines(old: str, new: str) -> list[list[Piece]]:
    """Every line of both, in order, in pieces; words are compared within lines that changed."""
    before, after = old.split("\n"), new.split("\n")
    result: list[list[Piece]] = []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            result += [[Piece(" ", line)] for line in before[a:b]]
            continue
        pairs = min(b - a, d - c)
        for number in range(pairs):
            result.append(_changed_words(before[a + number], after[c + number]))
        result += [[Piece("-", line)] for line in before[a + pairs : b] if line.strip()]
        result += [[Piece("+", line)] for line in after[c + pairs : d] if line.strip()]
    return result


def count_changes(lines: list[list[Piece]]) -> int:
    """How many lines are not what they were."""
    return sum(any(piece.kind != " " for piece in line) for line in lines)


def _changed_words(old: str, new: str) -> list[Piece]:
    before, after = re.findall(r"\S+|\s+", old), re.findall(r"\S+|\s+", new)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    # The spaces are always alike.
    if difflib.SequenceMatcher(None, old.split(), new.split(), autojunk=False).ratio() < 0.3:
        return [Piece("-", old), Piece("+", new)] if old.strip() else [Piece("+", new)]
    pieces: list[Piece] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        gone, come = "".join(before[a:b]), "".join(after[c:d])
        if kind == "equal":
            pieces.append(Piece(" ", gone))
        else:
            pieces += [Piece("-", gone)] if gone else []
            pieces += [Piece("+", come)] if come else []
    return pieces


class LyricsDiff(QWidget):
    """Shows the changed lines while they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.title = label("What changes", "label", wrap=False)
        self.view = QTextEdit()
        self.view.setReadOnly(True)
        self.view.setAccessibleName("What changes in the lyrics")
        self.view.setTabChangesFocus(True)
        self.view.setMinimumHeight(120)
        self.setLayout(column(self.title, self.view))
        self._texts = ("", "")
        theme().changed.connect(self._paint)

    def compare(self, old: str, new: str) -> None:
        """Show what turns `old` into `new`."""
        if (old, new) != self._texts:
            self._texts = (old, new)
            self._paint()

    def _paint(self) -> None:
        lines = changed_lines(*self._texts)
        count = count_changes(lines)
        words = {0: "No line is changed yet", 1: "1 line changes"}
        self.title.setText(words.get(count, f"{count} lines change"))
        place = self.view.verticalScrollBar().value()
        self.view.clear()
        cursor = QTextCursor(self.view.document())
        for number, line in enumerate(lines):
            if number:
                cursor.insertBlock()
            changed = any(piece.kind != " " for piece in line)
            for position, piece in enumerate(line):
                # A line that is replaced whole: a space between the two.
                if position and piece.kind == "+" and not piece.text[:1].isspace():
                    cursor.insertText(" ", QTextCharFormat())
                cursor.insertText(piece.text, _style(piece.kind, changed))
        self.view.verticalScrollBar().setValue(place)


def _style(kind: str, changed: bool) -> QTextCharFormat:
    style = QTextCharFormat()
    if kind == "-":
        style.setForeground(theme().color("danger_text"))
        style.setFontStrikeOut(True)
    elif kind == "+":
        style.setForeground(theme().color("text"))
        style.setBackground(theme().color("lyric_changed"))
    else:
        style.setForeground(theme().color("text" if changed else "text_secondary"))
    return style
