"""Work for a device step by step: never idle, and never much in memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import mlx.core as mx

from mlx_music.ace_step.activations import on_cpu

#: Bytes in use that steps may lead to; None: nobody says.
_limit: ContextVar[int | None] = ContextVar("limit", default=None)

#: Steps under way that leave a device no time to be idle, whatever the room.
_MOST = 6

#: Seconds within which MLX lets go of what a step worked with once that has ended, if it had not
#: done so before.
_RELEASE = 0.0005


@contextmanager
def held_to(limit: int) -> Iterator[None]:
    """Within it, steps wait for others when there is no room for one more in `limit` bytes."""
    before = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(before)


class Pace:
    """Computes step by step, with the device never idle and never far ahead.

    MLX allocates for all that it is asked for at once, ahead of what has run, and lets go of what
    lies within a step only when that is done: so before another one is begun, the oldest is waited
    for until there is room for one like the largest under way (`held_to`); but one is always left
    for the device to work on. Where nobody says how much room there is, one is all there is. A CPU
    has one, too: it loses no time between steps.
    """

    def __init__(self) -> None:
        self._limit = None if on_cpu() else _limit.get()
        #: What was asked for, and how many bytes that took.
        self._under_way: deque[tuple[tuple[mx.array, ...], int]] = deque()

    def __call__(self, *arrays: mx.array) -> None:
        """Start computing these; return when there is room for as much again."""
        before = mx.get_active_memory()
        mx.async_eval(*arrays)
        self._under_way.append((arrays, mx.get_active_memory() - before))
        while len(self._under_way) > 1 and self._is_full():
            self._wait_for_oldest()

    def _is_full(self) -> bool:
        if self._limit is None or len(self._under_way) > _MOST:
            return True
        return mx.get_active_memory() + max(size for _, size in self._under_way) > self._limit

    def _wait_for_oldest(self) -> None:
        before, (arrays, _) = mx.get_active_memory(), self._under_way.popleft()
        mx.eval(*arrays)
        if self._limit is None:
            return
        del arrays
        last = time.perf_counter() + _RELEASE
        while self._is_full() and mx.get_active_memory() >= before and time.perf_counter() < last:
            time.sleep(0)  # for the threads that let go of it
