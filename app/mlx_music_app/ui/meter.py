"""How loud it is: two bars with the highest peak of the last moments."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from mlx_music_app.audio.mixer import Levels
from mlx_music_app.ui.style.theme import theme

#: The left end of the bars. dB below full scale.
_FLOOR = -54.0

#: Where the colours change: loud, and about to clip.
_MID, _HIGH = -9.0, -1.5

#: How the bars fall, and how long the highest peak stays.
_FALL, _HOLD = 40.0, 1.2  # dB a second; seconds

_STEP = 1 / 30


def decibels(level: float) -> float:
    """Of full scale; silence is the meter's floor."""
    return max(20 * math.log10(level), _FLOOR) if level > 0 else _FLOOR


class LevelMeter(QWidget):
    """The loudness as a bar, with the peak as a line before it, left above right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._loudness = [_FLOOR, _FLOOR]
        self._peak = [_FLOOR, _FLOOR]
        self._held = [0.0, 0.0]
        self._timer = QTimer(self)
        self._timer.setInterval(round(_STEP * 1000))
        self._timer.timeout.connect(self._fall)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Level")
        self.setToolTip("Level: bars are the loudness (RMS), lines the peaks")

    def set_levels(self, levels: Levels) -> None:
        """Show what is heard now; from there it falls by itself."""
        for side in range(2):
            # RMS of a sine lies 3 dB below its peak; shown as if it did not.
            self._loudness[side] = max(self._loudness[side], decibels(levels.rms[side]) + 3.0)
            peak = decibels(levels.peak[side])
            if peak >= self._peak[side]:
                self._peak[side], self._held[side] = peak, _HOLD
        if not self._timer.isActive() and max(*levels.peak, *levels.rms) > 0:
            self._timer.start()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(84, 14)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        height = (self.height() - 4) / 2
        for side in range(2):
            bar = QRectF(0, side * (height + 4), self.width(), height)
            painter.setBrush(theme().color("track"))
            painter.drawRoundedRect(bar, height / 2, height / 2)
            self._paint_bar(painter, bar, self._loudness[side])
            self._paint_peak(painter, bar, self._peak[side])

    def _paint_bar(self, painter: QPainter, bar: QRectF, loudness: float) -> None:
        painter.save()
        for color, start, end in (
            ("meter_low", _FLOOR, _MID),
            ("meter_mid", _MID, _HIGH),
            ("meter_high", _HIGH, 0.0),
        ):
            if loudness > start:
                left, right = _x(bar, start), _x(bar, min(loudness, end))
                painter.setClipRect(QRectF(left, bar.top(), right - left, bar.height()))
                painter.setBrush(theme().color(color))
                painter.drawRoundedRect(bar, bar.height() / 2, bar.height() / 2)
        painter.restore()

    def _paint_peak(self, painter: QPainter, bar: QRectF, peak: float) -> None:
        if peak <= _FLOOR:
            return
        name = "meter_high" if peak > _HIGH else "meter_mid" if peak > _MID else "meter_low"
        painter.setBrush(theme().color(name))
        painter.drawRect(QRectF(max(_x(bar, peak) - 2, bar.left()), bar.top(), 2, bar.height()))

    def _fall(self) -> None:
        for side in range(2):
            self._loudness[side] = max(self._loudness[side] - _FALL * _STEP, _FLOOR)
            self._held[side] -= _STEP
            if self._held[side] <= 0:
                self._peak[side] = max(self._peak[side] - _FALL * _STEP, _FLOOR)
        if max(*self._loudness, *self._peak) <= _FLOOR:
            self._timer.stop()
        self.update()


def _x(bar: QRectF, level: float) -> float:
    share = (min(level, 0.0) - _FLOOR) / -_FLOOR
    return bar.left() + share * bar.width()
