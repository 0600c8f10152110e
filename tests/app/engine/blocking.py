"""How long the main thread is kept from its events: what a person feels as stutter."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer

#: Milliseconds between two looks.
INTERVAL = 5

#: On Linux: nanoseconds that this thread has run, and has waited for a core though it could run.
_SCHEDULING = Path("/proc/thread-self/schedstat")


class BlockMeter(QObject):
    """Measures how late a timer of the main thread is, in seconds.

    blocks: how late each tick was, less what the thread waited for a core meanwhile: that is the
    machine's doing, where MLX computes on all cores or others use them too. What is left is what
    the engine's thread does to it: it waits for Python's lock. (Where the system does not tell,
    nothing is taken off.) late: all of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[float] = []
        self.late: list[float] = []
        self._last = 0.0
        self._waited = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)

    @property
    def worst(self) -> float:
        return max(self.blocks, default=0.0)

    def start(self) -> None:
        self.blocks, self.late = [], []
        self._last, self._waited = time.perf_counter(), _waited_for_a_core()
        self._timer.start(INTERVAL)

    def stop(self) -> float:
        """The longest block in seconds."""
        self._timer.stop()
        return self.worst

    def _tick(self) -> None:
        now, waited = time.perf_counter(), _waited_for_a_core()
        late = now - self._last - INTERVAL / 1000
        self.late.append(late)
        self.blocks.append(late - (waited - self._waited))
        self._last, self._waited = now, waited


def _waited_for_a_core() -> float:
    try:
        return int(_SCHEDULING.read_text().split()[1]) / 1e9
    except OSError:
        return 0.0
