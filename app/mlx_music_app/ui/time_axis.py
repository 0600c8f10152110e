"""Which stretch of time a view shows, and where a moment lies in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mlx_music_app.ui.words import clock

#: Nobody needs less than this across a whole window: single samples can be seen then.
SHORTEST = 0.01  # seconds

#: Distances between marks that people count in, in seconds.
_STEPS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 600.0)
_PARTS = {15.0: 3, 30.0: 3, 60.0: 6}  # smaller marks between two; elsewhere 5

_MARK_ROOM = 72.0  # pixels that a mark with its label wants


class Mark(NamedTuple):
    """A line of the ruler; label is "" for the small ones between."""

    seconds: float
    label: str


@dataclass
class TimeAxis:
    """Shows `start` to `end` (seconds, of `duration`) on `width` pixels, from `left`."""

    duration: float = 0.0
    width: float = 1.0
    left: float = 0.0
    start: float = 0.0
    end: float = 0.0

    @property
    def span(self) -> float:
        return max(self.end - self.start, 1e-9)

    @property
    def zoomed(self) -> bool:
        """Whether less than everything is shown."""
        return self.span < self.duration - 1e-9

    def x(self, seconds: float) -> float:
        return self.left + (seconds - self.start) / self.span * self.width

    def seconds(self, x: float) -> float:
        """The moment at `x`, which lies within the sound."""
        at = self.start + (x - self.left) / max(self.width, 1e-9) * self.span
        return min(max(at, 0.0), self.duration)

    def set_duration(self, duration: float) -> None:
        self.duration = max(duration, 0.0)
        self.fit()

    def fit(self) -> None:
        self.start, self.end = 0.0, self.duration

    def zoom(self, factor: float, around: float) -> None:
        """Show `1 / factor` as much, with the moment `around` staying where it is."""
        around = min(max(around, self.start), self.end)
        span = min(max(self.span / factor, min(SHORTEST, self.duration)), self.duration)
        share = (around - self.start) / self.span
        self._show(around - share * span, span)

    def show(self, start: float, end: float) -> None:
        """Show a stretch and a little around it."""
        margin = (end - start) * 0.1
        span = min(max(end - start + 2 * margin, SHORTEST), self.duration)
        self._show((start + end - span) / 2, span)

    def scroll(self, seconds: float) -> None:
        self._show(self.start + seconds, self.span)

    def follow(self, position: float) -> bool:
        """Turn the page when the playhead leaves the view; True if it was turned."""
        if self.start <= position <= self.end or not self.zoomed:
            return False
        self._show(position - 0.05 * self.span, self.span)
        return True

    def marks(self) -> list[Mark]:
        """Round moments that are shown, so far apart that their labels have room."""
        if self.duration <= 0 or self.width <= 0:
            return []
        wanted = self.span * _MARK_ROOM / self.width
        step = next((step for step in _STEPS if step >= wanted), _STEPS[-1])
        parts = _PARTS.get(step, 5)
        small = step / parts
        first, last = int(self.start / small), int(self.end / small) + 1
        marks = []
        for index in range(first, last + 1):
            seconds = index * small
            if self.start <= seconds <= self.end:
                label = clock(seconds, _digits(step), down=True) if index % parts == 0 else ""
                marks.append(Mark(seconds, label))
        return marks

    def _show(self, start: float, span: float) -> None:
        self.start = min(max(start, 0.0), max(self.duration - span, 0.0))
        self.end = min(self.start + span, self.duration)


def _digits(step: float) -> int:
    return 0 if step >= 1 else 1 if step >= 0.1 else 2 if step >= 0.01 else 3
