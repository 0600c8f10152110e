"""Pictures of sound: the lowest and highest sample of every stretch, at several resolutions.

The finest level covers `BIN` samples a value, each further one four times as many. They are kept
in the cache folder, one file for each piece of music, and mapped into memory when they are needed:
a file of ten minutes is there within a millisecond.
"""

from __future__ import annotations

import hashlib
import logging
import math
import mmap
import os
import secrets
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mlx_music import AudioError
from mlx_music_app import paths

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float32]

#: Samples in a value of the finest level. Below this the samples themselves are read.
BIN = 64
#: How many values of a level one of the next covers.
FACTOR = 4
#: The coarsest level has at least this many values.
_COARSEST = 256

#: Samples are kept as this part of full scale, and may go a quarter beyond it.
_STEP = 1 / 26_000
_PLANES = 3  # minimum, maximum, RMS

_MAGIC = b"MLXPEAK1"
_HEAD = struct.Struct("<8sIIQI4x")  # magic, rate, channels, samples, bin

_BLOCK = BIN * 1024  # samples read at a time: little memory, and other threads get their turn

#: Bytes of all pictures; beyond it the ones not used for longest are removed.
CACHE_LIMIT = 500_000_000


@dataclass(frozen=True, eq=False)
class Peaks:
    """Minimum, maximum and RMS of a file's sound.

    path: the file. duration: seconds. samples: per channel. levels: from fine to coarse, int16
    (3, channels, values). For any thread, and never changed.
    """

    path: Path
    sample_rate: int
    channels: int
    samples: int
    levels: tuple[npt.NDArray[np.int16], ...]

    @property
    def duration(self) -> float:
        return self.samples / self.sample_rate

    def slice(self, start: float, end: float, columns: int) -> tuple[FloatArray, FloatArray]:
        """The lowest and highest sample in each of `columns` equal stretches of time.

        start, end: seconds; what lies outside of the sound is silent. Returns two float32 arrays
        (channels, columns), 1.0 being full scale. Where a column covers less than `BIN` samples,
        the file itself is read (a few milliseconds, and `AudioError` if it cannot be).
        """
        low, high, _ = self._columns(start, end, columns)
        return low, high

    def rms(self, start: float, end: float, columns: int) -> FloatArray:
        """The root of the mean square of each stretch, as `slice` cuts them: how loud it is."""
        return self._columns(start, end, columns)[2]

    def _columns(
        self, start: float, end: float, columns: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        planes = np.zeros((_PLANES, self.channels, max(columns, 0)), dtype=np.float32)
        if columns > 0 and end > start and self.samples:
            edges = np.linspace(start, end, columns + 1) * self.sample_rate
            heard = (edges[1:] > 0) & (edges[:-1] < self.samples)
            if heard.any():
                first, last = int(heard.argmax()), columns - int(heard[::-1].argmax())
                part = edges[first : last + 1]
                fine = (end - start) * self.sample_rate / columns < BIN
                found = self._from_file(part) if fine else self._from_levels(part)
                planes[:, :, first:last] = found
        return planes[0], planes[1], planes[2]

    def _from_levels(self, edges: npt.NDArray[np.float64]) -> FloatArray:
        """Planes between `edges` (samples), of the coarsest level that is still fine enough."""
        width = (edges[-1] - edges[0]) / (len(edges) - 1)
        index = min(max(int(math.log(width / BIN, FACTOR)), 0), len(self.levels) - 1)
        level = self.levels[index]
        step = BIN * FACTOR**index
        begins = np.clip((edges[:-1] / step).astype(np.intp), 0, level.shape[2] - 1)
        lasts = np.clip(np.ceil(edges[1:] / step).astype(np.intp) - 1, begins, level.shape[2] - 1)
        first, stop = begins[0], lasts[-1] + 1
        values = level[:, :, first:stop].astype(np.float32) * np.float32(_STEP)
        found = _reduced(values, begins - first)
        # A value that two columns share counts in both: no column looks quieter than it is.
        shared = values[:, :, lasts - first]
        np.minimum(found[0], shared[0], out=found[0])
        np.maximum(found[1], shared[1], out=found[1])
        return found

    def _from_file(self, edges: npt.NDArray[np.float64]) -> FloatArray:
        """The same from the samples themselves."""
        start = max(int(edges[0]), 0)
        stop = min(max(math.ceil(edges[-1]), start + 1), self.samples)
        sound = read_part(self.path, start, stop)
        if not sound.shape[1]:
            return np.zeros((_PLANES, self.channels, len(edges) - 1), dtype=np.float32)
        begins = np.clip(edges[:-1].astype(np.intp) - start, 0, sound.shape[1] - 1)
        return _reduced(np.stack([sound, sound, np.abs(sound)]), begins)


def peaks_of(path: Path) -> Peaks:
    """The picture of an audio file: from the cache, or computed and kept there. For any thread.

    Raises:
        AudioError: The file is missing or cannot be read.
    """
    cached = cached_peaks(path)
    if cached is not None:
        return cached
    peaks = compute_peaks(path)
    try:
        _store(peaks, _cache_file(path))
    except OSError as error:
        # It is a cache: without it, waveforms only come more slowly.
        log.warning("the waveform of %s cannot be kept: %s", path, error)
    return peaks


def cached_peaks(path: Path) -> Peaks | None:
    """The picture of a file if the cache has it: so fast that the main thread may ask.

    Raises:
        AudioError: The file is missing.
    """
    file = _cache_file(path)
    try:
        with open(file, "rb") as stream:
            # Mapped, so that only what is drawn is read; it outlives the open file, and its name.
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return None
    peaks = _parse(path, data)
    if peaks is None:
        log.warning("a waveform in the cache is damaged and made anew: %s", file)
    else:
        _touch(file)
    return peaks


def compute_peaks(path: Path) -> Peaks:
    """Read a whole file, in small blocks, and draw its picture.

    Raises:
        AudioError: The file is missing or cannot be read.
    """
    planes: list[FloatArray] = []
    with open_sound(path) as sound:
        rate, channels, samples = sound.samplerate, sound.channels, 0
        while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
            samples += len(block)
            planes.append(_bins(block))
    empty = np.zeros((_PLANES, channels, 1), dtype=np.float32)
    level = np.concatenate(planes, axis=2) if planes else empty
    levels = [_packed(level)]
    while level.shape[2] > _COARSEST * FACTOR:
        level = _reduced(level, np.arange(0, level.shape[2], FACTOR))
        levels.append(_packed(level))
    return Peaks(path, int(rate), int(channels), samples, tuple(levels))


def prune_cache(limit: int = CACHE_LIMIT) -> int:
    """Remove the pictures that were not looked at for longest; returns how many."""
    found = []
    try:
        with os.scandir(_cache_folder()) as entries:
            for entry in entries:
                status = entry.stat()
                found.append((status.st_mtime, status.st_size, entry.path))
    except FileNotFoundError:
        return 0
    total, removed = sum(size for _, size, _ in found), 0
    for _, size, name in sorted(found):
        if total <= limit:
            break
        Path(name).unlink(missing_ok=True)
        total -= size
        removed += 1
    return removed


def open_sound(path: Path) -> Any:
    """`path` as a `soundfile.SoundFile`; whatever is wrong with it is an `AudioError`."""
    from mlx_music.audio.encode import load_soundfile

    soundfile = load_soundfile()
    if not path.is_file():
        raise AudioError(f"{path}: is missing; find it again in Takes, or delete the take")
    try:
        return soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError) as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise AudioError(f"{path}: cannot be read as audio ({reason})") from error


