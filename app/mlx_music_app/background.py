"""Work that is not the model's, off the main thread: files, peaks, downloads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

log = logging.getLogger(__name__)


class Work(QObject):
    """One piece of work. Its signals arrive on the main thread, where it was made.

    Connect them to methods of QObjects: Qt calls a lambda on the thread that emits.
    """

    done = Signal(object)
    failed = Signal(Exception)


class _Runnable(QRunnable):
    def __init__(self, work: Work, function: Callable[[], Any]) -> None:
        super().__init__()
        self._work, self._function = work, function

    def run(self) -> None:
        try:
            result = self._function()
        # A thread pool has nobody else to tell: what goes wrong reaches the person as a message.
        except Exception as error:
            log.exception("background work failed")
            self._work.failed.emit(error)
        else:
            self._work.done.emit(result)


class Background(QObject):
    """Runs functions on a pool of threads, and waits for them when the app ends."""

    def __init__(self, parent: QObject | None = None, *, threads: int = 2) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._alive: set[Work] = set()

    def run(
        self,
        function: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> Work:
        """Call `function()` on a thread; then `done(result)` or `failed(error)`, bound methods of
        QObjects of the main thread. Arrays that go out are NumPy's, never the model's."""
        work = Work()
        self._alive.add(work)
        if done is not None:
            work.done.connect(done)
        if failed is not None:
            work.failed.connect(failed)
        work.done.connect(self._forget)
        work.failed.connect(self._forget)
        self._pool.start(_Runnable(work, function))
        return work

    def wait(self, milliseconds: int = 10_000) -> bool:
        """Until nothing runs; False if that took too long."""
        return self._pool.waitForDone(milliseconds)

    def _forget(self, _: object) -> None:
        work = self.sender()
        if isinstance(work, Work):
            self._alive.discard(work)
