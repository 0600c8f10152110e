"""Work for a device step by step: never idle, and never much in memory."""

from __future__ import annotations

from collections import deque

import mlx.core as mx


class Pace:
    """Computes step by step, with the device never idle and never far ahead.

    MLX allocates for all that it is asked for at once, ahead of what has run, and lets go of what
    lies within a step when that is done. So a step is waited for, but only when so many more are
    under way: `ahead` + 1 of them are in memory together.
    """

    def __init__(self, ahead: int = 1) -> None:
        self._ahead = ahead
        self._running: deque[tuple[mx.array, ...]] = deque()

    def __call__(self, *arrays: mx.array) -> None:
        """Start computing these; return when those of the step that is too far behind are there."""
        mx.async_eval(*arrays)
        self._running.append(arrays)
        if len(self._running) > self._ahead:
            mx.eval(*self._running.popleft())