#: Kinds of files in which libsndfile finds any sample exactly.
_SEEKABLE = ("WAV", "WAVEX", "AIFF", "FLAC", "RF64", "W64", "CAF")


def read_part(path: Path, start: int, stop: int) -> FloatArray:
    """Samples `start` to `stop` of a file, (channels, samples) float32, exact to the sample.

    Raises:
        AudioError: The file is missing or cannot be read.
    """
    with open_sound(path) as sound:
        if sound.format in _SEEKABLE:
            sound.seek(min(start, sound.frames))
        else:
            # Lossy files are found by packets, not by samples.
            for _ in _skip(sound, start):
                pass
        found = sound.read(max(stop - start, 0), dtype="float32", always_2d=True)
    return np.ascontiguousarray(found.T)


def _skip(sound: Any, samples: int) -> Iterator[None]:
    while samples > 0 and len(sound.read(min(samples, _BLOCK), dtype="float32")):
        samples -= _BLOCK
        yield


def _bins(block: FloatArray) -> FloatArray:
    """Planes (3, channels, values) of a block (samples, channels). The last may cover less."""
    sound = np.ascontiguousarray(block.T)  # three times as fast as reducing across it
    if not np.isfinite(np.sum(sound)):
        sound = np.nan_to_num(sound)
    whole = sound.shape[1] // BIN
    head = sound[:, : whole * BIN].reshape(sound.shape[0], whole, BIN)
    rms = np.sqrt(np.einsum("cvb,cvb->cv", head, head) / BIN)
    planes = np.stack([head.min(axis=2), head.max(axis=2), rms]) if whole else None
    rest = sound[:, whole * BIN :]
    if not rest.shape[1]:
        return planes if planes is not None else np.zeros((_PLANES, len(sound), 0), np.float32)
    loud = np.sqrt(np.mean(np.square(rest), axis=1))
    last = np.stack([rest.min(axis=1), rest.max(axis=1), loud])[:, :, None]
    return last if planes is None else np.concatenate([planes, last], axis=2)


