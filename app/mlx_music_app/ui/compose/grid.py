"""Rows of fields in as many columns as there is room for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from mlx_music_app.ui.compose.fields import FieldRow
from mlx_music_app.ui.style.theme import Space

_COLUMN, _LEAST = 230, 160


class FieldGrid(QWidget):
    """Lays out those of its fields that are shown. `wide` ones take a whole line."""

    def __init__(self, rows: Sequence[FieldRow], wide: Collection[str] = ()) -> None:
        super().__init__()
        self._rows, self._wide = list(rows), frozenset(wide)
        self._shown = {made.name for made in rows}
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(Space.XL)
        self._grid.setVerticalSpacing(Space.L)
        for made in self._rows:
            made.setParent(self)
        self._place(2)

    def show_only(self, names: Collection[str]) -> None:
        """Show these fields; a grid without any is hidden."""
        self._shown = set(names)
        self.setVisible(any(made.name in self._shown for made in self._rows))
        self._place(self._columns)

    def minimumSizeHint(self) -> QSize:
        # That of one column, or it could never have fewer than it has.
        return QSize(_LEAST, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        columns = max(1, min(4, (self.width() + Space.XL) // (_COLUMN + Space.XL)))
        if columns != self._columns:
            self._place(columns)

    def _place(self, columns: int) -> None:
        for made in self._rows:
            # Not takeAt: what it gives lives on, and keeps the widget's size of now.
            self._grid.removeWidget(made)
        for column in range(max(self._columns, columns)):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        self._columns = columns
        line = column = 0
        for made in self._rows:
            made.setVisible(made.name in self._shown)
            if made.name not in self._shown:
                continue
            is_wide = made.name in self._wide
            if column and is_wide:
                line, column = line + 1, 0
            self._grid.addWidget(
                made, line, column, 1, columns if is_wide else 1, Qt.AlignmentFlag.AlignTop
            )
            column = columns if is_wide else column + 1
            if column >= columns:
                line, column = line + 1, 0
