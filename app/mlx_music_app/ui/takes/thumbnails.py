"""Small waveforms for the list's rows, made off the main thread for what is on the screen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Signal

from mlx_music import AudioError
from mlx_music_app.background import Background
from mlx_music_app.library.peaks import peaks_of
from mlx_music_app.library.take import Take

#: Columns of a thumbnail.
COLUMNS = 40


class Thumbnails(QObject):
    """Heights of bars, 0 to 1, by take. What scrolled away before its turn is not made."""

    ready = Signal(int)  # id of the take

    KEPT = 600
    WAITING = 24
    AT_ONCE = 1

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._bars: OrderedDict[int, np.ndarray | None] = OrderedDict()
        self._waiting: OrderedDict[int, Take] = OrderedDict()
        self._running: set[int] = set()

    def bars(self, take: Take) -> np.ndarray | None:
        """Float32 of shape (COLUMNS,); None while it is being made, or where there is no file."""
        if take.id in self._bars:
            return self._bars[take.id]
        if not take.missing and take.id not in self._running:
            self._waiting[take.id] = take
            self._waiting.move_to_end(take.id)
            while len(self._waiting) > self.WAITING:
                self._waiting.popitem(last=False)
            self._next()
        return None

    def forget(self, take_id: int) -> None:
        """The take's file may be another now."""
        self._bars.pop(take_id, None)

    def _next(self) -> None:
        while self._waiting and len(self._running) < self.AT_ONCE:
            take_id, take = self._waiting.popitem(last=False)
            self._running.add(take_id)
            self._background.run(_measuring(take), self._done, self._failed)

    def _done(self, result: tuple[int, np.ndarray | None]) -> None:
        take_id, bars = result
        self._running.discard(take_id)
        self._bars[take_id] = bars
        while len(self._bars) > self.KEPT:
            self._bars.popitem(last=False)
        self.ready.emit(take_id)
        self._next()

    def _failed(self, error: Exception) -> None:
        # `_measuring` turns what a file can do to us into None: the rest is logged by Background.
        self._running.clear()
        self._next()


def _measuring(take: Take) -> Callable[[], tuple[int, np.ndarray | None]]:
    def measure() -> tuple[int, np.ndarray | None]:
        try:
            lows, highs = peaks_of(take.path).slice(0.0, take.duration, COLUMNS)
        except AudioError:
            # A file that cannot be read says so when it is opened; here is just no picture.
            return take.id, None
        heights = np.maximum(-lows, highs).max(axis=0)
        loudest = float(heights.max(initial=0.0))
        return take.id, heights / loudest if loudest > 0 else heights

    return measure
