"""Work for a device step by step: never idle, and never much in memory."""

from __future__ import annotations

import mlx.core as mx


class Pace:
    """Computes step by step, with the device never idle and never far ahead.

    MLX allocates for all that it is asked for at once, ahead of what has run, and lets go of what
    lies within a step only when that is done: so each step is waited for, but only when the next
    one is under way.
    """

    def __init__(self) -> None:
        self._running: tuple[mx.array, ...] = ()

    def __call__(self, *arrays: mx.array) -> None:
        """Start computing these; return when those of the call before are there."""
        mx.async_eval(*arrays)
        mx.eval(*self._running)
        self._running = arrays
