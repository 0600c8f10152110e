"""An editor of one number."""

from __future__ import annotations

import math
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QSlider, QWidget

from mlx_music import InvalidRequest
from mlx_music.limits import Limit
from mlx_music_app.ui.compose.controls import Control
from mlx_music_app.ui.compose.look import row
from mlx_music_app.ui.compose.times import plain, read_clock
from mlx_music_app.ui.words import clock


class Slider(QSlider):
    """A slider that scrolling past does not move."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setMinimumHeight(22)  # of the handle, which the style makes larger than the hint
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class NumberControl(Control):
    """A number to type, with the arrow keys and, where its range is known, a slider.

    time: shown and read as minutes:seconds. An `optional` one is None when it is empty.
    """

    def __init__(
        self,
        name: str,
        limit: Limit,
        *,
        whole: bool = False,
        optional: bool = False,
        time: bool = False,
        step: float | None = None,
        slider: bool = False,
        placeholder: str = "",
    ) -> None:
        super().__init__(name)
        self._limit, self._whole, self._optional, self._time = limit, whole, optional, time
        self.edit = QLineEdit()
        self.edit.setPlaceholderText(placeholder)
        self.edit.setAcceptDrops(False)
        self.edit.textChanged.connect(self._typed)
        self.edit.installEventFilter(self)
        span = (limit.high or 0.0) - (limit.low or 0.0)
        self._step = step or (1.0 if whole or span > 10 else 0.05)
        self._exact: tuple[str, Any] = ("", None)
        self.slider: Slider | None = None
        box = row(self.edit)
        if slider and limit.low is not None and limit.high is not None:
            self.slider = Slider()
            self.set_high(limit.high)
            self.slider.valueChanged.connect(self._slid)
            self.edit.setFixedWidth(76)
            box = row(self.slider, self.edit, gap=12)
        self.setLayout(box)

    def set_high(self, high: float) -> None:
        """Where the slider ends; what is typed is checked elsewhere."""
        if self.slider is not None:
            with QSignalBlocker(self.slider):
                low = self._limit.low or 0.0
                self.slider.setRange(0, max(1, round((high - low) / self._step)))
                self.slider.setPageStep(max(1, self.slider.maximum() // 12))
            self._move_slider()

    def value(self) -> Any:
        text = self.edit.text().strip()
        if self._exact[0] == text:
            return self._exact[1]
        if not text and self._optional:
            return None
        try:
            if self._time:
                return read_clock(text)
            return int(text) if self._whole else float(text.replace(",", "."))
        except ValueError as error:
            words = "a whole number" if self._whole else "a number"
            words = "a time such as 1:30" if self._time else words
            must = f"; it must be {self._limit.range}" if self._limit.range else ""
            problem = f'"{text}" is not {words}{must}' if text else f"is empty{must}"
            raise InvalidRequest(self.name, problem) from error

    def set_value(self, value: Any) -> None:
        text = ""
        if value is not None:
            text = (
                clock(value, 3, short=True) if self._time and math.isfinite(value) else plain(value)
            )
        exact = (text, value)
        same = text == self.edit.text() and exact == self._exact
        self._exact = exact
        with QSignalBlocker(self.edit):
            self.edit.setText(text)
        self._move_slider()
        if not same:
            self.changed.emit()

    def state(self) -> Any:
        text = self.edit.text()
        return {"text": text, "exact": self._exact[1]} if text == self._exact[0] else text

    def set_state(self, state: Any) -> None:
        if isinstance(state, dict):
            exact = state["exact"]
            if exact is not None and not isinstance(exact, int | float):
                raise TypeError(exact)
            self.set_value(exact)
        elif isinstance(state, str):
            self.edit.setText(state)
        else:
            raise TypeError(state)

    def field(self) -> QWidget:
        return self.edit

    def step(self, times: int) -> None:
        """Up or down by the arrow keys, within the limits."""
        try:
            value = self.value()
        except InvalidRequest:
            return
        value = (value or 0) + times * self._step
        if self._limit.low is not None:
            value = max(value, self._limit.low)
        if self._limit.high is not None:
            value = min(value, self._limit.high)
        self.set_value(round(value) if self._whole else round(value, 6))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            steps = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()), 0)
            if steps:
                wide = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
                self.step(steps * (10 if wide else 1))
                return True
        return super().eventFilter(watched, event)

    def _typed(self) -> None:
        self._move_slider()
        self.changed.emit()

    def _slid(self, place: int) -> None:
        value = (self._limit.low or 0.0) + place * self._step
        self.set_value(round(value) if self._whole else round(value, 6))

    def _move_slider(self) -> None:
        if self.slider is None:
            return
        try:
            value = self.value()
        except InvalidRequest:
            return
        if value is not None and math.isfinite(value):
            place = (value - (self._limit.low or 0.0)) / self._step
            with QSignalBlocker(self.slider):
                self.slider.setValue(round(min(max(place, 0), self.slider.maximum())))
