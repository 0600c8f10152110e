"""The picture of a song that takes shape: its mel, in the theme's own colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QEasingCurve, QRectF, QSize, Qt, QVariantAnimation, Slot
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from mlx_music_app.ui.style.theme import Radius, theme

#: Milliseconds in which a new picture takes the place of the old one.
FADE = 220

#: No more columns than a screen shows: songs of minutes have thousands.
MAX_COLUMNS = 1024

#: From silence to loud: where on the way, the colour, and how much of it lies on the background.
_STOPS = (
    (0.00, "accent", 0.00),
    (0.25, "accent", 0.06),
    (0.60, "accent", 0.50),
    (0.82, "accent", 1.00),
    (1.00, "text", 1.00),
)

#: Of 0 to 255: what is drawn as silence, and as loudest. Music seldom uses the rest.
_DARKEST, _BRIGHTEST = 50, 215


def colour_table(background: str = "sunken") -> list[int]:
    """256 colours of the theme as it is now, from silence to loud, as QImage takes them."""
    base = theme().color(background)
    stops = [(at, _mixed(base, theme().color(name), share)) for at, name, share in _STOPS]
    table = []
    for value in range(256):
        at = min(max((value - _DARKEST) / (_BRIGHTEST - _DARKEST), 0.0), 1.0)
        upper = next(i for i, (place, _) in enumerate(stops) if place >= at)
        low, high = stops[max(upper - 1, 0)], stops[upper]
        width = high[0] - low[0]
        table.append(_mixed(low[1], high[1], (at - low[0]) / width if width else 0.0).rgb())
    return table


def _mixed(one: QColor, other: QColor, share: float) -> QColor:
    parts = zip(one.getRgbF()[:3], other.getRgbF()[:3], strict=True)  # type: ignore[index]
    return QColor.fromRgbF(*(a + (b - a) * share for a, b in parts))


def narrowed(picture: np.ndarray[Any, Any], columns: int) -> np.ndarray[Any, Any]:
    """At most so many columns, by taking the loudest of neighbours: beats stay to be seen."""
    group = -(-picture.shape[1] // columns)
    if group <= 1:
        return picture
    padded = np.pad(picture, ((0, 0), (0, -picture.shape[1] % group)), mode="edge")
    narrow: np.ndarray[Any, Any] = padded.reshape(picture.shape[0], -1, group).max(axis=2)
    return narrow


class LivePicture(QWidget):
    """Paints a picture of sound, uint8 (bins, columns), low frequencies at the bottom.

    A new one fades in over the old. Without one, an empty field that says so to screen readers.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Picture of the song")
        self._new: np.ndarray[Any, Any] | None = None
        self._old: np.ndarray[Any, Any] | None = None
        self._image: QImage | None = None
        self._pixels: np.ndarray[Any, Any] | None = None  # what the image looks into
        self._colours: list[int] = []
        self._fade = QVariantAnimation(self)
        self._fade.setDuration(FADE)
        self._fade.setStartValue(0.0)
        self._fade.setEndValue(1.0)
        self._fade.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._fade.valueChanged.connect(self._blend)
        theme().changed.connect(self._recolour)
        self._recolour()

    def sizeHint(self) -> QSize:
        return QSize(240, 64)

    def picture(self) -> np.ndarray[Any, Any] | None:
        """What is shown, or on its way to be."""
        return self._new

    def set_picture(self, picture: np.ndarray[Any, Any] | None) -> None:
        """Show another one; None for nothing."""
        self._fade.stop()
        if picture is None:
            self._new = self._old = self._image = None
            self.setAccessibleDescription("Nothing to see yet")
            self.update()
            return
        new = narrowed(picture, MAX_COLUMNS)
        # From what is on the screen, which may be half-way.
        self._old, self._new = self._pixels if self._image is not None else None, new
        self.setAccessibleDescription("The song as it sounds by now, low notes at the bottom")
        if self._old is None or self._old.shape != new.shape or not self.isVisible():
            self._blend(1.0)
        else:
            self._fade.start()

    @Slot(object)
    def _blend(self, share: float) -> None:
        new = self._new
        if new is None:
            return
        if share < 1.0 and self._old is not None and self._old.shape == new.shape:
            old = self._old.astype(np.int16)
            mixed = (old + (new - old) * share).astype(np.uint8)
        else:
            mixed = new
        self._show(mixed)

    def _show(self, pixels: np.ndarray[Any, Any]) -> None:
        bins, columns = pixels.shape
        self._pixels = pixels
        flipped = np.ascontiguousarray(pixels[::-1])
        image = QImage(flipped.data, columns, bins, columns, QImage.Format.Format_Indexed8)
        image.setColorTable(self._colours)
        self._image = image.convertToFormat(QImage.Format.Format_RGB32)  # its own copy
        self.update()

    @Slot()
    def _recolour(self) -> None:
        self._colours = colour_table()
        if self._pixels is not None and self._image is not None:
            self._show(self._pixels)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        corners = QPainterPath()
        corners.addRoundedRect(QRectF(self.rect()), Radius.SMALL, Radius.SMALL)
        painter.setClipPath(corners)
        if self._image is None:
            painter.fillRect(self.rect(), theme().color("sunken"))
            painter.setPen(Qt.PenStyle.NoPen)
        else:
            painter.drawImage(QRectF(self.rect()), self._image)
        painter.end()
