"""The left edge: where one is, and what the engine does."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from mlx_music_app.ui.compose.look import label
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space

#: Name, words, icon.
PLACES = (
    ("compose", "Compose", "compose"),
    ("takes", "Takes", "takes"),
    ("models", "Models", "models"),
)


class Sidebar(QWidget):
    """Three places, and below them what is being made now."""

    chosen = Signal(str)
    queuePressed = Signal()

    WIDTH = 184

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "sidebar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(self.WIDTH)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.M, Space.L, Space.M, Space.M)
        layout.setSpacing(2)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        for number, (name, words, icon_name) in enumerate(PLACES, start=1):
            made = QPushButton(words)
            made.setProperty("role", "nav")
            made.setCheckable(True)
            made.setIcon(icon(icon_name, "text_secondary", on="accent"))
            keys = QKeySequence(f"Ctrl+{number}").toString(QKeySequence.SequenceFormat.NativeText)
            made.setToolTip(f"{words} ({keys})")
            made.setAccessibleName(words)
            made.clicked.connect(partial(self.chosen.emit, name))
            self._group.addButton(made)
            self.buttons[name] = made
            layout.addWidget(made)
        layout.addStretch(1)
        layout.addWidget(self._make_status())

    def choose(self, name: str) -> None:
        """Show where one is, without a signal; a name that is no place of it is none."""
        self._group.setExclusive(False)
        for place, made in self.buttons.items():
            made.setChecked(place == name)
        self._group.setExclusive(True)

    def set_status(self, words: str, detail: str, fraction: float | None) -> None:
        """What is being made; without a fraction nothing is."""
        room = self.WIDTH - 2 * Space.M - 2 * Space.S
        metrics = self._words.fontMetrics()
        shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, room)
        self._words.setText(shown)
        self._words.setToolTip(words if shown != words else "")
        self._detail.setText(detail)
        self._bar.setVisible(fraction is not None)
        self._bar.setValue(round((fraction or 0.0) * 1000))
        self._status.setAccessibleName(f"Queue: {words}. {detail}")

    def _make_status(self) -> QWidget:
        self._status = _Pressable()
        self._status.setAccessibleName("Queue")
        self._status.setToolTip("Show or hide the queue")
        self._status.pressed.connect(self.queuePressed)
        self._words, self._detail = label("", "label", wrap=False), label("", "hint")
        self._bar = QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the running job")
        box = QVBoxLayout(self._status)
        box.setContentsMargins(Space.S, Space.S, Space.S, Space.S)
        box.setSpacing(Space.XS)
        for part in (self._words, self._bar, self._detail):
            box.addWidget(part)
        return self._status


class _Pressable(QFrame):
    """A panel that is a button."""

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setProperty("role", "pressable")

    def mouseReleaseEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.pos()):
            self.pressed.emit()

    def keyPressEvent(self, event) -> None:  # type: ignore[no-untyped-def]
        if event.key() in (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.pressed.emit()
        else:
            super().keyPressEvent(event)
