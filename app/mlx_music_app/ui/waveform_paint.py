"""How the parts of a waveform view are painted. Colours are the theme's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from mlx_music_app.ui.style.theme import Radius, theme
from mlx_music_app.ui.time_axis import TimeAxis

if TYPE_CHECKING:
    from mlx_music_app.ui.waveform_gestures import Layout, Region

_BAND = 5.0  # height of the region's band in the ruler


def background(painter: QPainter, area: QRectF) -> None:
    painter.setPen(QPen(theme().color("border"), 1))
    painter.setBrush(theme().color("surface"))
    painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), Radius.CARD, Radius.CARD)


def focus(painter: QPainter, area: QRectF) -> None:
    painter.setPen(QPen(theme().color("accent"), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(area.adjusted(1, 1, -1, -1), Radius.CARD, Radius.CARD)


def message(painter: QPainter, area: QRectF, title: str, words: str) -> None:
    """What is to be said instead of a waveform."""
    area = area.adjusted(16, 8, -16, -8)
    heading, body = theme().font("heading"), theme().font("body")
    height = QFontMetricsF(heading).height() + 4 if title else 0.0
    line = QFontMetricsF(body).height()
    top = area.center().y() - (height + line) / 2
    if title:
        painter.setFont(heading)
        painter.setPen(theme().color("text_secondary"))
        painter.drawText(
            QRectF(area.left(), top, area.width(), height), Qt.AlignmentFlag.AlignHCenter, title
        )
    painter.setFont(body)
    painter.setPen(theme().color("text_tertiary"))
    words = QFontMetricsF(body).elidedText(words, Qt.TextElideMode.ElideMiddle, area.width())
    painter.drawText(
        QRectF(area.left(), top + height, area.width(), line),
        Qt.AlignmentFlag.AlignHCenter,
        words,
    )


def ruler(
    painter: QPainter, layout: Layout, axis: TimeAxis, region: Region | None, looping: bool
) -> None:
    """Marks of time, and which part is looped."""
    area = layout.ruler
    if looping:
        start, end = region or (0.0, axis.duration)
        _band(painter, layout, axis, (start, end), theme().color("accent"))
    elif region is not None:
        _band(painter, layout, axis, region, theme().color("region"))
    font = theme().font("small")
    metrics = QFontMetricsF(font)
    painter.setFont(font)
    room = layout.grip.left() if not layout.grip.isNull() else area.right()
    for mark in axis.marks():
        x = round(axis.x(mark.seconds)) + 0.5
        height = 7.0 if mark.label else 3.0
        painter.setPen(QPen(theme().color("border_strong"), 1))
        painter.drawLine(QPointF(x, area.bottom() - height), QPointF(x, area.bottom()))
        if mark.label and x + 4 + metrics.horizontalAdvance(mark.label) < room:
            painter.setPen(theme().color("text_tertiary"))
            painter.drawText(QPointF(x + 4, area.bottom() - 4), mark.label)
    painter.setPen(QPen(theme().color("border"), 1))
    painter.drawLine(
        QPointF(1, area.bottom() + 0.5), QPointF(layout.sound.right() + 7, area.bottom() + 0.5)
    )


def _band(painter: QPainter, layout: Layout, axis: TimeAxis, region: Region, color: QColor) -> None:
    left = max(axis.x(region[0]), layout.sound.left())
    right = min(axis.x(region[1]), layout.sound.right())
    if right > left:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        band = QRectF(left, 3, right - left, _BAND)
        painter.drawRoundedRect(band, _BAND / 2, _BAND / 2)


def region(painter: QPainter, layout: Layout, axis: TimeAxis, where: Region) -> None:
    """The tint below the waveform."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("region"))
    painter.drawRect(_region_area(layout, axis, where))


def region_edges(painter: QPainter, layout: Layout, axis: TimeAxis, where: Region) -> None:
    """Edges with handles, and how long it is."""
    area = _region_area(layout, axis, where)
    color = theme().color("region_edge")
    for seconds in where:
        x = axis.x(seconds)
        if not layout.sound.left() - 1 <= x <= layout.sound.right() + 1:
            continue
        painter.setPen(QPen(color, 1.5))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawRoundedRect(QRectF(x - 3, area.center().y() - 11, 6, 22), 3, 3)
    _length(painter, area, where[1] - where[0])


def _region_area(layout: Layout, axis: TimeAxis, where: Region) -> QRectF:
    sound = layout.sound
    left = min(max(axis.x(where[0]), sound.left()), sound.right())
    right = min(max(axis.x(where[1]), sound.left()), sound.right())
    return QRectF(left, sound.top() + 1, right - left, sound.height() + 6)


def _length(painter: QPainter, area: QRectF, seconds: float) -> None:
    font = theme().font("small")
    metrics = QFontMetricsF(font)
    text = f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"
    width = metrics.horizontalAdvance(text) + 12
    if area.width() < width + 12:
        return
    chip = QRectF(area.left() + 6, area.top() + 6, width, metrics.height() + 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("accent"))
    painter.drawRoundedRect(chip, Radius.SMALL, Radius.SMALL)
    painter.setPen(theme().color("on_accent"))
    painter.setFont(font)
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, text)


def playhead(painter: QPainter, layout: Layout, x: float) -> None:
    if not layout.sound.left() - 1 <= x <= layout.sound.right() + 1:
        return
    color, top = theme().color("playhead"), layout.ruler.bottom()
    painter.setPen(QPen(color, 1.5))
    painter.drawLine(QPointF(x, top), QPointF(x, layout.sound.bottom() + 7))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawPolygon(
        QPolygonF([QPointF(x - 5, top - 7), QPointF(x + 5, top - 7), QPointF(x, top + 1)])
    )


def overview(painter: QPainter, layout: Layout, axis: TimeAxis, height: float) -> None:
    """Which part of the whole is shown, along the lower edge."""
    track = QRectF(layout.sound.left(), height - 6, layout.sound.width(), 3)
    left = track.left() + axis.start / axis.duration * track.width()
    width = max(axis.span / axis.duration * track.width(), 16.0)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("border_strong"))
    painter.drawRoundedRect(
        QRectF(min(left, track.right() - width), track.top(), width, 3), 1.5, 1.5
    )


def grip(painter: QPainter, area: QRectF) -> None:
    """Six dots, as everywhere where something can be taken."""
    if area.isNull():
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme().color("text_tertiary"))
    center = area.center()
    for column in (-2.5, 2.5):
        for row in (-5.0, 0.0, 5.0):
            painter.drawEllipse(center + QPointF(column, row), 1.4, 1.4)
