"""The picture of a sound, drawn once for each size, zoom and theme."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap

from mlx_music_app.ui.style.theme import theme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mlx_music_app.ui.time_axis import TimeAxis

#: Below this height in points, both channels are drawn as one.
_TALL = 110.0

#: How opaque the peaks are; the loudness (RMS) within them is drawn in full.
_PEAKS_ALPHA = 0.55

#: Part of a lane that full scale may take.
_FILL = 0.94


class PeaksLike(Protocol):
    """What is needed of `library.peaks.Peaks`."""

    @property
    def duration(self) -> float: ...

    def slice(
        self, start: float, end: float, columns: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...

    def rms(self, start: float, end: float, columns: int) -> NDArray[np.float32]: ...


class WaveformPicture:
    """Keeps the drawn waveform, in the colours of what is played and of what is not."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._unplayed, self._played = QPixmap(), QPixmap()

    def forget(self) -> None:
        self._key = ()

    def draw(
        self,
        painter: QPainter,
        area: QRectF,
        axis: TimeAxis,
        peaks: PeaksLike,
        playhead: float,
        ratio: float,
    ) -> None:
        """Paint into `area`: the left of `playhead` (x) in the colour of what was played.

        Raises `mlx_music.AudioError` if the file must be read, and cannot be.
        """
        self._prepare(area, axis, peaks, ratio)
        split = min(max(playhead, area.left()), area.right())
        for pixmap, left, right in (
            (self._played, area.left(), split),
            (self._unplayed, split, area.right()),
        ):
            target = QRectF(left, area.top(), right - left, area.height())
            source = QRectF(
                (left - area.left()) * ratio, 0, target.width() * ratio, area.height() * ratio
            )
            painter.drawPixmap(target, pixmap, source)

    def _prepare(self, area: QRectF, axis: TimeAxis, peaks: PeaksLike, ratio: float) -> None:
        columns, rows = round(area.width() * ratio), round(area.height() * ratio)
        key = (columns, rows, axis.start, axis.end, id(peaks), theme().dark)
        if key == self._key:
            return
        shape = _shape(peaks, axis, columns, rows, lanes=area.height() >= _TALL)
        self._unplayed = _pixmap(shape, theme().color("waveform"))
        self._played = _pixmap(shape, theme().color("waveform_played"))
        self._key = key


def _shape(
    peaks: PeaksLike, axis: TimeAxis, columns: int, rows: int, *, lanes: bool
) -> NDArray[np.float32]:
    """How opaque every pixel is: (rows, columns) from 0 to 1."""
    low, high = peaks.slice(axis.start, axis.end, columns)
    loud = peaks.rms(axis.start, axis.end, columns)
    if not lanes or len(low) == 1:
        low, high = low.min(axis=0, keepdims=True), high.max(axis=0, keepdims=True)
        loud = loud.max(axis=0, keepdims=True)
    shape = np.zeros((rows, columns), np.float32)
    edges = np.linspace(0, rows, len(low) + 1).round().astype(int)
    for channel, (top, bottom) in enumerate(pairwise(edges)):
        lane = _covered(low[channel], high[channel], bottom - top) * _PEAKS_ALPHA
        body = np.minimum(loud[channel], np.maximum(high[channel], -low[channel]))
        np.maximum(lane, _covered(-body, body, bottom - top), out=lane)
        shape[top:bottom] = lane
    return shape


def _covered(low: NDArray[np.float32], high: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """How much of each pixel lies between two curves: that is what makes smooth edges."""
    # A curve that rises steeply must not fall apart: every column reaches to the one before.
    low, high = low.copy(), high.copy()
    low[1:], high[1:] = np.minimum(low[1:], high[:-1]), np.maximum(high[1:], low[:-1])
    middle, scale = rows / 2, rows / 2 * _FILL
    top = middle - np.clip(high, -1, 1) * scale
    bottom = middle - np.clip(low, -1, 1) * scale
    thin = np.maximum(1 - (bottom - top), 0) / 2  # silence is a line of one pixel
    row = np.arange(rows, dtype=np.float32)[:, None]
    covered = np.minimum(bottom + thin, row + 1) - np.maximum(top - thin, row)
    return np.clip(covered, 0, 1).astype(np.float32)


def _pixmap(shape: NDArray[np.float32], color: QColor) -> QPixmap:
    rows, columns = shape.shape
    alpha = shape * (color.alphaF() * 255)
    pixels = np.empty((rows, columns, 4), np.uint8)
    # Blue, green, red, alpha: ARGB32 as it lies in memory, multiplied with alpha.
    for plane, value in enumerate((color.blueF(), color.greenF(), color.redF(), 1.0)):
        pixels[:, :, plane] = (alpha * value + 0.5).astype(np.uint8)
    image = QImage(
        pixels.data, columns, rows, 4 * columns, QImage.Format.Format_ARGB32_Premultiplied
    )
    # The image stands on the array's memory, and a pixmap may stand on the image's.
    return QPixmap.fromImage(image.copy())
