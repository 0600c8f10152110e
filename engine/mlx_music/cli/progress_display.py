"""Progress for people: bars with the time left on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from mlx_music.cli.text import length_in_words, size_in_words
from mlx_music.progress import Progress, ProgressEvent

#: Stages that count bytes.
_BYTES = ("download", "verify")

#: Where there is no terminal, a stage is told of in so many parts.
_PARTS = 10

#: Of a terminal that does not tell.
_USUAL_COLUMNS, _USUAL_ROWS = 80, 24

_BAR = "{desc:<9}{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"


class _Display(Protocol):
    def show(self, event: ProgressEvent) -> None: ...

    def close(self) -> None: ...


@contextmanager
def progress_display(*, quiet: bool, stream: TextIO | None = None) -> Iterator[Progress]:
    """A `Progress` that is shown on `stream` (standard error) until the end of the block."""
    stream = stream or sys.stderr
    if quiet:
        yield Progress()
        return
    display: _Display = _Bars(stream) if stream.isatty() else _Lines(stream)
    try:
        yield Progress(display.show)
    finally:
        display.close()


class _Lines:
    """Lines for logs: the first step of a stage, about every tenth part, and the end."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._stage = ""
        self._told = -1

    def show(self, event: ProgressEvent) -> None:
        if event.step == 0 or event.stage != self._stage:
            self._stage, self._told = event.stage, -1
        part = event.step * _PARTS // max(event.total, 1)
        if event.step == 0 or part <= self._told:
            return
        self._told = part
        print(f"{event.stage}: {_state(event)}", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing is open."""


def _state(event: ProgressEvent) -> str:
    if event.step == event.total:
        return f"done in {event.elapsed:.1f} s"
    amount = f"{event.step} of {event.total}"
    if event.stage in _BYTES:
        amount = f"{size_in_words(event.step)} of {size_in_words(event.total)}"
    left = "" if event.remaining is None else f", {length_in_words(event.remaining)} left"
    return f"{100 * event.step // event.total} %, {amount}{left}"


class _Bars:
    """A tqdm bar per stage, of which the last one is open."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: Any = None
        self._stage = ""

    def show(self, event: ProgressEvent) -> None:
        if event.stage != self._stage:
            self.close()
        if self._bar is None:
            if event.step == event.total:
                return
            self._open(event)
        self._bar.update(event.step - self._bar.n)
        if event.step == event.total:
            self.close()

    def _open(self, event: ProgressEvent) -> None:
        from tqdm import tqdm

        self._stage = event.stage
        counts_bytes = event.stage in _BYTES
        has_size = _has_size(self._stream)
        self._bar = tqdm(
            total=event.total,
            desc=event.stage,
            file=self._stream,
            bar_format=_BAR,
            unit="B" if counts_bytes else "step",
            unit_scale=counts_bytes,
            dynamic_ncols=has_size,
            ncols=None if has_size else _USUAL_COLUMNS,
            nrows=None if has_size else _USUAL_ROWS,
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _has_size(stream: TextIO) -> bool:
    """Whether a terminal tells how large it is; tqdm shows nothing in one of size 0."""
    try:
        return os.get_terminal_size(stream.fileno()).columns > 0
    except OSError:
        return False
