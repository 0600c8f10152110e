"""Words to click beside the style, a group of them at a time."""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton, QWidget

from mlx_music_app.ui.compose.look import Flow, Segments, button, column
from mlx_music_app.ui.compose.roving import Roving
from mlx_music_app.ui.compose.tags import TagField
from mlx_music_app.ui.compose.vocabulary import SHOWN, VOCABULARY


class Suggestions(QWidget):
    """Chips that put words into the style, and show which of them stand there."""

    def __init__(self, field: TagField) -> None:
        super().__init__()
        self._field = field
        self._kind = next(iter(VOCABULARY))
        self.kinds = Segments([(kind, kind) for kind in VOCABULARY], "Suggestions")
        self.kinds.choose(self._kind)
        self.kinds.chosen.connect(self._show)
        self._flow = Flow(6)
        # The same buttons for every group: each change of the window's style touches all there are.
        self.chips = [button("", "chip") for _ in range(SHOWN)]
        for chip in self.chips:
            chip.setCheckable(True)
            chip.clicked.connect(self._clicked)
            self._flow.addWidget(chip)
        holder = QWidget()
        holder.setLayout(self._flow)
        self.setLayout(column(self.kinds, holder))
        self._roving = Roving(self.chips, self)
        self._field.textChanged.connect(self._refresh)
        self._show(self._kind)

    def chip(self, word: str) -> QPushButton:
        """The chip of a word that is shown. Raises StopIteration for one that is not."""
        return next(chip for chip in self.chips if chip.text() == word)

    def _show(self, kind: str) -> None:
        self._kind = kind
        words = VOCABULARY[kind][:SHOWN]
        for place, chip in enumerate(self.chips):
            chip.setVisible(place < len(words))
            if place < len(words):
                chip.setText(words[place])
                chip.setAccessibleName(f"{kind}: {words[place]}")
        self._roving.start()
        self._refresh()

    def _clicked(self) -> None:
        chip = self.sender()
        if isinstance(chip, QPushButton):
            self._field.toggle(chip.text())

    def _refresh(self) -> None:
        mine = {tag.casefold() for tag in self._field.tags()}
        for chip in self.chips:
            chip.setChecked(chip.text().casefold() in mine)
