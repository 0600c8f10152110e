"""Ctrl-C and SIGTERM: the first asks the run to stop, the second stops it where it stands."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from mlx_music.cli.command import Stopped
from mlx_music.errors import Cancelled
from mlx_music.progress import Progress

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_STDERR = 2


@contextmanager
def stoppable(progress: Progress, *, quiet: bool = False) -> Iterator[None]:
    """Within, a signal cancels `progress`, and the `Cancelled` that follows becomes `Stopped`.

    A second signal raises KeyboardInterrupt, a third ends the process. Outside the main thread,
    where Python has no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            signal.signal(number, signal.SIG_DFL)
            raise KeyboardInterrupt
        progress.cancel()
        if not quiet:
            _say("mlx-music: stopping after this step; once more stops at once\n")

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield
    except Cancelled as error:
        if not received:
            raise
        raise Stopped(received[0]) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    """Print to standard error inside a signal handler, where Python's own streams may be in the
    middle of a print and do not allow another."""
    with suppress(OSError):  # nobody can be told that nobody can be told
        os.write(_STDERR, text.encode())
