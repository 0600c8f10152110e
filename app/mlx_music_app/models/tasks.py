"""One long piece of work beside the main thread: a download, a check, a copy."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from mlx_music import Cancelled
from mlx_music_app.models.meter import TransferMeter

log = logging.getLogger(__name__)

#: Seconds between two reports: as often as a person can read.
_REPORT_SECONDS = 0.1

#: What the work reports with: (bytes done, bytes in all). It raises `Cancelled` to stop the work.
Report = Callable[[int, int], None]


class Task(QObject):
    """Runs `work(report)` on a thread of its own. For the main thread, where its signals arrive.

    A daemon thread, unlike those of Qt's pool: a server that has stopped answering holds a read
    for twenty seconds, and quitting must not wait for it. All such work can be killed at any
    moment without harm.
    """

    reported = Signal(object, object, str)  # bytes done and in all, too large for Qt's int; text
    finished = Signal(object)  # what the work returned
    stopped = Signal()
    failed = Signal(Exception)

    def __init__(
        self, name: str, work: Callable[[Report], Any], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._work = work
        self._stop = threading.Event()
        self._last = 0.0
        self._meter = TransferMeter()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the work to end at its next report."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Until the thread has ended; False if that takes longer."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def _run(self) -> None:
        try:
            result = self._work(self._report)
        except Cancelled:
            self._send(self.stopped)
        # Whatever it is, a person has to read of it: nobody else looks at this thread.
        except Exception as error:
            log.warning("%s failed: %s", self._thread.name, error, exc_info=True)
            self._send(self.failed, error)
        else:
            self._send(self.finished, result)

    def _report(self, done: int, total: int) -> None:
        if self._stop.is_set():
            raise Cancelled("stopped")
        self._meter.add(done, total)
        now = time.monotonic()
        if now - self._last >= _REPORT_SECONDS:
            self._last = now
            self._send(self.reported, done, total, self._meter.text)

    def _send(self, signal: Any, *values: Any) -> None:
        try:
            signal.emit(*values)
        except RuntimeError:  # the app is gone, and Qt's half of this object with it
            log.debug("nobody is left to hear of %s", self._thread.name)
