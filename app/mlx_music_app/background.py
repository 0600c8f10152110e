"""Work that is not the model's, off the main thread: files, peaks, downloads."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal, Slot

log = logging.getLogger(__name__)

Function = Callable[[], Any]


class Work(QObject):
    """One piece of work. Its signals are sent on the main thread, where it was made."""

    done = Signal(object)
    failed = Signal(Exception)


class Post(QObject):
    """Tells on the main thread how work on other threads has ended.

    What belongs to the work (callbacks, and so windows) is kept here and nowhere else: a thread
    that held the last of it would delete QObjects of the main thread. It only knows a number.
    """

    _ended = Signal(int, object, object)  # number, result, error or None

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[Function, Work]] = {}
        self._ended.connect(self._on_ended)

    def expect(
        self,
        function: Function,
        done: Callable[[Any], None] | None,
        failed: Callable[[Exception], None] | None,
    ) -> tuple[int, Work]:
        """On the main thread: who is to be told when `function` has ended; its number."""
        work, number = Work(), next(self._numbers)
        if done is not None:
            work.done.connect(done)
        if failed is not None:
            work.failed.connect(failed)
        self._waiting[number] = function, work
        return number, work

    def call(self, number: int) -> None:
        """On any thread: do the work of that number, and tell."""
        result, error = _tried(self._waiting[number][0])
        self._ended.emit(number, result, error)

    @Slot(int, object, object)
    def _on_ended(self, number: int, result: Any, error: Exception | None) -> None:
        _, work = self._waiting.pop(number)
        if error is None:
            work.done.emit(result)
        else:
            work.failed.emit(error)


class _Runnable(QRunnable):
    def __init__(self, post: Post, number: int) -> None:
        super().__init__()
        self._post, self._number = post, number

    def run(self) -> None:
        self._post.call(self._number)


class Background(QObject):
    """Runs functions on a pool of threads, and waits for them when the app ends.

    threads: a scan of the music folder and the trash keep one each for as long as they take.
    """

    def __init__(self, parent: QObject | None = None, *, threads: int = 4) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._post = Post()

    def run(
        self,
        function: Function,
        done: Callable[[Any], None] | None = None,
        failed: Callable[[Exception], None] | None = None,
    ) -> Work:
        """Call `function()` on a thread; then `done(result)` or `failed(error)`, bound methods of
        QObjects of the main thread. Arrays that go out are NumPy's, never the model's."""
        number, work = self._post.expect(function, done, failed)
        self._pool.start(_Runnable(self._post, number))
        return work

    def wait(self, milliseconds: int = 10_000) -> bool:
        """Until nothing runs; False if that took too long."""
        return self._pool.waitForDone(milliseconds)


def _tried(function: Function) -> tuple[Any, Exception | None]:
    try:
        return function(), None
    # A thread pool has nobody else to tell: what goes wrong reaches the person as a message.
    except Exception as error:
        log.exception("background work failed")
        return None, without_frames(error)


def without_frames(error: Exception) -> Exception:
    """Frames hold what was in them: all the arrays of a run, or the windows that asked for it."""
    seen: BaseException | None = error
    while seen is not None:
        seen.__traceback__ = None
        seen = seen.__cause__ or seen.__context__
    return error
