"""What was just done, and the way back."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from mlx_music_app.ui.compose.look import label
from mlx_music_app.ui.style.theme import Space


class UndoBar(QFrame):
    """Shows itself, and goes away by itself."""

    undoPressed = Signal()

    SHOWN_MS = 12_000

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "undo")
        self._words = label("", "caption")
        self._undo = QPushButton("Undo")
        self._undo.setAccessibleName("Undo deleting")
        self._undo.clicked.connect(self._on_undo)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(Space.L, Space.S, Space.S, Space.S)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._undo)
        self._timer = QTimer(self, singleShot=True, interval=self.SHOWN_MS)
        self._timer.timeout.connect(self.hide)
        self.hide()

    def say(self, words: str, *, undo: bool = False) -> None:
        self._words.setText(words)
        self._undo.setVisible(undo)
        self.show()
        self._timer.start()

    def _on_undo(self) -> None:
        self.hide()
        self.undoPressed.emit()
