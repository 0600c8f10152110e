"""Small things that every part of Compose is built from."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space, theme


def hue(degrees: int) -> QColor:
    """A quiet colour of its own, for the picture on a preset's card."""
    if theme().dark:
        return QColor.fromHslF(degrees % 360 / 360, 0.42, 0.60)
    return QColor.fromHslF(degrees % 360 / 360, 0.46, 0.50)


def label(text: str = "", role: str = "caption", *, wrap: bool = True) -> QLabel:
    """Plain text in one of the roles of the style."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    made.setProperty("role", role)
    return made


def button(text: str, role: str = "", *, icon_name: str = "", tip: str = "") -> QPushButton:
    """A button with words."""
    made = QPushButton(text)
    if role:
        made.setProperty("role", role)
    if icon_name:
        made.setIcon(icon(icon_name, "accent_text" if role == "link" else "text_secondary"))
    made.setToolTip(tip)
    made.setAutoDefault(False)
    return made


def icon_button(icon_name: str, words: str, *, on: str = "") -> QToolButton:
    """A button that shows only a picture; its words are its tooltip and its accessible name."""
    made = QToolButton()
    made.setIcon(icon(icon_name, on=on))
    made.setToolTip(words)
    made.setAccessibleName(words)
    made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return made


def column(*parts: QWidget | QLayout, gap: int = Space.S, margin: int = 0) -> QVBoxLayout:
    """Parts below each other."""
    box = QVBoxLayout()
    box.setContentsMargins(margin, margin, margin, margin)
    box.setSpacing(gap)
    for part in parts:
        box.addLayout(part) if isinstance(part, QLayout) else box.addWidget(part)
    return box


def row(*parts: QWidget | QLayout | int, gap: int = Space.S) -> QHBoxLayout:
    """Parts beside each other; a whole number is stretch."""
    box = QHBoxLayout()
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(gap)
    for part in parts:
        if isinstance(part, int):
            box.addStretch(part)
        elif isinstance(part, QLayout):
            box.addLayout(part)
        else:
            box.addWidget(part)
    return box


def card(*parts: QWidget | QLayout, gap: int = Space.L) -> QFrame:
    """A framed group."""
    frame = QFrame()
    frame.setProperty("role", "card")
    frame.setLayout(column(*parts, gap=gap, margin=Space.L))
    return frame


class Segments(QWidget):
    """A segmented control: one of a few, all of them in sight.

    Arrow keys move within it, as in a group of radio buttons.
    """

    chosen = Signal(str)  # by the person

    def __init__(self, choices: Sequence[tuple[str, str]], name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        box = row(gap=0)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        for place, (value, words) in enumerate(choices):
            made = QPushButton(words)
            made.setProperty("role", "segment")
            made.setCheckable(True)
            made.setAutoDefault(False)
            made.setAccessibleName(f"{name}: {words}")
            if place in (0, len(choices) - 1):
                made.setProperty("position", "first" if place == 0 else "last")
            self._group.addButton(made)
            self._buttons[value] = made
            box.addWidget(made)
        self.setLayout(box)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._group.buttonClicked.connect(self._clicked)

    def value(self) -> str:
        """What is chosen; empty if nothing is."""
        return next((value for value, b in self._buttons.items() if b.isChecked()), "")

    def choose(self, value: str) -> None:
        """Check one, without a signal; one that is not there unchecks all."""
        self._group.setExclusive(False)
        for name, made in self._buttons.items():
            made.setChecked(name == value)
        self._group.setExclusive(True)

    def button(self, value: str) -> QPushButton:
        return self._buttons[value]

    def _clicked(self, made: QAbstractButton) -> None:
        self.chosen.emit(next(value for value, b in self._buttons.items() if b is made))


class Flow(QLayout):
    """Widgets beside each other, going on in the next line where they do not fit."""

    def __init__(self, gap: int = Space.S) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setSpacing(gap)
        self.setContentsMargins(0, 0, 0, 0)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._place(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            if not item.isEmpty():
                size = size.expandedTo(item.minimumSize())
        return size

    def _place(self, rect: QRect, *, move: bool) -> int:
        x, y, height = rect.x(), rect.y(), 0
        for item in self._items:
            if item.isEmpty():
                continue
            size = item.sizeHint()
            if x > rect.x() and x + size.width() > rect.right() + 1:
                x, y, height = rect.x(), y + height + self.spacing(), 0
            if move:
                item.setGeometry(QRect(x, y, size.width(), size.height()))
            x += size.width() + self.spacing()
            height = max(height, size.height())
        return y + height - rect.y()
