"""A slider that goes where it is clicked."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QSlider, QWidget

_UNIT = 1000  # steps a second


class JumpSlider(QSlider):
    """Horizontal; a press moves the handle there, and it can be dragged on from there."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setMinimumHeight(20)  # the style's own is less high than the handle

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self.setSliderDown(True)
        self._go_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._go_to(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def _go_to(self, x: float) -> None:
        margin = 7.0  # half of the handle
        share = (x - margin) / max(self.width() - 2 * margin, 1.0)
        span = self.maximum() - self.minimum()
        value = self.minimum() + round(min(max(share, 0.0), 1.0) * span)
        if value != self.value():
            self.setValue(value)
            self.sliderMoved.emit(value)


class SeekBar(JumpSlider):
    """Where playback is, in seconds. While it is dragged, the position is not followed."""

    seekRequested = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Position")
        self.setEnabled(False)
        self.sliderMoved.connect(self._on_moved)

    def set_duration(self, seconds: float) -> None:
        self.setRange(0, round(seconds * _UNIT))
        self.setEnabled(seconds > 0)

    def set_position(self, seconds: float) -> None:
        if not self.isSliderDown():
            self.setValue(round(seconds * _UNIT))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: -1.0,
            Qt.Key.Key_Right: 1.0,
            Qt.Key.Key_PageUp: -10.0,
            Qt.Key.Key_PageDown: 10.0,
        }
        key = Qt.Key(event.key())
        if key in steps:
            self._on_moved(self.value() + round(steps[key] * _UNIT))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._on_moved(self.minimum() if key == Qt.Key.Key_Home else self.maximum())
        else:
            event.ignore()

    def _on_moved(self, value: int) -> None:
        self.seekRequested.emit(min(max(value, 0), self.maximum()) / _UNIT)
