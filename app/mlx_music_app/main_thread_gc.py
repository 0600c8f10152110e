"""Python's garbage is collected on the main thread only.

Python collects reference cycles on whichever thread happens to allocate. Widgets are in such
cycles, and one that is deleted on the engine's thread leaves its timers and events behind on the
main thread: a crash, some time later. So collecting by itself is turned off, and a timer of the
main thread does it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot

#: Milliseconds between two looks.
INTERVAL = 500

#: Seconds between two full collections, which take some 5 to 50 ms: while nothing goes on, and
#: while something does.
FULL_EVERY, FULL_EVERY_BUSY = 30.0, 600.0

_users = 0


class MainThreadCollector(QObject):
    """Collects garbage here, as long as it lives, and nowhere else.

    busy: says when the main thread had better not be held up.
    """

    def __init__(
        self, busy: Callable[[], bool] = lambda: False, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._busy = busy
        self._last_full = time.monotonic()
        self._timer = QTimer(self)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self.collect)

    def start(self) -> None:
        global _users
        if not self._timer.isActive():
            _users += 1
            gc.disable()
            self._timer.start()

    def stop(self) -> None:
        """Let Python collect by itself again. Call it when no other thread is left."""
        global _users
        if self._timer.isActive():
            self._timer.stop()
            _users -= 1
            if _users == 0:
                gc.enable()

    @Slot()
    def collect(self) -> None:
        """Collect as much as is due."""
        since = time.monotonic() - self._last_full
        if since > (FULL_EVERY_BUSY if self._busy() else FULL_EVERY):
            gc.collect()
            self._last_full = time.monotonic()
            return
        young, middle, _ = gc.get_count()
        first, second, _ = gc.get_threshold()
        if young > first:
            gc.collect(1 if middle > second else 0)
