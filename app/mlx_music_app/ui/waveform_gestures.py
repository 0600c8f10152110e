"""What the mouse does in a waveform.

As in the editors that musicians know: a click moves the playhead, dragging over the sound selects
a region, its edges can be moved, dragging the region itself takes it out of the window, and
dragging in the ruler moves the playhead along.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt

if TYPE_CHECKING:
    from mlx_music_app.ui.time_axis import TimeAxis

Region = tuple[float, float]

#: How near to an edge still means the edge, in pixels.
_NEAR = 5.0

#: A region that is shorter is a click that slipped.
SHORTEST_REGION = 0.02  # seconds


class Zone(enum.Enum):
    """Where the pointer is."""

    NOWHERE = enum.auto()
    RULER = enum.auto()
    SOUND = enum.auto()
    START = enum.auto()  # of the region
    END = enum.auto()
    REGION = enum.auto()
    GRIP = enum.auto()  # takes the whole take out


CURSORS = {
    Zone.NOWHERE: Qt.CursorShape.ArrowCursor,
    Zone.RULER: Qt.CursorShape.PointingHandCursor,
    Zone.SOUND: Qt.CursorShape.IBeamCursor,
    Zone.START: Qt.CursorShape.SizeHorCursor,
    Zone.END: Qt.CursorShape.SizeHorCursor,
    Zone.REGION: Qt.CursorShape.OpenHandCursor,
    Zone.GRIP: Qt.CursorShape.OpenHandCursor,
}

HINTS = {
    Zone.NOWHERE: "",
    Zone.RULER: "Drag to move the playhead",
    Zone.SOUND: (
        "Click to move the playhead, drag to select a region.\n"
        "Scroll to zoom, scroll sideways to move along; I and O set the region's edges."
    ),
    Zone.START: "Drag to move the start of the region",
    Zone.END: "Drag to move the end of the region",
    Zone.REGION: (
        "Drag the region into another program.\nEsc removes it, Shift and drag selects anew."
    ),
    Zone.GRIP: "Drag the whole take into another program",
}


class Action(enum.Enum):
    """What a movement turned out to be."""

    NONE = enum.auto()
    SEEK = enum.auto()
    SELECT = enum.auto()  # the region is being changed
    DRAG_REGION = enum.auto()
    DRAG_ALL = enum.auto()


@dataclass
class Layout:
    """Where things are, in the widget's pixels."""

    ruler: QRectF
    sound: QRectF
    grip: QRectF

    def zone(self, at: QPointF, axis: TimeAxis, region: Region | None) -> Zone:
        if axis.duration <= 0:
            return Zone.NOWHERE
        if self.grip.contains(at):
            return Zone.GRIP
        if region is not None and not self.ruler.contains(at):
            start, end = axis.x(region[0]), axis.x(region[1])
            # Outside of a narrow region counts more than inside, so that it can be dragged out.
            inner = min(_NEAR, (end - start) / 3)
            if start - _NEAR <= at.x() <= start + inner:
                return Zone.START
            if end - inner <= at.x() <= end + _NEAR:
                return Zone.END
            if start < at.x() < end:
                return Zone.REGION
        if self.ruler.contains(at):
            return Zone.RULER
        return Zone.SOUND


class Gestures:
    """Follows one press of the button. `region` is what the view has to show and to keep."""

    def __init__(self, drag_distance: int) -> None:
        self.region: Region | None = None
        self._drag_distance = drag_distance
        self._zone = Zone.NOWHERE
        self._pressed = QPointF()
        self._anchor = 0.0  # seconds: the end of the selection that stays
        self._moved = False

    @property
    def busy(self) -> bool:
        return self._zone != Zone.NOWHERE

    def press(self, zone: Zone, at: QPointF, axis: TimeAxis, shift: bool) -> Action:
        self._zone, self._pressed, self._moved = zone, at, False
        seconds = axis.seconds(at.x())
        if shift and zone in (Zone.SOUND, Zone.REGION):
            self._zone = Zone.SOUND
            if self.region is not None and zone == Zone.SOUND:
                # As with text: the region reaches to here now.
                start, end = self.region
                self._anchor = end if seconds < start else start
                self._moved = True
                self._reach(seconds)
                return Action.SELECT
        self._anchor = seconds
        if zone == Zone.START and self.region is not None:
            self._anchor = self.region[1]
        elif zone == Zone.END and self.region is not None:
            self._anchor = self.region[0]
        return Action.SEEK if zone == Zone.RULER else Action.NONE

    def move(self, at: QPointF, axis: TimeAxis) -> Action:
        if self._zone == Zone.NOWHERE:
            return Action.NONE
        if self._zone == Zone.RULER:
            return Action.SEEK
        if not self._moved and (at - self._pressed).manhattanLength() < self._drag_distance:
            return Action.NONE
        self._moved = True
        if self._zone == Zone.GRIP:
            self._zone = Zone.NOWHERE
            return Action.DRAG_ALL
        if self._zone == Zone.REGION:
            self._zone = Zone.NOWHERE
            return Action.DRAG_REGION
        self._reach(axis.seconds(at.x()))
        return Action.SELECT

    def release(self) -> Action:
        """SEEK if it was a click, SELECT if the region is what it is now."""
        zone, moved = self._zone, self._moved
        self._zone = Zone.NOWHERE
        if zone in (Zone.SOUND, Zone.START, Zone.END) and moved:
            region = self.region
            if region is not None and region[1] - region[0] < SHORTEST_REGION:
                self.region = None
            return Action.SELECT
        return Action.SEEK if zone in (Zone.SOUND, Zone.REGION) else Action.NONE

    def cancel(self) -> None:
        self._zone = Zone.NOWHERE

    def _reach(self, seconds: float) -> None:
        self.region = (min(self._anchor, seconds), max(self._anchor, seconds))
