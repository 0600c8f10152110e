"""Keeps a GPU at work: while it computes one step, the host prepares the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import mlx.core as mx


@dataclass
class Pacing:
    """Starts the steps of a run and tells of each once it is done.

    on_step: is given the number of calls made; it may raise, and then one more step may have been
    started in vain. on_clean: is given the clean estimate of each step. It may want the device
    for itself, so with it no step is started before the one before is told of.
    """

    on_step: Callable[[int], None]
    on_clean: Callable[[mx.array], None] | None = None
    _pending: tuple[int, mx.array] | None = field(default=None, repr=False)

    def made(self, calls: int, latents: mx.array, clean: mx.array) -> None:
        """Take the latents, still to be computed, that so many calls lead to, and the estimate."""
        if self.on_clean is not None:
            mx.eval(latents)
            self.on_clean(clean)
            self.on_step(calls)
            return
        mx.async_eval(latents)
        self.settle()
        self._pending = calls, latents

    def settle(self) -> None:
        """Wait for the last step, and tell of it."""
        if self._pending is not None:
            calls, latents = self._pending
            self._pending = None
            mx.eval(latents)
            self.on_step(calls)
