"""Rows of the form: a label, an editor, "reset", and what is wrong, made from a field's limits."""

from __future__ import annotations

import dataclasses
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QWidget

from mlx_music import GenerationRequest, InvalidRequest
from mlx_music.request import check_field, limit_of
from mlx_music_app.ui.compose.controls import (
    ChoiceControl,
    Control,
    FileControl,
    NumbersControl,
    SwitchControl,
    TextControl,
)
from mlx_music_app.ui.compose.look import column, icon_button, label, row
from mlx_music_app.ui.compose.number_control import NumberControl
from mlx_music_app.ui.compose.words import CHOICES, HELP, STEPS, label_of, sentence

FIELDS = {spec.name: spec for spec in dataclasses.fields(GenerationRequest)}

#: The headings of the fields, in the order in which the request has them.
GROUPS = tuple(dict.fromkeys(limit_of(name).group for name in FIELDS))


def make_control(name: str) -> Control:
    """The editor that fits a field's type and limits."""
    kind, limit = str(FIELDS[name].type), limit_of(name)
    if kind == "bool":
        return SwitchControl(name, label_of(name))
    if limit.choices:
        choices = CHOICES.get(name, {choice: choice for choice in limit.choices})
        return ChoiceControl(name, choices, optional="None" in kind)
    if kind == "tuple[int, ...]":
        return NumbersControl(name)
    if kind in ("int", "int | None", "float"):
        span = (limit.high or 0.0) - (limit.low or 0.0)
        return NumberControl(
            name,
            limit,
            whole=kind != "float",
            optional="None" in kind,
            time=limit.unit == "seconds",
            step=STEPS.get(name),
            slider=kind == "float" and (0 < span <= 1 or name in STEPS),
            placeholder="New for each job" if kind == "int | None" else "",
        )
    if kind == "str | None":
        return FileControl(
            name, f"Choose a {label_of(name).lower()}", "Numbers (*.npy *.safetensors)"
        )
    return TextControl(name, lines=2 if name == "source_prompt" else 5)


class FieldRow(QWidget):
    """One field of a request, with its label, help, "reset to default" and error."""

    changed = Signal(str)  # the field

    def __init__(
        self,
        name: str,
        control: Control | None = None,
        *,
        help: str | None = None,
        resettable: bool = True,
    ) -> None:
        super().__init__()
        self.name = name
        self._resettable = resettable
        self.control = control or make_control(name)
        self.default: Any = FIELDS[name].default
        self.words = label_of(name)
        help = HELP.get(name, limit_of(name).help) if help is None else help
        self.reset_button = icon_button("reset", f"Reset {self.words.lower()} to its default")
        self.reset_button.setFixedSize(22, 22)
        self.reset_button.clicked.connect(self.reset)
        # The place of the button is kept, so that nothing moves when it appears.
        policy = self.reset_button.sizePolicy()
        policy.setRetainSizeWhenHidden(resettable)
        self.reset_button.setSizePolicy(policy)
        self.error = label("", "error")
        self.error.hide()
        self.help = label(help, "hint")
        self.help.setVisible(bool(help))
        self._name_widgets(help)
        if isinstance(self.control.field(), QCheckBox):
            top = row(self.control, 1, self.reset_button)
            self.setLayout(column(top, self.help, self.error, gap=2))
        else:
            title = label(self.words, "label", wrap=False)
            title.setBuddy(self.control.field())
            top = row(title, 1, self.reset_button)
            self.setLayout(column(top, self.control, self.help, self.error, gap=4))
        self.control.changed.connect(self._changed)
        self.control.set_value(self.default)
        self._changed()

    def value(self) -> Any:
        """The value, checked. Raises `InvalidRequest`."""
        value = self.control.value()
        check_field(self.name, value)
        return value

    def set_value(self, value: Any) -> None:
        self.control.set_value(value)

    def set_default(self, default: Any) -> None:
        """Another default, which an unchanged field takes on."""
        follow = not self.is_changed()
        self.default = default
        if follow:
            self.control.set_value(default)
        self._changed()

    def reset(self) -> None:
        """Back to the default, with the keyboard still here."""
        self.control.set_value(self.default)
        self.control.field().setFocus()

    def is_changed(self) -> bool:
        try:
            return bool(self.control.value() != self.default)
        except InvalidRequest:
            return True

    def show_problem(self, problem: str) -> None:
        """What is wrong with the value, "" for nothing."""
        words = sentence(self.name, problem) if problem else ""
        self.error.setText(words)
        self.error.setVisible(bool(words))
        self.control.set_invalid(bool(words))
        self.control.field().setAccessibleDescription(words or self.help.text())

    def _name_widgets(self, help: str) -> None:
        field = self.control.field()
        field.setAccessibleName(self.words)
        field.setAccessibleDescription(help)
        slider = getattr(self.control, "slider", None)
        if slider is not None:
            slider.setAccessibleName(f"{self.words}, slider")

    def _changed(self) -> None:
        self.reset_button.setVisible(self._resettable and self.is_changed())
        self.changed.emit(self.name)
