"""A take's family: what it was made from, and what was made from it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from mlx_music_app.library.take import Take
from mlx_music_app.ui.long_text import ElidedButton
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space
from mlx_music_app.ui.takes.model import number_words
from mlx_music_app.ui.words import clock

_VERBS = {
    "retake": "varied",
    "repaint": "painted anew",
    "extend": "extended",
    "edit": "edited",
}


class FamilyTree(QWidget):
    """One row per take, further in for each generation; a press goes there."""

    pressed = Signal(int)

    #: More would push everything else out of sight.
    SHOWN = 24

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(1)
        self._rows: list[QPushButton] = []
        self._shown: tuple[list[Take], int] = ([], -1)

    def set_family(self, takes: Sequence[Take], current: int) -> None:
        """The root first, each child somewhere after its parent."""
        if (list(takes), current) == self._shown:
            return
        self._shown = (list(takes), current)
        for row in self._rows:
            self._box.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = []
        for take, depth in in_order(takes)[: self.SHOWN]:
            self._rows.append(self._row(take, depth, take.id == current))
            self._box.addWidget(self._rows[-1])

    def _row(self, take: Take, depth: int, current: bool) -> QPushButton:
        verb = made_how(take)
        facts = f"  ·  {verb}" if verb else ""
        # Long titles are alike in the beginning: what tells them apart is never cut off.
        row = ElidedButton(take.title, f"{number_words(take)}{facts}  ·  {clock(take.duration)}")
        row.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row.setToolTip(take.name)
        row.setProperty("role", "nav")
        row.setProperty("take", take.id)
        row.setIcon(icon("family" if depth else "music", "text_tertiary"))
        row.setCheckable(True)
        row.setChecked(current)
        row.setStyleSheet(f"margin-left: {min(depth, 6) * Space.L}px;")
        row.setCursor(Qt.CursorShape.PointingHandCursor)
        row.clicked.connect(self._on_clicked)
        return row

    def _on_clicked(self) -> None:
        row = self.sender()
        assert isinstance(row, QPushButton)
        row.setChecked(row.property("take") == self._shown[1])
        self.pressed.emit(row.property("take"))


def made_how(take: Take) -> str:
    """ "extended", "from a reference", or nothing for new music."""
    if take.request.task == "text2music":
        return "from a reference" if take.parent is not None else ""
    return _VERBS.get(take.request.task, "")


def in_order(takes: Sequence[Take]) -> list[tuple[Take, int]]:
    """Each take with its depth, children right after their parent, as in an outline."""
    known = {take.id for take in takes}
    children: dict[int | None, list[Take]] = {}
    for take in takes:
        parent = take.parent if take.parent in known else None
        children.setdefault(parent, []).append(take)
    result: list[tuple[Take, int]] = []
    waiting = [(take, 0) for take in reversed(children.get(None, []))]
    while waiting:
        take, depth = waiting.pop()
        result.append((take, depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(take.id, []))]
    return result
