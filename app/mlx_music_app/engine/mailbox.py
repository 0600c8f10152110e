"""From a busy thread to the main thread: only the newest, and not too often."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

_EMPTY = object()


class Mailbox(QObject):
    """Hands on what any thread puts in, on the main thread, at most every `interval` ms.

    What comes faster than that replaces what waits: nothing piles up, and the last is never
    lost.
    """

    delivered = Signal(object)
    _posted = Signal()

    def __init__(self, interval: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._newest: Any = _EMPTY
        self._waiting = False
        self._last = 0.0
        self._interval = interval / 1000
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.flush)
        self._posted.connect(self._on_posted)

    def put(self, value: Any) -> None:
        """From any thread."""
        with self._lock:
            self._newest = value
            if self._waiting:
                return
            self._waiting = True
        self._posted.emit()

    @Slot()
    def _on_posted(self) -> None:
        wait = self._last + self._interval - time.monotonic()
        if wait > 0:
            self._timer.start(math.ceil(wait * 1000))
        else:
            self.flush()

    @Slot()
    def flush(self) -> None:
        """Hand on what waits, now. On the main thread."""
        self._timer.stop()
        with self._lock:
            value, self._newest, self._waiting = self._newest, _EMPTY, False
        if value is not _EMPTY:
            self._last = time.monotonic()
            self.delivered.emit(value)
