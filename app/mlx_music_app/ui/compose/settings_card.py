"""The card beside the lyrics: how long, how many, which seed, and who makes it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QSizePolicy, QWidget

from mlx_music_app.ui.compose.form import Form
from mlx_music_app.ui.compose.look import Segments, column, label
from mlx_music_app.ui.compose.pickers import ModelPicker, VoicePicker
from mlx_music_app.ui.style.theme import set_role

MAX_TAKES = 8


class SettingsCard(QFrame):
    """Holds the form's duration, seed and adapters, and pickers of its own."""

    takesChanged = Signal()

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self.model = ModelPicker()
        self.voice = VoicePicker()
        numbers = [(str(number), str(number)) for number in range(1, MAX_TAKES + 1)]
        self.takes_control = Segments(numbers, "Variations")
        self.takes_control.choose("1")
        self.takes_control.chosen.connect(self._takes_chosen)
        for number, _ in numbers:
            # Eight of them have to fit beside the lyrics.
            self.takes_control.button(number).setFixedWidth(34)
            self.takes_control.button(number).setStyleSheet("padding: 4px 0px;")
        variations = QWidget()
        title = label("Variations", "label", wrap=False)
        title.setBuddy(self.takes_control.button("1"))
        variations.setLayout(column(title, self.takes_control, gap=4))
        line = QFrame()
        set_role(line, "line")
        parts: list[QWidget] = [
            form.duration, variations, form.seed, line, self.model, self.voice, form.lora,
        ]  # fmt: skip
        box = column(*parts, gap=16, margin=16)
        box.addStretch(1)
        self.setLayout(box)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    @property
    def takes(self) -> int:
        return int(self.takes_control.value() or 1)

    def set_takes(self, takes: int) -> None:
        self.takes_control.choose(str(min(max(takes, 1), MAX_TAKES)))
        self.takesChanged.emit()

    def _takes_chosen(self, _: str) -> None:
        self.takesChanged.emit()
