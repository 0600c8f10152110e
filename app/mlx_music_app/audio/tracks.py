"""Audio files decoded for playback: all of a file in memory, at the device's rate, in stereo."""

from __future__ import annotations

import logging
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

#: Frames that are read at a time: small, so that the first of them can be heard at once.
_BLOCK = 16384

#: Longer ones are kept in a file that the system may put out of the memory: 230 MB at 48 kHz.
_LONG = 600.0  # seconds


class TrackError(Exception):
    """A file cannot be played: one line for the person."""


class Track:
    """A file on its way into memory. `ready` frames of `samples` can be played already.

    samples: (frames, 2) float32 at `rate` Hz. frames: length at `rate`; it shrinks if the file
    ends before its header says. duration: seconds. error: why reading stopped, or None.
    """

    def __init__(self, path: Path, rate: int) -> None:
        import soundfile as sf

        self.path, self.rate = path, rate
        self.ready = 0
        self.error: str | None = None
        self._cancelled = threading.Event()
        try:
            self._file = sf.SoundFile(str(path))
        except (sf.LibsndfileError, OSError) as error:
            raise TrackError(_unplayable(path, error)) from error
        source_rate = self._file.samplerate
        self.frames = -(-self._file.frames * rate // source_rate)
        if self.frames == 0:
            self._file.close()
            raise TrackError(f"{path.name} holds no sound.")
        self.samples = _room(self.frames, self.frames / rate > _LONG)
        self._thread = threading.Thread(target=self._decode, name="decode", daemon=True)
        self._thread.start()

    @property
    def duration(self) -> float:
        return self.frames / self.rate

    @property
    def complete(self) -> bool:
        return self.ready >= self.frames

    def close(self) -> None:
        """Stop decoding and wait for it; what is decoded can still be played."""
        self._cancelled.set()
        self._thread.join()

    def wait(self, timeout: float = 10.0) -> bool:
        """Until all is decoded; False if that took too long."""
        self._thread.join(timeout)
        return self.complete

    def _decode(self) -> None:
        import soundfile as sf

        try:
            with self._file:
                self._fill()
        except (sf.LibsndfileError, OSError) as error:
            self.error = _unplayable(self.path, error)
        # From here on this is all there is, whatever the header said.
        if not self._cancelled.is_set():
            self.frames = self.ready

    def _fill(self) -> None:
        resampler = None
        if self._file.samplerate != self.rate:
            import soxr

            resampler = soxr.ResampleStream(self._file.samplerate, self.rate, 2, dtype="float32")
        while not self._cancelled.is_set():
            block = _stereo(self._file.read(_BLOCK, dtype="float32", always_2d=True))
            last = len(block) < _BLOCK
            if resampler is not None:
                block = resampler.resample_chunk(block, last=last)
            block = block[: self.frames - self.ready]
            self.samples[self.ready : self.ready + len(block)] = block
            # Only now: the callback reads up to `ready` without asking.
            self.ready += len(block)
            if last:
                break


def _unplayable(path: Path, error: Exception) -> str:
    if not path.is_file():
        return f"{path.name} is not where it was ({path.parent})."
    log.warning("cannot play %s: %s", path, error)
    return f"{path.name} cannot be played: it is damaged or no audio file."


def _room(frames: int, long: bool) -> NDArray[np.float32]:
    if not long:
        return np.empty((frames, 2), np.float32)
    # The file has no name, so nothing is left behind whatever happens.
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.float32, "w+", shape=(frames, 2))


def _stereo(block: NDArray[np.float32]) -> NDArray[np.float32]:
    if block.shape[1] == 1:
        return np.repeat(block, 2, axis=1)
    return np.ascontiguousarray(block[:, :2])
