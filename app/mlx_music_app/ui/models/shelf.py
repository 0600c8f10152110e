"""A card of small things that were installed: rows, or a line that says how to get the first."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from mlx_music_app.ui.compose.look import column, label, row
from mlx_music_app.ui.models.notice import Notice
from mlx_music_app.ui.style import icons
from mlx_music_app.ui.style.theme import Space, theme


class ShelfRow(QWidget):
    """A picture, a name, a line about it, and its buttons."""

    def __init__(self, icon: str, name: str, text: str, *buttons: QWidget) -> None:
        super().__init__()
        self._icon = icon
        self._picture = label(wrap=False)
        self._picture.setFixedSize(18, 18)
        self.name = label(name, "label", wrap=False)
        self.text = label(text, wrap=False)
        words = column(self.name, self.text, gap=0)
        self.setLayout(row(self._picture, words, 1, *buttons, gap=Space.M))
        self.setAccessibleName(name)
        theme().changed.connect(self._draw)
        self._draw()

    def _draw(self) -> None:
        self._picture.setPixmap(
            icons.pixmap(self._icon, "text_secondary", 18, self.devicePixelRatioF())
        )


class Shelf(QFrame):
    """The card itself."""

    def __init__(self, empty: str, *buttons: QWidget) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.rows: list[ShelfRow] = []
        self._rows = QVBoxLayout()
        self._rows.setSpacing(Space.M)
        self.empty = label(empty)
        self.notice = Notice()
        box = column(self._rows, self.empty, self.notice, gap=Space.M, margin=Space.L)
        if buttons:
            box.addLayout(row(*buttons, 1))
        self.setLayout(box)

    def set_rows(self, rows: Sequence[ShelfRow]) -> None:
        for old in self.rows:
            self._rows.removeWidget(old)
            old.hide()
            old.deleteLater()
        self.rows = list(rows)
        for new in rows:
            self._rows.addWidget(new)
        self.empty.setVisible(not rows)
