"""Work in the background that must happen in order: one piece after another."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from mlx_music_app.background import Background, Work

log = logging.getLogger(__name__)


class Serial(QObject):
    """A queue of functions that a thread of `Background` works off, in order."""

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._lock = threading.Lock()
        self._queue: deque[tuple[Callable[[], Any], Work]] = deque()
        self._busy = False
        self._idle = threading.Event()
        self._idle.set()
        self._alive: set[Work] = set()
        self._finished: list[Work] = []

    @property
    def waiting(self) -> int:
        """How many have not begun."""
        return len(self._queue)

    def run(
        self,
        function: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """As `Background.run`, after everything that was asked for before."""
        # Only now: a thread that has just told of a work may still hold it, and a QObject must
        # not be deleted there.
        self._finished.clear()
        work = Work()
        self._alive.add(work)
        if done is not None:
            work.done.connect(done)
        if failed is not None:
            work.failed.connect(failed)
        work.done.connect(self._forget)
        work.failed.connect(self._forget)
        with self._lock:
            self._queue.append((function, work))
            if self._busy:
                return
            self._busy = True
            self._idle.clear()
        self._background.run(self._drain)

    def wait(self, milliseconds: int = 10_000) -> bool:
        """Until everything is done; False if that took too long."""
        return self._idle.wait(milliseconds / 1000)

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._busy = False
                    self._idle.set()
                    return
                function, work = self._queue.popleft()
            try:
                result = function()
            # As in `Background`: what goes wrong reaches the person, and the queue goes on.
            except Exception as error:
                log.exception("background work failed")
                work.failed.emit(error)
            else:
                work.done.emit(result)
            del work

    def _forget(self, _: object) -> None:
        work = self.sender()
        if isinstance(work, Work):
            self._alive.discard(work)
            self._finished.append(work)
