"""Progress out, cancelling in: the one object that a run carries through its stages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlx_music.errors import Cancelled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    #: A mel spectrogram to look at, (bins, columns): 0 is silence, 255 the loudest; low
    #: frequencies first.
    Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ProgressEvent:
    """Where a run stands. Times are seconds.

    `stage` is "download" (counting bytes), "source" (a source is read and encoded), "encode",
    "sample", "decode", "verify" or "quantize"; `step` of `total` counts within it.
    `remaining` estimates the rest of this stage from its pace so far; None before the first
    step has been taken.
    """

    stage: str
    step: int
    total: int
    elapsed: float
    remaining: float | None


class Progress:
    """Reports each step of a run, and stops the run when asked to.

    Events are sent on the thread that runs the model. `cancel` may be called from any thread:
    it only sets a flag, at which the run raises `Cancelled` before its next step.

    on_picture: is shown the song as it takes shape, on the same thread, every few steps of
    sampling and with every piece that is decoded; see `ace_step.preview` for what is in the
    picture and what it costs. Each picture is a new array. Asking for them changes no result.
    """

    def __init__(
        self,
        on_event: Callable[[ProgressEvent], None] | None = None,
        on_picture: Callable[[Picture], None] | None = None,
    ) -> None:
        self._on_event = on_event
        self.on_picture = on_picture
        self._cancelled = threading.Event()
        self._stage = ""
        self._total = 0
        self._started = 0.0

    def cancel(self) -> None:
        """Ask the run to stop. Safe from any thread and from a signal handler."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the run was asked to stop."""
        if self._cancelled.is_set():
            raise Cancelled("cancelled")

    def start(self, stage: str, total: int) -> None:
        """Begin a stage of `total` steps."""
        self.check()
        self._stage, self._total, self._started = stage, total, time.perf_counter()
        self._send(0)

    def step(self, step: int) -> None:
        """Report that `step` steps of the stage are done."""
        self._send(step)
        self.check()

    def _send(self, step: int) -> None:
        if self._on_event is None:
            return
        elapsed = time.perf_counter() - self._started
        remaining = elapsed / step * (self._total - step) if step else None
        self._on_event(ProgressEvent(self._stage, step, self._total, elapsed, remaining))


class ByteProgress:
    """Progress of a stage whose number of bytes becomes known only when it runs.

    It is called with (bytes done, bytes in all), and raises `Cancelled` when asked to stop.
    """

    def __init__(self, progress: Progress, stage: str) -> None:
        self._progress = progress
        self._stage = stage
        self._total: int | None = None

    def __call__(self, done: int, total: int) -> None:
        if total != self._total:
            self._total = total
            self._progress.start(self._stage, total)
        self._progress.step(done)
