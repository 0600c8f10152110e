"""Work in the background that must happen in order: one piece after another."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from mlx_music_app.background import Background, Post


class Serial(QObject):
    """A queue of functions that a thread of `Background` works off, in order."""

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._post = Post()
        self._lock = threading.Lock()
        self._queue: deque[int] = deque()  # numbers of the post
        self._busy = False
        self._idle = threading.Event()
        self._idle.set()

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
        number, _ = self._post.expect(function, done, failed)
        with self._lock:
            self._queue.append(number)
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
                number = self._queue.popleft()
            self._post.call(number)
