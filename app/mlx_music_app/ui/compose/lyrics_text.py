"""The text field of the lyrics, and what its section buttons do."""

from __future__ import annotations

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QPlainTextEdit

from mlx_music_app.ui.compose.lyrics_highlighter import SECTION, LyricsHighlighter

#: Sections that the model has learnt, in the order of a song.
SECTIONS = (
    "intro", "verse", "pre-chorus", "chorus", "bridge", "instrumental", "solo", "outro",
)  # fmt: skip


class LyricsText(QPlainTextEdit):
    """Edits words line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        self.setAccessibleName("Lyrics")
        self._exact = ("", "")
        self.highlighter = LyricsHighlighter(self.document())

    def text(self) -> str:
        """The lyrics, as they were set where nothing was typed."""
        shown = self.toPlainText()
        return self._exact[1] if shown == self._exact[0] else shown

    def set_text(self, text: str) -> None:
        self.setPlainText(text)
        self._exact = (self.toPlainText(), text)

    def insert_section(self, name: str) -> None:
        """Put a section's tag on a line of its own where the cursor is, and go to its words."""
        cursor = self.textCursor()
        cursor.beginEditBlock()
        cursor.clearSelection()
        line = cursor.block().text()
        if line.strip():
            # In the middle of a line it is the line that the section begins with.
            at_start = cursor.atBlockStart()
            if at_start:
                cursor.insertText(f"[{name}]\n")
                cursor.endEditBlock()
                self._go(cursor)
                return
            cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
            cursor.insertText("\n\n")
        elif cursor.block().previous().isValid() and cursor.block().previous().text().strip():
            cursor.insertText("\n")
        cursor.insertText(f"[{name}]\n")
        cursor.endEditBlock()
        self._go(cursor)

    def insert_outline(self, outline: str) -> None:
        """Put sections without words at the end; undo takes them back."""
        cursor = self.textCursor()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        bare = self.toPlainText().rstrip()
        cursor.insertText(f"\n\n{outline}\n" if bare else f"{outline}\n")
        cursor.movePosition(QTextCursor.MoveOperation.Start)
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
        self._go(cursor)

    def sung_lines(self) -> int:
        """How many lines hold words."""
        lines = self.toPlainText().split("\n")
        return sum(1 for line in lines if line.strip() and not SECTION.fullmatch(line.rstrip()))

    def _go(self, cursor: QTextCursor) -> None:
        self.setTextCursor(cursor)
        self.ensureCursorVisible()
        self.setFocus()

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        # Files belong to the whole view.
        return not source.hasUrls() and super().canInsertFromMimeData(source)
