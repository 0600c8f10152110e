"""Two takes against each other: the same moment of one and of the other."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QPushButton, QWidget

from mlx_music_app.library.take import Take
from mlx_music_app.ui.compose.look import icon_button
from mlx_music_app.ui.long_text import Elided
from mlx_music_app.ui.style.theme import Space
from mlx_music_app.ui.takes.model import number_words


class CompareBar(QFrame):
    """Says which is A and which is B, and changes between them without losing the place."""

    picked = Signal(object)  # Take, to be heard from where the other one is
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self._takes: list[Take] = []
        self._group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(Space.M, Space.S, Space.S, Space.S)
        layout.setSpacing(0)
        self.buttons: list[QPushButton] = []
        for place, letter in enumerate("AB"):
            made = QPushButton(letter)
            made.setProperty("role", "segment")
            made.setProperty("position", "first" if letter == "A" else "last")
            made.setCheckable(True)
            made.setToolTip(f"Hear {letter}. X changes between the two")
            self._group.addButton(made, place)
            self.buttons.append(made)
            layout.addWidget(made)
        self.names: list[Elided] = []
        for _ in "AB":
            name = Elided("caption")
            self.names.append(name)
            layout.addSpacing(Space.M)
            layout.addWidget(name, 1)
        close = icon_button("close", "Stop comparing")
        close.clicked.connect(self.close_comparison)
        layout.addWidget(close)
        self._group.idClicked.connect(self._on_clicked)
        self.hide()

    @property
    def active(self) -> bool:
        return bool(self._takes)

    @property
    def current(self) -> int:
        """0 while A is heard, 1 while B is."""
        return max(0, self._group.checkedId())

    def takes(self) -> list[Take]:
        return list(self._takes)

    def compare(self, first: Take, second: Take) -> None:
        """Begin, with A to be heard."""
        self._takes = [first, second]
        for made, name, take in zip(self.buttons, self.names, self._takes, strict=True):
            made.setAccessibleName(f"Hear {take.name}")
            name.setText(f"{made.text()}  {take.title}", number_words(take))
            name.setToolTip(take.name)
        self.show()
        self.pick(0)

    def toggle(self) -> None:
        """The other one."""
        if self.active:
            self.pick(1 - self.current)

    def pick(self, place: int) -> None:
        """Hear A (0) or B (1)."""
        if not self.active:
            return
        self.buttons[place].setChecked(True)
        self.picked.emit(self._takes[place])

    def forget(self, ids: object) -> None:
        """A take that is gone cannot be compared with."""
        if self.active and {take.id for take in self._takes} & set(ids):  # type: ignore[call-overload]
            self.close_comparison()

    def close_comparison(self) -> None:
        self._takes = []
        self.hide()
        self.closed.emit()

    def _on_clicked(self, place: int) -> None:
        self.pick(place)
