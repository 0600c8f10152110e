"""The adapters of a request: files with a weight each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QLabel, QVBoxLayout, QWidget

from mlx_music.errors import InvalidRequest
from mlx_music.limits import MAX_LORA_WEIGHT, MIN_LORA_WEIGHT, Limit
from mlx_music.request import parse_lora
from mlx_music_app.ui.compose.controls import Control
from mlx_music_app.ui.compose.look import button, column, icon_button, label, row
from mlx_music_app.ui.compose.number_control import NumberControl

_LIMIT = Limit("", "", low=MIN_LORA_WEIGHT, high=MAX_LORA_WEIGHT)


class LoraEntry(QWidget):
    """One adapter. Its text stays as it was given until its weight is changed."""

    changed = Signal()
    removed = Signal(object)  # self

    def __init__(self, entry: str) -> None:
        super().__init__()
        self._entry = entry
        try:
            self.path, weight = parse_lora(entry)
        except InvalidRequest:  # shown as it is, and refused where all fields are checked
            self.path, weight = entry, 1.0
        # A hub id says more than its last part.
        short = Path(self.path).name if Path(self.path).is_absolute() else self.path
        name = label(short, "label", wrap=False)
        name.setToolTip(self.path)
        name.setMinimumWidth(40)
        self.weight = NumberControl("lora", _LIMIT, step=0.05, slider=True)
        self.weight.edit.setFixedWidth(60)
        self.weight.set_value(weight)
        self.weight.edit.setAccessibleName(f"Weight of {short}")
        if self.weight.slider is not None:
            self.weight.slider.setAccessibleName(f"Weight of {short}, slider")
        self.remove = icon_button("close", f"Remove {short}")
        self.remove.clicked.connect(self._remove)
        self.setLayout(column(row(name, 1, self.remove), self.weight, gap=0))
        self._weight = weight
        self.weight.changed.connect(self.changed)

    def entry(self) -> str:
        """As the field `lora` spells it. Raises `InvalidRequest` for a weight out of range."""
        weight = self.weight.value()
        if weight == self._weight:
            return self._entry
        entry = f"{self.path}:{weight!r}"
        parse_lora(entry)
        return entry

    def _remove(self) -> None:
        self.removed.emit(self)


class LoraControl(Control):
    """The field `lora`."""

    def __init__(self) -> None:
        super().__init__("lora")
        self.entries: list[LoraEntry] = []
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(8)
        self.none = label("None", "hint", wrap=False)
        self.add_button = button("Add file…", "link", icon_name="plus")
        self.add_button.setAccessibleName("Add an adapter from a file")
        self.add_button.clicked.connect(self._choose)
        self.setLayout(column(self._list, row(self.none, 1, self.add_button), gap=4))

    def value(self) -> Any:
        return tuple(made.entry() for made in self.entries)

    def set_value(self, value: Any) -> None:
        if tuple(made._entry for made in self.entries) == tuple(value) and not self._touched():
            return
        for made in self.entries:
            self._list.removeWidget(made)
            made.hide()
            made.deleteLater()
        self.entries = []
        for entry in value:
            self._append(entry)
        self._edited()

    def add(self, path: str, weight: float = 1.0) -> None:
        """Put an adapter at the end, unless it is there."""
        if all(made.path != path for made in self.entries):
            self._append(f"{path}:{weight!r}")
            self._edited()

    def state(self) -> Any:
        return [{"entry": made._entry, "weight": made.weight.state()} for made in self.entries]

    def set_state(self, state: Any) -> None:
        self.set_value(tuple(str(one["entry"]) for one in state))
        for made, one in zip(self.entries, state, strict=True):
            made.weight.set_state(one["weight"])

    def field(self) -> QWidget:
        return self.add_button

    def set_invalid(self, invalid: bool) -> None:
        """Shown by the words below the list."""

    def _touched(self) -> bool:
        try:
            return any(made.entry() != made._entry for made in self.entries)
        except InvalidRequest:
            return True

    def _append(self, entry: str) -> None:
        made = LoraEntry(entry)
        made.changed.connect(self._edited)
        made.removed.connect(self._remove)
        self.entries.append(made)
        self._list.addWidget(made)
        made.show()  # now, and not when Qt gets to it: the page grows with it

    def _remove(self, made: LoraEntry) -> None:
        self.entries.remove(made)
        self._list.removeWidget(made)
        made.hide()
        made.deleteLater()
        self.add_button.setFocus()
        self._edited()

    def _edited(self) -> None:
        self.none.setVisible(not self.entries)
        self.changed.emit()

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Add an adapter", "", "Adapters (*.safetensors);;All files (*)"
        )
        if path:
            self.add(path)


def name_label(control: LoraControl) -> QLabel:
    """The label above the list."""
    made = label("Adapters (LoRA)", "label", wrap=False)
    made.setBuddy(control.add_button)
    return made
