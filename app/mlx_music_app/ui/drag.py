"""Files, dragged out of the window into any program."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QSize, Qt, QUrl
from PySide6.QtGui import QDrag, QFontMetrics, QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from mlx_music_app.ui.style.icons import pixmap as icon_pixmap
from mlx_music_app.ui.style.theme import Radius, theme

log = logging.getLogger(__name__)

_HEIGHT, _WIDEST = 34, 320  # points


def start_drag(widget: QWidget, paths: Sequence[Path], pixmap: QPixmap | None = None) -> bool:
    """Drag files until they are dropped; True if a program took them.

    The files must be complete, and must stay: some programs go on reading them where they are.
    What is missing is left out. pixmap: what hangs on the pointer, by default a card with names.
    """
    files = [path.absolute() for path in paths if path.is_file()]
    if len(files) < len(paths):
        log.warning("not dragged, because they are missing: %s", set(paths) - set(files))
    if not files:
        return False
    if pixmap is None or pixmap.isNull():
        pixmap = drag_card(files, widget.devicePixelRatioF())
    drag = QDrag(widget)
    drag.setMimeData(mime_data(files))
    drag.setPixmap(pixmap)
    drag.setHotSpot(QPoint(16, _HEIGHT // 2))
    # Only ever a copy: with Cmd held, a Finder would move the take out of the library.
    return drag.exec(Qt.DropAction.CopyAction) == Qt.DropAction.CopyAction


def mime_data(paths: Sequence[Path]) -> QMimeData:
    """Absolute file URLs: relative ones are dropped in silence on a Mac."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path.absolute())) for path in paths])
    return data


def drag_card(paths: Sequence[Path], ratio: float = 1.0) -> QPixmap:
    """A small card with the first file's name and how many more there are."""
    text = paths[0].name if len(paths) == 1 else f"{paths[0].name} and {len(paths) - 1} more"
    font = theme().font("label")
    metrics = QFontMetrics(font)
    room = _WIDEST - 16 - 18 - 8 - 12
    text = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, room)
    size = QSize(12 + 18 + 8 + metrics.horizontalAdvance(text) + 14, _HEIGHT)
    card = QPixmap(size * ratio)
    card.setDevicePixelRatio(ratio)
    card.fill(Qt.GlobalColor.transparent)
    painter = QPainter(card)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(theme().color("border_strong"))
    painter.setBrush(theme().color("raised"))
    painter.drawRoundedRect(1, 1, size.width() - 2, size.height() - 2, Radius.CARD, Radius.CARD)
    painter.drawPixmap(12, (_HEIGHT - 18) // 2, icon_pixmap("music", "accent", 18, ratio))
    painter.setPen(theme().color("text"))
    painter.setFont(font)
    painter.drawText(38, (_HEIGHT + metrics.ascent() - metrics.descent()) // 2, text)
    painter.end()
    return card
