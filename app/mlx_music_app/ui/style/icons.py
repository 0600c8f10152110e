"""Icons: the project's own drawings, in whatever colour the theme has when they are painted."""

from __future__ import annotations

from functools import cache, lru_cache

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from mlx_music_app.resources import resource
from mlx_music_app.ui.style.theme import theme


def icon(name: str, color: str = "text_secondary", on: str = "") -> QIcon:
    """resources/icons/NAME.svg in a colour of the theme, `on` when it is checked.

    It follows the theme by itself. A missing drawing is a programmer's mistake: FileNotFoundError.
    """
    _source(name)
    return QIcon(_Engine(name, color, on or color))


def pixmap(name: str, color: str, points: int, ratio: float = 1.0) -> QPixmap:
    """A drawing as a picture of `points` by `points`, sharp at the screen's pixel ratio."""
    return _render(name, theme().hex(color), QSize(points, points) * ratio, ratio)


def mask_icon(name: str) -> QIcon:
    """Black with alpha: the menu bar colours it by itself."""
    result = QIcon()
    for ratio in (1.0, 2.0):
        result.addPixmap(_render(name, "#000000", QSize(18, 18) * ratio, ratio))
    result.setIsMask(True)
    return result


class _Engine(QIconEngine):
    def __init__(self, name: str, color: str, on: str) -> None:
        super().__init__()
        self._name, self._color, self._on = name, color, on

    def _hex(self, mode: QIcon.Mode, state: QIcon.State) -> str:
        if mode == QIcon.Mode.Disabled:
            return theme().hex("text_disabled")
        return theme().hex(self._on if state == QIcon.State.On else self._color)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        _renderer(self._name, self._hex(mode, state)).render(painter, QRectF(rect))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return _render(self._name, self._hex(mode, state), size)

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        return _render(self._name, self._hex(mode, state), size)

    def isNull(self) -> bool:
        return False

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._color, self._on)


def _render(name: str, hex_color: str, pixels: QSize, ratio: float = 1.0) -> QPixmap:
    picture = QPixmap(pixels)
    picture.fill(Qt.GlobalColor.transparent)
    side = min(pixels.width(), pixels.height())
    painter = QPainter(picture)
    # In a button, what is wider than high leaves the rest as a gap before the words.
    _renderer(name, hex_color).render(painter, QRectF(0, (pixels.height() - side) / 2, side, side))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


@cache
def _source(name: str) -> str:
    return resource(f"icons/{name}.svg").read_text("utf-8")


@lru_cache(maxsize=256)
def _renderer(name: str, hex_color: str) -> QSvgRenderer:
    text = _source(name).replace("currentColor", hex_color)
    return QSvgRenderer(QByteArray(text.encode()))
