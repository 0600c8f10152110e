"""Long words in narrow places: ended in an ellipsis, or broken where nothing else breaks them."""

from __future__ import annotations

import re

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import (
    QContextMenuEvent,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionButton,
    QWidget,
)

#: A line may end here, and nothing is seen of it.
_BREAK = "\u200b"

#: What is selected of a label, as text elsewhere: Qt gives ends of lines as U+2028 and U+2029.
_COPIED = str.maketrans({_BREAK: "", "\u2028": "\n", "\u2029": "\n"})

#: Words that may be wider than a column. Only of alphabets whose letters stand by themselves:
#: others break by rules of their own (Chinese, Thai), or join their letters (Arabic).
_LONG_WORD = re.compile("[!-\u02ff\u0370-\u0482\u048a-\u052f]{20,}")

#: Between an icon and the words of a button, as Qt draws it.
_ICON_GAP = 4


def elided(
    metrics: QFontMetrics,
    text: str,
    width: int,
    tail: str = "",
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> str:
    """`text` and `tail` in `width` pixels; the ellipsis is before the tail, such as a number."""
    if metrics.horizontalAdvance(text + tail) <= width:
        return text + tail
    room = width - metrics.horizontalAdvance(tail)
    return metrics.elidedText(text, mode, max(0, room)) + tail


def breakable(text: str) -> str:
    """The same to look at, with places to break long words."""
    return _LONG_WORD.sub(lambda word: _BREAK.join(word[0]), text)


class Elided(QLabel):
    """A line with an ellipsis where there is no room; it is read out whole, and its text stays so.

    mode: where the ellipsis is. In the middle for file names, whose ends are what differs.
    """

    def __init__(
        self, role: str = "body", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> None:
        super().__init__()
        self._words, self._tail, self._mode = "", "", mode
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", role)
        self.setMinimumWidth(60)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def text(self) -> str:
        """All of it, whatever there is room for."""
        return self._words + self._tail

    def shown(self) -> str:
        """What there is room for."""
        return super().text()

    def setText(self, text: str, tail: str = "") -> None:
        self._words, self._tail = text, tail
        self.setAccessibleName(text + tail)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        width = max(self.width(), self.minimumWidth())
        words = elided(self.fontMetrics(), self._words, width, self._tail, self._mode)
        if words != self.shown():
            super().setText(words)


class ElidedButton(QPushButton):
    """A button whose words end in an ellipsis where there is no room; its text stays whole."""

    def __init__(self, text: str, tail: str = "", parent: QWidget | None = None) -> None:
        super().__init__(_without_mnemonics(text + tail), parent)
        self._words, self._tail = text, tail

    def initStyleOption(self, option: QStyleOptionButton) -> None:
        super().initStyleOption(option)
        contents = QStyle.SubElement.SE_PushButtonContents
        room = self.style().subElementRect(contents, option, self).width()
        if not self.icon().isNull():
            room -= self.iconSize().width() + _ICON_GAP
        words = elided(self.fontMetrics(), self._words, room, self._tail)
        option.text = _without_mnemonics(words)  # type: ignore[attr-defined]


class WrappedLabel(QLabel):
    """Plain text of as many lines as it takes, in any width; long words are broken.

    What is copied from it is what was given.
    """

    def __init__(self, text: str = "", role: str = "body") -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setProperty("role", role)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def text(self) -> str:
        """What was given."""
        return self._words

    def setText(self, text: str) -> None:
        self._words = text
        super().setText(breakable(text))
        self.setAccessibleName(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self._copy()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.textInteractionFlags() == Qt.TextInteractionFlag.NoTextInteraction:
            event.ignore()
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Copy", self._copy).setEnabled(self.hasSelectedText())
        menu.addAction("Select all", self._select_all)
        menu.popup(event.globalPos())

    def _copy(self) -> None:
        if self.hasSelectedText():
            QGuiApplication.clipboard().setText(self.selectedText().translate(_COPIED))

    def _select_all(self) -> None:
        self.setSelection(0, len(super().text()))


def _without_mnemonics(text: str) -> str:
    return text.replace("&", "&&")
