"""The style: free text in which whatever stands between commas looks like the tag that it is."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QMimeData, QRectF, QStringListModel, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QSyntaxHighlighter,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from PySide6.QtWidgets import QCompleter, QListView, QTextEdit, QWidget

from mlx_music.errors import InvalidRequest
from mlx_music_app.ui.compose.controls import Control
from mlx_music_app.ui.compose.look import row
from mlx_music_app.ui.compose.vocabulary import all_words
from mlx_music_app.ui.style.theme import Radius, set_state, theme

#: Longer text between commas is prose and is not framed.
_LONGEST_TAG = 36

_LINE_GAP = 10
_PADDING = 5
_LEAST_LINES, _MOST_LINES = 2, 5


class Span(NamedTuple):
    """Where a tag stands in the text."""

    start: int
    end: int
    text: str


def spans(text: str) -> list[Span]:
    """What stands between commas and line ends, without the spaces around it."""
    found, start = [], 0
    for place, character in enumerate(text + ","):
        if character in ",\n":
            part = text[start:place]
            tag = part.strip()
            if tag:
                first = start + part.index(tag)
                found.append(Span(first, first + len(tag), tag))
            start = place + 1
    return found


def title_of(prompt: str) -> str:
    """A title out of the first tags of a style."""
    title = ""
    for _, _, tag in spans(prompt)[:2]:
        longer = f"{title}, {tag}" if title else tag
        if len(longer) > 48:
            break
        title = longer
    title = title or " ".join(prompt.split())[:48].rstrip()
    return title[:1].upper() + title[1:]


class _Commas(QSyntaxHighlighter):
    """Makes commas stand back, with room for the frames of the tags beside them."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)
        theme().changed.connect(self.rehighlight)

    def highlightBlock(self, text: str) -> None:
        style = QTextCharFormat()
        style.setFontLetterSpacingType(QFont.SpacingType.AbsoluteSpacing)
        style.setFontLetterSpacing(_PADDING + 1.0)
        framed = {span.end for span in spans(text) if len(span.text) <= _LONGEST_TAG}
        for place, character in enumerate(text):
            if character == ",":
                # A frame says what a comma says; one that stands alone is shown.
                ends_tag = place in framed
                style.setForeground(theme().color("accent_soft" if ends_tag else "text_disabled"))
                self.setFormat(place, 1, style)


