"""What stands where nothing is yet: it says what comes here, and how."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from mlx_music_app.ui.style import icons
from mlx_music_app.ui.style.theme import Space, theme

_TEXT_WIDTH = 340


class EmptyState(QWidget):
    """A drawing, a line, a few words of help, and the button that leads on."""

    pressed = Signal()

    def __init__(
        self,
        icon: str,
        title: str,
        text: str,
        button: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._icon_name = icon
        self._picture = QLabel()
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = QLabel(title)
        self._title.setProperty("role", "heading")
        self._text = QLabel(text)
        self._text.setProperty("role", "subtitle")
        self._text.setWordWrap(True)
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._button = QPushButton(button)
        self._button.setProperty("role", "primary")
        self._button.setVisible(bool(button))
        self._button.clicked.connect(self.pressed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.L, Space.L, Space.L, Space.L)
        layout.setSpacing(Space.S)
        # The words make room for whatever there is.
        layout.setSizeConstraint(QVBoxLayout.SizeConstraint.SetNoConstraint)
        layout.addStretch(2)
        layout.addWidget(self._picture)
        layout.addSpacing(Space.S)
        layout.addWidget(self._title, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addWidget(self._text, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addSpacing(Space.S)
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(3)
        theme().changed.connect(self._draw)
        self._draw()

    def set_words(self, title: str, text: str, button: str = "") -> None:
        self._title.setText(title)
        self._text.setText(text)
        self._button.setText(button)
        self._button.setVisible(bool(button))
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        # In the middle of a layout, a label that wraps is not asked how high it is.
        width = max(120, min(_TEXT_WIDTH, self.width() - 2 * Space.L))
        self._text.setFixedSize(width, self._text.heightForWidth(width))
        # Where there is little room, the words come first.
        layout = self.layout()
        assert layout is not None
        self._picture.show()
        layout.activate()
        self._picture.setVisible(layout.minimumSize().height() <= self.height())

    def _draw(self) -> None:
        picture: QPixmap = icons.pixmap(
            self._icon_name, "text_tertiary", 44, self.devicePixelRatioF()
        )
        self._picture.setPixmap(picture)
