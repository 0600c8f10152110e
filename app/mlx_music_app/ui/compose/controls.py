"""Editors of single values. Each takes anything a person types, and says what it cannot read.

They keep a value that they were given as it is, to the last digit, until it is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from mlx_music import InvalidRequest
from mlx_music_app.ui.compose.look import column, row
from mlx_music_app.ui.style.theme import set_state


class Control(QWidget):
    """An editor of one field. `value` raises `InvalidRequest` for what cannot be read."""

    changed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def value(self) -> Any:
        raise NotImplementedError

    def set_value(self, value: Any) -> None:
        """Show `value`; `changed` is emitted if that is another one."""
        raise NotImplementedError

    def state(self) -> Any:
        """What is shown, also where it makes no sense, as JSON can hold it."""
        return self.value()

    def set_state(self, state: Any) -> None:
        """Show what `state` gave. TypeError or ValueError for anything else."""
        self.set_value(state)

    def field(self) -> QWidget:
        """The widget that the keyboard goes to."""
        raise NotImplementedError

    def set_invalid(self, invalid: bool) -> None:
        set_state(self.field(), "invalid", invalid)


class Choices(QComboBox):
    """A menu of choices that scrolling past does not change."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class NumbersControl(Control):
    """Whole numbers with commas between them."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.edit = QLineEdit()
        self.edit.setAcceptDrops(False)
        self.edit.setPlaceholderText("None")
        self.edit.textChanged.connect(self.changed)
        self.setLayout(row(self.edit))

    def value(self) -> Any:
        text = self.edit.text().strip()
        try:
            return tuple(int(part) for part in text.split(",")) if text else ()
        except ValueError as error:
            problem = f'"{text}" is not a list of whole numbers such as 1,2,3'
            raise InvalidRequest(self.name, problem) from error

    def set_value(self, value: Any) -> None:
        self.edit.setText(",".join(str(number) for number in value))

    def state(self) -> Any:
        return self.edit.text()

    def set_state(self, state: Any) -> None:
        self.edit.setText(state)

    def field(self) -> QWidget:
        return self.edit


class ChoiceControl(Control):
    """One of a few; "" stands for None where the field may have no value."""

    def __init__(self, name: str, choices: Mapping[str, str], *, optional: bool = False) -> None:
        super().__init__(name)
        self._optional = optional
        self.menu = Choices()
        for value, words in choices.items():
            self.menu.addItem(words, value)
        self.menu.currentIndexChanged.connect(self.changed)
        self.setLayout(row(self.menu))

    def value(self) -> Any:
        value = self.menu.currentData()
        return None if self._optional and not value else value

    def set_value(self, value: Any) -> None:
        value = value or ""
        place = self.menu.findData(value)
        if place < 0:  # shown, and refused where all fields are checked
            self.menu.addItem(str(value), value)
            place = self.menu.count() - 1
        self.menu.setCurrentIndex(place)

    def set_state(self, state: Any) -> None:
        if state is not None and not isinstance(state, str):
            raise TypeError(state)
        self.set_value(state)

    def field(self) -> QWidget:
        return self.menu


class SwitchControl(Control):
    def __init__(self, name: str, words: str) -> None:
        super().__init__(name)
        self.box = QCheckBox(words)
        self.box.toggled.connect(self.changed)
        self.setLayout(row(self.box))

    def value(self) -> bool:
        return self.box.isChecked()

    def set_value(self, value: Any) -> None:
        self.box.setChecked(bool(value))

    def field(self) -> QWidget:
        return self.box


class TextControl(Control):
    """Text of one line, or of several."""

    def __init__(self, name: str, *, lines: int = 1, placeholder: str = "") -> None:
        super().__init__(name)
        self.edit: QLineEdit | QPlainTextEdit
        if lines == 1:
            self.edit = QLineEdit()
        else:
            self.edit = QPlainTextEdit()
            self.edit.setTabChangesFocus(True)
            self.edit.setFixedHeight(lines * self.fontMetrics().lineSpacing() + 22)
        self.edit.setAcceptDrops(False)
        self.edit.setPlaceholderText(placeholder)
        self.edit.textChanged.connect(self.changed)
        self._exact = ("", "")
        self.setLayout(row(self.edit))

    def _shown(self) -> str:
        edit = self.edit
        return edit.text() if isinstance(edit, QLineEdit) else edit.toPlainText()

    def value(self) -> str:
        shown = self._shown()
        # Qt shows some characters as others, such as a space that does not break.
        return self._exact[1] if shown == self._exact[0] else shown

    def set_value(self, value: Any) -> None:
        edit = self.edit
        edit.setText(value) if isinstance(edit, QLineEdit) else edit.setPlainText(value)
        self._exact = (self._shown(), value)

    def set_state(self, state: Any) -> None:
        if not isinstance(state, str):
            raise TypeError(state)
        self.set_value(state)

    def field(self) -> QWidget:
        return self.edit


class FileControl(Control):
    """A file's path, typed or chosen; None when it is empty."""

    def __init__(self, name: str, title: str, pattern: str) -> None:
        super().__init__(name)
        self._title, self._pattern = title, pattern
        self.edit = QLineEdit()
        self.edit.setAcceptDrops(False)
        self.edit.setPlaceholderText("None")
        self.edit.textChanged.connect(self.changed)
        choose = QPushButton("Choose…")
        choose.setAccessibleName(title)
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose)
        self.setLayout(column(row(self.edit, choose)))

    def value(self) -> Any:
        return self.edit.text() or None

    def set_value(self, value: Any) -> None:
        self.edit.setText(value or "")

    def set_state(self, state: Any) -> None:
        if state is not None and not isinstance(state, str):
            raise TypeError(state)
        self.set_value(state)

    def field(self) -> QWidget:
        return self.edit

    def _choose(self) -> None:
        start = str(Path(self.edit.text()).parent) if self.edit.text() else ""
        path, _ = QFileDialog.getOpenFileName(self, self._title, start, self._pattern)
        if path:
            self.edit.setText(path)
