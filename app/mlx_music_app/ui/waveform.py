"""A take's waveform: listen, select, zoom, drag out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QToolTip, QWidget

from mlx_music import MLXMusicError
from mlx_music_app.ui import waveform_paint as paint
from mlx_music_app.ui.time_axis import TimeAxis
from mlx_music_app.ui.waveform_gestures import CURSORS, HINTS, Action, Gestures, Layout, Region
from mlx_music_app.ui.waveform_picture import PeaksLike, WaveformPicture
from mlx_music_app.ui.words import clock

if TYPE_CHECKING:
    from mlx_music_app.library.take import Take

log = logging.getLogger(__name__)

_RULER, _PADDING, _GRIP = 26.0, 8.0, 28.0  # points

#: Zoom of one step of a wheel, and of a key.
_WHEEL_STEP, _KEY_STEP = 1.25, 1.6


class WaveformView(QWidget):
    """Shows one take. It plays nothing itself: it asks, and is told the position."""

    seekRequested = Signal(float)
    regionChanged = Signal(object)
    dragRequested = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._take: Take | None = None
        self._peaks: PeaksLike | None = None
        self._problem = ""
        self._position = 0.0
        self._looping = False
        self._axis = TimeAxis()
        self._picture = WaveformPicture()
        self._gestures = Gestures(QApplication.startDragDistance())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumHeight(72)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Waveform")
        self._describe()

    # What is shown

    @property
    def take(self) -> Take | None:
        return self._take

    @property
    def region(self) -> Region | None:
        """The selected stretch in seconds."""
        return self._gestures.region

    @property
    def position(self) -> float:
        return self._position

    @property
    def axis(self) -> TimeAxis:
        """What stretch of time is shown."""
        return self._axis

    def set_take(self, take: Take | None, peaks: PeaksLike | None = None) -> None:
        """Show a take; without peaks it says that they are on their way. Call again with them."""
        same = take is not None and self._take is not None and take.id == self._take.id
        self._take, self._peaks, self._problem = take, peaks, ""
        self._picture.forget()
        duration = peaks.duration if peaks is not None else take.duration if take else 0.0
        if not same or abs(duration - self._axis.duration) > 0.5:
            self._gestures.cancel()
            self._set_region(None)
            self._position = 0.0
            self._axis.set_duration(duration)
        self._describe()
        self.update()

    def set_position(self, seconds: float) -> None:
        """Move the playhead: only the strip that it crosses is painted again."""
        if seconds == self._position:
            return
        before, self._position = self._position, seconds
        if self._axis.follow(seconds) and not self._gestures.busy:
            self.update()
            return
        left, right = sorted((self._axis.x(before), self._axis.x(seconds)))
        self.update(QRect(int(left) - 6, 0, int(right - left) + 13, self.height()))

    def set_region(self, region: Region | None) -> None:
        """Select from outside; does nothing if it is selected already."""
        if region is not None:
            start, end = max(0.0, region[0]), min(region[1], self._axis.duration)
            region = (start, end) if end > start else None
        self._set_region(region)

    def set_looping(self, looping: bool) -> None:
        """Whether the region (or everything) is played again and again."""
        if looping != self._looping:
            self._looping = looping
            self.update()

    def zoom_in(self) -> None:
        self._zoom(_KEY_STEP, self._center())

    def zoom_out(self) -> None:
        self._zoom(1 / _KEY_STEP, self._center())

    def zoom_to_fit(self) -> None:
        self._axis.fit()
        self.update()

    def zoom_to_region(self) -> None:
        if self.region is not None:
            self._axis.show(*self.region)
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(640, 180)

    # Painting

    def layout_(self) -> Layout:
        """Where ruler, sound and grip are."""
        width, height = float(self.width()), float(self.height())
        return Layout(
            QRectF(0, 0, width - _GRIP, _RULER),
            QRectF(_PADDING, _RULER, width - 2 * _PADDING, height - _RULER - _PADDING),
            QRectF(width - _GRIP, 0, _GRIP, _RULER) if self._take else QRectF(),
        )

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()  # an exception's traceback would keep it, and Qt wants it gone

    def _paint(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        layout = self.layout_()
        paint.background(painter, QRectF(self.rect()))
        message = self._message()
        if message is not None:
            paint.message(painter, QRectF(self.rect()), *message)
        else:
            self._paint_sound(painter, layout)
        if self.property("keyboardFocus"):
            paint.focus(painter, QRectF(self.rect()))

    def _paint_sound(self, painter: QPainter, layout: Layout) -> None:
        axis, region = self._axis, self.region
        assert self._peaks is not None
        if region is not None:
            paint.region(painter, layout, axis, region)
        playhead = axis.x(self._position)
        try:
            self._picture.draw(
                painter, layout.sound, axis, self._peaks, playhead, self.devicePixelRatioF()
            )
        except MLXMusicError as error:
            # Deep in, the file itself is read; it may have gone since.
            log.warning("no waveform: %s", str(error))
            self._problem = "The file cannot be read any more"
            self.update()
            return
        paint.ruler(painter, layout, axis, region, self._looping)
        if region is not None:
            paint.region_edges(painter, layout, axis, region)
        paint.playhead(painter, layout, playhead)
        if axis.zoomed:
            paint.overview(painter, layout, axis, self.height())
        paint.grip(painter, layout.grip)

    def _message(self) -> tuple[str, str] | None:
        if self._take is None:
            return "Nothing selected", "Choose a take to see and hear it here."
        if self._take.missing:
            folder = str(self._take.path.parent)
            return "The file is not where it was", f"{self._take.path.name} was in {folder}."
        if self._problem:
            return self._problem, str(self._take.path)
        if self._peaks is None:
            return "", "Drawing the waveform…"
        return None

    # Mouse, wheel, trackpad

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._message() is not None:
            event.ignore()
            return
        at = event.position()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        zone = self.layout_().zone(at, self._axis, self.region)
        self._act(self._gestures.press(zone, at, self._axis, shift), at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position()
        if not self._gestures.busy:
            zone = self.layout_().zone(at, self._axis, self.region)
            shown = self._message() is None
            self.setCursor(CURSORS[zone] if shown else Qt.CursorShape.ArrowCursor)
            return
        self._scroll_at_edge(at.x())
        self._act(self._gestures.move(at, self._axis), at)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._gestures.busy:
            return
        action = self._gestures.release()
        self._act(action, event.position())
        if action == Action.SELECT:
            self._region_is_new()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """On a region: look at it closely; elsewhere: see everything."""
        region, seconds = self.region, self._axis.seconds(event.position().x())
        if region is not None and region[0] <= seconds <= region[1]:
            self.zoom_to_region()
        else:
            self.zoom_to_fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self._message() is not None:
            event.ignore()
            return
        pixels, angle = event.pixelDelta(), event.angleDelta()
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if abs(angle.x()) > abs(angle.y()) or shift:
            moved = pixels.x() or pixels.y() or (angle.x() or angle.y()) * 0.5
            self._axis.scroll(-moved * self._axis.span / max(self._axis.width, 1))
            self.update()
        elif angle.y():
            seconds = self._axis.seconds(event.position().x())
            self._zoom(_WHEEL_STEP ** (angle.y() / 120), seconds)
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and self._message() is None:
            kind = event.gestureType()
            if kind == Qt.NativeGestureType.ZoomNativeGesture:
                seconds = self._axis.seconds(event.position().x())
                self._zoom(max(0.2, 1 + event.value()), seconds)
                return True
            if kind == Qt.NativeGestureType.SmartZoomNativeGesture:
                if self._axis.zoomed or self.region is None:
                    self.zoom_to_fit()
                else:
                    self.zoom_to_region()
                return True
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            shown = self._message() is None
            zone = self.layout_().zone(QPointF(event.pos()), self._axis, self.region)
            QToolTip.showText(event.globalPos(), HINTS[zone] if shown else "", self)
            return True
        return super().event(event)

    def _act(self, action: Action, at: QPointF) -> None:
        if action == Action.SEEK:
            self._seek(self._axis.seconds(at.x()))
        elif action == Action.SELECT:
            self.update()
        elif action == Action.DRAG_REGION:
            self.dragRequested.emit(self.region)
        elif action == Action.DRAG_ALL:
            self.dragRequested.emit(None)

    def _scroll_at_edge(self, x: float) -> None:
        left, right = self._axis.left, self._axis.left + self._axis.width
        beyond = min(x - left, 0.0) + max(x - right, 0.0)
        if beyond and self._axis.zoomed:
            self._axis.scroll(beyond / self._axis.width * self._axis.span * 0.2)
            self.update()

    # Keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._message() is not None or not self._on_key(event):
            super().keyPressEvent(event)

    def _on_key(self, event: QKeyEvent) -> bool:
        key, modifiers = event.key(), event.modifiers()
        step = 1.0
        if modifiers & Qt.KeyboardModifier.ShiftModifier:
            step = 5.0
        elif modifiers & Qt.KeyboardModifier.AltModifier:
            step = 0.1
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._seek(self._position + (step if key == Qt.Key.Key_Right else -step))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._seek(0.0 if key == Qt.Key.Key_Home else self._axis.duration)
        elif key == Qt.Key.Key_I:
            self._edge_here(start=True)
        elif key == Qt.Key.Key_O:
            self._edge_here(start=False)
        elif key == Qt.Key.Key_Escape and (self.region is not None or self._gestures.busy):
            self._gestures.cancel()
            self._set_region(None)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_in()
        elif key == Qt.Key.Key_Minus:
            self.zoom_out()
        elif key == Qt.Key.Key_0:
            self.zoom_to_fit()
        else:
            return False
        return True

    def _edge_here(self, *, start: bool) -> None:
        """Put an edge of the region at the playhead; where that leaves nothing, to the end."""
        here, duration = self._position, self._axis.duration
        old_start, old_end = self.region or (0.0, duration)
        if start:
            self.set_region((here, old_end if old_end > here else duration))
        else:
            self.set_region((old_start if old_start < here else 0.0, here))

    # The rest

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        sound = self.layout_().sound
        self._axis.left, self._axis.width = sound.left(), max(sound.width(), 1.0)

    def _zoom(self, factor: float, around: float) -> None:
        self._axis.zoom(factor, around)
        self.update()

    def _center(self) -> float:
        """Keys zoom around the playhead if it can be seen."""
        axis = self._axis
        if axis.start <= self._position <= axis.end:
            return self._position
        return (axis.start + axis.end) / 2

    def _seek(self, seconds: float) -> None:
        seconds = min(max(seconds, 0.0), self._axis.duration)
        self.set_position(seconds)
        self._describe()
        self.seekRequested.emit(seconds)

    def _set_region(self, region: Region | None) -> None:
        if region != self._gestures.region:
            self._gestures.region = region
            self._region_is_new()

    def _region_is_new(self) -> None:
        self._describe()
        self.update()
        self.regionChanged.emit(self.region)

    def _describe(self) -> None:
        """What a screen reader says."""
        message = self._message()
        if message is not None:
            self.setAccessibleDescription(" ".join(filter(None, message)))
            return
        words = (
            f"Position {clock(self._position, 1, down=True)} of "
            f"{clock(self._axis.duration, 1, down=True)}."
        )
        if self.region is not None:
            start, end = (clock(edge, 1, down=True) for edge in self.region)
            words += f" Region from {start} to {end}."
        self.setAccessibleDescription(words)
