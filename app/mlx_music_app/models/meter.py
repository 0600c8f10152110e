"""How fast a transfer goes, and how long it will still take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from mlx_music_app.models.words import size_in_words, time_in_words

#: The engine reports a transfer in steps of a megabyte or less. What jumps further was there
#: already, from an earlier try, and says nothing about speed.
_LARGEST_STEP = 4 << 20

#: Seconds that the speed is averaged over: long enough to be calm, short enough to be true.
_WINDOW = 12.0
_SHORTEST = 1.5

#: So many reports in a row without a new byte: nothing is transferred, a file is being checked.
_CHECKING_AFTER = 4


class TransferMeter:
    """Fed with (bytes done, bytes in all) as the transfer reports them, by one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()
        self._transferred = 0
        self._unchanged = 0
        self.done = 0
        self.total = 0

    def add(self, done: int, total: int) -> None:
        step = done - self.done
        self._unchanged = self._unchanged + 1 if step == 0 else 0
        self.done, self.total = done, total
        if 0 < step <= _LARGEST_STEP:
            now = self._clock()
            self._transferred += step
            self._samples.append((now, self._transferred))
            while now - self._samples[0][0] > _WINDOW:
                self._samples.popleft()

    @property
    def fraction(self) -> float:
        return self.done / self.total if self.total else 0.0

    @property
    def speed(self) -> float | None:
        """Bytes a second of late; None before there is something to judge by."""
        if len(self._samples) < 2:
            return None
        (begun, before), (_, now) = self._samples[0], self._samples[-1]
        # Until now, and not until the last sample: a transfer that stands still becomes slower.
        elapsed = self._clock() - begun
        return (now - before) / elapsed if elapsed >= _SHORTEST else None

    @property
    def text(self) -> str:
        """One line for a person: "3.1 of 8.3 GB, 24 MB/s, 4 minutes left"."""
        if not self.total:
            return "Asking the hub"
        if self._unchanged >= _CHECKING_AFTER and self.done:
            return f"{_of(self.done, self.total)}, checking what is there"
        parts = [_of(self.done, self.total)]
        speed = self.speed
        if speed is not None and speed > 0:
            parts.append(f"{size_in_words(speed)}/s")
            parts.append(f"{time_in_words((self.total - self.done) / speed)} left")
        return ", ".join(parts)


def _of(done: int, total: int) -> str:
    """ "3.1 of 8.3 GB", or with both units where they differ."""
    some, unit = size_in_words(done).rsplit(" ", 1)
    every, unit_of_all = size_in_words(total).rsplit(" ", 1)
    if unit == unit_of_all:
        return f"{some} of {every} {unit}"
    return f"{some} {unit} of {every} {unit_of_all}"
