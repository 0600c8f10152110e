"""Colours for lyrics: section tags stand out, what a choir answers stands back."""

from __future__ import annotations

import re

from PySide6.QtGui import QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from mlx_music_app.ui.style.theme import theme

#: A line that marks a section, as the engine reads it.
SECTION = re.compile(r"\s*\[[^\]]*\]")

_ASIDE = re.compile(r"\([^)]*\)")


class LyricsHighlighter(QSyntaxHighlighter):
    """Follows the theme by itself."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        theme().changed.connect(self.rehighlight)

    def highlightBlock(self, text: str) -> None:
        section = SECTION.match(text)
        if section:
            style = QTextCharFormat()
            style.setForeground(theme().color("lyric_tag"))
            style.setFontWeight(QFont.Weight.DemiBold)
            self.setFormat(section.start(), section.end() - section.start(), style)
        aside = QTextCharFormat()
        aside.setForeground(theme().color("text_secondary"))
        aside.setFontItalic(True)
        for found in _ASIDE.finditer(text):
            self.setFormat(found.start(), found.end() - found.start(), aside)
