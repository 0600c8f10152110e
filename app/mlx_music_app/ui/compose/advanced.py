"""The drawer with every other field of a request, under its headings."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from mlx_music.request import WORKING_GROUP, limit_of
from mlx_music_app.ui.compose.fields import FIELDS, GROUPS, FieldRow
from mlx_music_app.ui.compose.grid import FieldGrid
from mlx_music_app.ui.compose.look import button, column, label, row
from mlx_music_app.ui.compose.words import GROUPS as HEADINGS
from mlx_music_app.ui.style.icons import icon

#: Of the fields that matter only for work on a recording, this one is for all music.
_SPEAKER = "speaker_embedding"

ADVANCED_FIELDS = tuple(
    name
    for title in GROUPS[1:]
    for name in FIELDS
    if limit_of(name).group == title and (title != WORKING_GROUP or name == _SPEAKER)
)


class AdvancedDrawer(QFrame):
    """Closed at first; its header says how many of its fields are not at their default."""

    changed = Signal(str)  # a field
    opened = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.rows = {name: FieldRow(name) for name in ADVANCED_FIELDS}
        self.header = button("Advanced", "quiet", icon_name="chevron-right")
        self.header.clicked.connect(self._toggle)
        self.count = label("", "badge", wrap=False)
        self.count.setProperty("tone", "accent")
        self.count.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.reset_all = button("Reset all", "link")
        self.reset_all.setAccessibleName("Reset all advanced settings")
        self.reset_all.clicked.connect(self.reset)
        self._body: QWidget | None = None
        self._box = column(row(self.header, self.count, 1, self.reset_all), gap=8, margin=8)
        self.setLayout(self._box)
        self.open(False)
        for made in self.rows.values():
            made.changed.connect(self._changed)
        self._changed("")

    def reset(self) -> None:
        """Every field to its default."""
        for made in self.rows.values():
            made.set_value(made.default)

    def open(self, is_open: bool = True) -> None:
        self.is_open = is_open
        if is_open and self._body is None:
            # Not before it is looked at: styling a hundred widgets takes its time.
            self._body = QWidget()
            self._box.addWidget(self._body)
            sections = [self._section(title) for title in GROUPS[1:]]
            self._body.setLayout(column(*sections, gap=24, margin=8))
        if self._body is not None:
            self._body.setVisible(is_open)
        self.header.setIcon(icon("chevron-down" if is_open else "chevron-right"))
        state = "open" if is_open else "closed"
        self.header.setAccessibleName(f"Advanced settings, {state}")
        if is_open:
            self.opened.emit()

    def _section(self, title: str) -> QWidget:
        mine = [made for name, made in self.rows.items() if limit_of(name).group == title]
        section = QWidget()
        heading = label(HEADINGS.get(title, title), "heading", wrap=False)
        section.setLayout(column(heading, FieldGrid(mine), gap=12))
        return section

    def _toggle(self) -> None:
        self.open(not self.is_open)

    def _changed(self, name: str) -> None:
        count = sum(made.is_changed() for made in self.rows.values())
        self.count.setText(f"{count} changed")
        self.count.setVisible(bool(count))
        self.reset_all.setVisible(bool(count))
        if name:
            self.changed.emit(name)