def _reduced(planes: FloatArray, begins: npt.NDArray[np.intp]) -> FloatArray:
    """Planes of the stretches that begin at `begins`, up to the next or to the end."""
    counts = np.maximum(np.diff(np.append(begins, planes.shape[2])), 1).astype(np.float32)
    low = np.minimum.reduceat(planes[0], begins, axis=1)
    high = np.maximum.reduceat(planes[1], begins, axis=1)
    power = np.add.reduceat(np.square(planes[2]), begins, axis=1) / counts
    return np.stack([low, high, np.sqrt(power)])


def _packed(planes: FloatArray) -> npt.NDArray[np.int16]:
    steps: FloatArray = np.clip(np.rint(planes / np.float32(_STEP)), -32767, 32767)
    return steps.astype(np.int16)


def _cache_folder() -> Path:
    return paths.cache_folder() / "peaks"


def _cache_file(path: Path) -> Path:
    """Where the picture of a file is kept: another file, or a changed one, has another."""
    try:
        status = path.stat()
    except OSError as error:
        raise AudioError(f"{path}: is missing; find it again, or delete the take") from error
    key = f"{path}\0{status.st_size}\0{status.st_mtime_ns}"
    name = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return _cache_folder() / f"{name}.peaks"


def _store(peaks: Peaks, file: Path) -> None:
    """Write a picture whole or not at all. Not to the disk at once: it can be made again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        with open(hidden, "wb") as stream:
            stream.write(_HEAD.pack(_MAGIC, peaks.sample_rate, peaks.channels, peaks.samples, BIN))
            for level in peaks.levels:
                stream.write(level.tobytes())
        os.replace(hidden, file)
    finally:
        hidden.unlink(missing_ok=True)


def _parse(path: Path, data: mmap.mmap) -> Peaks | None:
    """What `_store` wrote, None if it is damaged."""
    if len(data) < _HEAD.size:
        return None
    magic, rate, channels, samples, size = _HEAD.unpack_from(data)
    if magic != _MAGIC or size != BIN or not rate or not channels:
        return None
    levels, offset = [], _HEAD.size
    for count in _level_sizes(samples):
        length = _PLANES * channels * count
        if offset + 2 * length > len(data):
            return None
        values = np.frombuffer(data, dtype="<i2", count=length, offset=offset)
        levels.append(values.reshape(_PLANES, channels, count))
        offset += 2 * length
    return Peaks(path, rate, channels, samples, tuple(levels)) if offset == len(data) else None


def _level_sizes(samples: int) -> list[int]:
    sizes = [max(1, -(-samples // BIN))]
    while sizes[-1] > _COARSEST * FACTOR:
        sizes.append(-(-sizes[-1] // FACTOR))
    return sizes


def _touch(file: Path) -> None:
    """Note that it was used. Not on every system does reading do so."""
    try:
        os.utime(file)
    except OSError:
        log.debug("cannot note the use of %s", file)