class TagField(QTextEdit):
    """Edits a style. The text is the value; tags are only how it looks."""

    committed = Signal()  # Return: the tag is finished

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptRichText(False)
        self.setTabChangesFocus(True)
        self.setAccessibleName("Style")
        self.setPlaceholderText("Genre, mood, instruments, voice, tempo")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(6)
        self._commas = _Commas(self.document())
        self._exact = ("", "")
        self.textChanged.connect(self._space_lines)
        self.document().documentLayout().documentSizeChanged.connect(self._fit)
        self._space_lines()
        self._completer = QCompleter(QStringListModel(all_words(), self), self)
        self._completer.setWidget(self)
        self._popup = QListView()
        self._completer.setPopup(self._popup)
        self._completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self._completer.setMaxVisibleItems(8)
        self._completer.activated.connect(self.complete)
        self._fit()

    def text(self) -> str:
        """The style, as it was set where nothing was typed."""
        shown = self.toPlainText()
        return self._exact[1] if shown == self._exact[0] else shown

    def set_text(self, text: str) -> None:
        """Show another style; typing before it is not undone by undo."""
        self.setPlainText(text)
        self._exact = (self.toPlainText(), text)

    def replace_text(self, text: str) -> None:
        """Show another style in a way that undo takes back."""
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        self.setTextCursor(cursor)

    def tags(self) -> list[str]:
        return [span.text for span in spans(self.toPlainText())]

    def has(self, tag: str) -> bool:
        return tag.casefold() in {mine.casefold() for mine in self.tags()}

    def toggle(self, tag: str) -> None:
        """Put a tag at the end, or take it out; undo takes that back."""
        text = self.toPlainText()
        cursor = QTextCursor(self.document())
        mine = spans(text)
        for place, span in enumerate(mine):
            if span.text.casefold() == tag.casefold():
                # With the comma before it, or else with the one behind it.
                first = mine[place - 1].end if place else span.start
                last = mine[place + 1].start if not place and len(mine) > 1 else span.end
                cursor.setPosition(first)
                cursor.setPosition(last, QTextCursor.MoveMode.KeepAnchor)
                cursor.removeSelectedText()
                return
        cursor.movePosition(QTextCursor.MoveOperation.End)
        bare = text.rstrip()
        joint = "" if not bare else " " if bare.endswith(",") else ", "
        cursor.setPosition(len(bare))
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText(joint + tag)
        self.setTextCursor(cursor)

    def complete(self, word: str) -> None:
        """Put `word` in the place of the tag that is being typed."""
        start, end = self._current()
        cursor = QTextCursor(self.document())
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        at_end = not self.toPlainText()[end:].strip()
        cursor.insertText(word + (", " if at_end else ""))
        self.setTextCursor(cursor)

    def _current(self) -> tuple[int, int]:
        """From where to where the tag around the cursor goes."""
        text, place = self.toPlainText(), self.textCursor().position()
        start = max(text.rfind(",", 0, place), text.rfind("\n", 0, place)) + 1
        ends = [end for end in (text.find(",", place), text.find("\n", place)) if end >= 0]
        end = min(ends, default=len(text))
        while start < place and text[start] == " ":
            start += 1
        return start, end

    def keyPressEvent(self, event: QKeyEvent) -> None:
        popup, key = self._popup, event.key()
        returns = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if popup.isVisible():
            chosen = popup.currentIndex().isValid()
            if key == Qt.Key.Key_Tab and not chosen:
                word = self._completer.currentCompletion()
                popup.hide()
                self.complete(word)
                return
            if key in (*returns, Qt.Key.Key_Tab, Qt.Key.Key_Escape) and (
                chosen or key == Qt.Key.Key_Escape
            ):
                event.ignore()  # the popup's own
                return
            if key in returns:
                popup.hide()
        if key in returns:
            # A style is one paragraph: Return finishes the tag.
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                event.ignore()
            else:
                self._finish_tag()
            return
        super().keyPressEvent(event)
        if event.text().strip() or key == Qt.Key.Key_Backspace:
            self._suggest()

    def _finish_tag(self) -> None:
        cursor = self.textCursor()
        text = self.toPlainText()
        if cursor.position() == len(text) and text.strip() and not text.rstrip().endswith(","):
            cursor.insertText(", ")
        self.committed.emit()

    def _suggest(self) -> None:
        start, _ = self._current()
        prefix = self.toPlainText()[start : self.textCursor().position()].strip()
        completer = self._completer
        completer.setCompletionPrefix(prefix)
        only_itself = (
            completer.completionCount() == 1
            and completer.currentCompletion().casefold() == prefix.casefold()
        )
        if len(prefix) < 2 or not completer.completionCount() or only_itself:
            self._popup.hide()
            return
        area = self.cursorRect()
        area.setWidth(240)
        area.translate(self.viewport().pos())
        completer.complete(area)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        # Files belong to the whole view.
        return not source.hasUrls() and super().canInsertFromMimeData(source)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _space_lines(self) -> None:
        """Room between lines for the frames. Lines that are typed take it from their neighbours."""
        kind = QTextBlockFormat.LineHeightTypes.LineDistanceHeight.value
        if self.document().firstBlock().blockFormat().lineHeightType() == kind:
            return
        spacing = QTextBlockFormat()
        spacing.setLineHeight(_LINE_GAP, kind)
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.joinPreviousEditBlock()
        cursor.mergeBlockFormat(spacing)
        cursor.endEditBlock()

    def _fit(self) -> None:
        """As high as the text, within reason."""
        line = self.fontMetrics().lineSpacing() + _LINE_GAP
        around = 2 * int(self.document().documentMargin()) + 14
        wanted = int(self.document().size().height()) + 14
        height = max(_LEAST_LINES * line + around, min(wanted, _MOST_LINES * line + around))
        if height != self.height():
            self.setFixedHeight(height)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("accent_soft" if self.isEnabled() else "hover"))
        for frame in self._frames():
            painter.drawRoundedRect(frame, Radius.SMALL + 1, Radius.SMALL + 1)
        painter.end()
        super().paintEvent(event)

    def _frames(self) -> list[QRectF]:
        """The frames of all tags, in the coordinates of the viewport; one for each line."""
        frames = []
        dx, dy = self.horizontalScrollBar().value(), self.verticalScrollBar().value()
        block = self.document().begin()
        while block.isValid():
            layout = block.layout()
            corner = self.document().documentLayout().blockBoundingRect(block).topLeft()
            for start, end, tag in spans(block.text()):
                if len(tag) > _LONGEST_TAG:
                    continue
                for number in range(layout.lineCount()):
                    line = layout.lineAt(number)
                    first = max(start, line.textStart())
                    last = min(end, line.textStart() + line.textLength())
                    if first >= last:
                        continue
                    left, right = _x(line.cursorToX(first)), _x(line.cursorToX(last))
                    top = line.y() + corner.y() - dy
                    height = self.fontMetrics().height()
                    frames.append(
                        QRectF(
                            left + corner.x() - dx - _PADDING,
                            top - 3,
                            right - left + 2 * _PADDING,
                            height + 6,
                        )
                    )
            block = block.next()
        return frames


def _x(place: object) -> float:
    """PySide gives the position alone or with the character, by version."""
    return float(place[0] if isinstance(place, tuple) else place)  # type: ignore[arg-type]


class TagControl(Control):
    """The style as a field of the form."""

    def __init__(self) -> None:
        super().__init__("prompt")
        self.edit = TagField()
        self.edit.textChanged.connect(self.changed)
        self.setLayout(row(self.edit))

    def value(self) -> str:
        return self.edit.text()

    def set_value(self, value: object) -> None:
        if not isinstance(value, str):
            raise InvalidRequest("prompt", f"{value!r} is not text")
        self.edit.set_text(value)

    def set_state(self, state: object) -> None:
        if not isinstance(state, str):
            raise TypeError(state)
        self.edit.set_text(state)

    def field(self) -> QWidget:
        return self.edit

    def set_invalid(self, invalid: bool) -> None:
        set_state(self.edit, "invalid", invalid)
