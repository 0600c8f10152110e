"""A line that tells what has just happened to the form, with a way back."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QFrame

from mlx_music_app.ui.compose.look import button, icon_button, row
from mlx_music_app.ui.long_text import WrappedLabel


class Notice(QFrame):
    """Hidden until there is something to tell."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "notice")
        self.words = WrappedLabel(role="caption")
        self.undo = button("Undo", "link")
        self.close_button = icon_button("close", "Hide this message")
        self.undo.clicked.connect(self._go_back)
        self.close_button.clicked.connect(self.hide)
        box = row(self.words, self.undo, self.close_button)
        box.setContentsMargins(12, 4, 4, 4)
        box.setStretch(0, 1)
        self.setLayout(box)
        self._way_back: Callable[[], None] | None = None
        self.hide()

    def tell(self, words: str, way_back: Callable[[], None] | None = None) -> None:
        """Show `words`; `way_back` is what Undo does, which tells what it has done."""
        self.words.setText(words)
        self._way_back = way_back
        self.undo.setVisible(way_back is not None)
        self.show()

    def settle(self) -> None:
        """Hide what has been read by now. A way back stays until it is closed."""
        if self._way_back is None:
            self.hide()

    def _go_back(self) -> None:
        if self._way_back is not None:
            self._way_back()
