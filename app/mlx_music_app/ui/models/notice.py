"""A quiet box with a line that a person should read, and what to do about it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from mlx_music_app.ui.compose.look import button, icon_button, label
from mlx_music_app.ui.style import icons
from mlx_music_app.ui.style.theme import Space, repolish, theme

#: Tone: icon and its colour.
_TONES = {
    "": ("info", "accent"),
    "success": ("check", "success"),
    "warning": ("warning", "warning"),
    "danger": ("error", "danger_text"),
}


class Notice(QFrame):
    """Hidden until it has something to say."""

    pressed = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self._picture = label(wrap=False)
        self._picture.setFixedSize(16, 16)
        self.words = label(role="body")
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.action = button("")
        self.action.clicked.connect(self.pressed)
        self.close_button = icon_button("close", "Dismiss")
        self.close_button.clicked.connect(self.dismissed)
        box = QHBoxLayout(self)
        box.setContentsMargins(Space.M, Space.S, Space.S, Space.S)
        box.setSpacing(Space.S)
        middle = Qt.AlignmentFlag.AlignVCenter
        box.addWidget(self._picture, 0, middle)
        box.addWidget(self.words, 1)
        box.addWidget(self.action, 0, middle)
        box.addWidget(self.close_button, 0, middle)
        theme().changed.connect(self._draw)
        self.hide()

    def tell(
        self, text: str, tone: str = "", action: str = "", *, dismissable: bool = True
    ) -> None:
        """Show a line; an empty one hides the box."""
        self.setVisible(bool(text))
        if not text:
            return
        self.words.setText(text)
        self.words.setAccessibleName(text)
        self.action.setText(action)
        self.action.setVisible(bool(action))
        self.close_button.setVisible(dismissable)
        if self.property("tone") != tone:
            self.setProperty("tone", tone)
            repolish(self)
        self._draw()

    def _draw(self) -> None:
        name, color = _TONES[self.property("tone") or ""]
        self._picture.setPixmap(icons.pixmap(name, color, 16, self.devicePixelRatioF()))
