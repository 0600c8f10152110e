"""Where things can be dropped on Compose: zones that appear while something is dragged over it."""

from __future__ import annotations

from typing import NamedTuple

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from mlx_music_app.ui.drop import Dropped, what_was_dropped
from mlx_music_app.ui.style.icons import pixmap
from mlx_music_app.ui.style.theme import Radius, Space, theme


class Zone(NamedTuple):
    """A place to drop something, and what that means."""

    key: str
    title: str
    words: str
    icon: str


SETTINGS = Zone("settings", "Use its settings", "Fill the form in as it was", "settings")
WORK = Zone("work", "Work on it", "Repaint, extend, restyle or sing other words", "repaint")
REFERENCE = Zone("reference", "Start from it", "New music with its melody and sound", "reference")
ADAPTER = Zone("lora", "Add as adapter", "A LoRA for the next music", "plus")

#: What can be done with what; the first is what is meant where nobody says.
ZONES: dict[str, tuple[Zone, ...]] = {
    "audio": (REFERENCE, WORK),
    "own": (SETTINGS, WORK, REFERENCE),
    "settings": (SETTINGS,),
    "lora": (ADAPTER,),
}


class DropZones(QWidget):
    """Lies over the view while something that it can use is dragged there."""

    dropped = Signal(object, str)  # Dropped, key of the zone

    def __init__(self, view: QWidget) -> None:
        super().__init__(view)
        self._view = view
        self._offer: Dropped | None = None
        self._chosen = 0
        self.setAcceptDrops(True)
        self.setAccessibleName("Drop zones")
        view.setAcceptDrops(True)
        view.installEventFilter(self)
        self.hide()

    @property
    def zones(self) -> tuple[Zone, ...]:
        return () if self._offer is None else ZONES[self._offer.kind]

    def begin(self, offer: Dropped) -> None:
        """Show what can be done with `offer`."""
        self._offer, self._chosen = offer, 0
        self.setGeometry(self._view.rect())
        self.raise_()
        self.show()
        self.update()

    def area(self, key: str) -> QRectF:
        """Where a zone is."""
        place = [zone.key for zone in self.zones].index(key)
        return self._areas()[place]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._view:
            if isinstance(event, QDragEnterEvent) and event.type() == QEvent.Type.DragEnter:
                self._enter(event)
                return True
            if event.type() == QEvent.Type.Resize:
                self.setGeometry(self._view.rect())
        return False

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        self._enter(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._point_at(event.position())
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._point_at(event.position())
        offer, zones = self._offer, self.zones
        self.hide()
        if offer is None:
            event.ignore()
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.dropped.emit(offer, zones[self._chosen].key)

    def _enter(self, event: QDragEnterEvent) -> None:
        offer = what_was_dropped(event.mimeData())
        if offer.kind not in ZONES:
            event.ignore()  # the window's own, which says what is wrong with it
            self.hide()
            return
        self.begin(offer)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()

    def _point_at(self, point: QPointF) -> None:
        areas = self._areas()
        inside = [place for place, area in enumerate(areas) if area.contains(point)]
        nearest = min(
            range(len(areas)), key=lambda place: abs(areas[place].center().x() - point.x())
        )
        self._chosen = inside[0] if inside else nearest
        self.update()

    def _areas(self) -> list[QRectF]:
        count = max(1, len(self.zones))
        gap = float(Space.L)
        room = QRectF(self.rect()).adjusted(Space.XL, Space.XL, -Space.XL, -Space.XL)
        width = (room.width() - gap * (count - 1)) / count
        return [
            QRectF(room.left() + place * (width + gap), room.top(), width, room.height())
            for place in range(len(self.zones))
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = theme().color("window")
        painter.setOpacity(0.92)
        painter.fillRect(self.rect(), veil)
        painter.setOpacity(1.0)
        for place, (zone, area) in enumerate(zip(self.zones, self._areas(), strict=True)):
            self._paint_zone(painter, zone, area, place == self._chosen)
        painter.end()

    def _paint_zone(self, painter: QPainter, zone: Zone, area: QRectF, is_chosen: bool) -> None:
        colours = theme()
        pen = QPen(colours.color("accent" if is_chosen else "border_strong"), 2)
        if not is_chosen:
            pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.setBrush(colours.color("accent_soft" if is_chosen else "surface"))
        painter.drawRoundedRect(area, Radius.CARD, Radius.CARD)
        middle = area.center().y()
        picture = pixmap(
            zone.icon, "accent_text" if is_chosen else "text_secondary", 32, self.devicePixelRatio()
        )
        painter.drawPixmap(QPointF(area.center().x() - 16, middle - 60), picture)
        align = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        words = QRectF(area.left() + Space.L, middle - 12, area.width() - 2 * Space.L, 80)
        painter.setPen(colours.color("text"))
        painter.setFont(colours.font("heading"))
        painter.drawText(words, align, zone.title)
        painter.setPen(colours.color("text_secondary"))
        painter.setFont(colours.font("caption"))
        flags = align | Qt.TextFlag.TextWordWrap
        painter.drawText(words.adjusted(0, 26, 0, 20), flags, zone.words)
