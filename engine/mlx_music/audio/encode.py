"""Samples to the bytes of an audio file: the same samples always give the same bytes."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from mlx_music.audio.formats import AudioFormat
from mlx_music.errors import AudioError

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")

# Frames per call of libsndfile. Its Vorbis encoder has overflowed the stack on whole songs.
_BLOCK = 16384

_DITHER_SEED = 0x4D555349


def load_soundfile() -> Any:
    """The `soundfile` module, or `AudioError` where the system lacks libsndfile."""
    try:
        import soundfile
    except OSError as error:  # no wheel for this machine, and no library of the system either
        raise AudioError(
            f"libsndfile is missing ({error}); install it (Debian: apt install libsndfile1)"
        ) from error
    return soundfile


def encode(audio: NDArray[np.float32], sample_rate: int, file_format: AudioFormat) -> io.BytesIO:
    """Encode `audio` (channels, samples), float32 in [-1, 1], as a whole file in memory.

    * 32-bit float keeps every value as it is, outside [-1, 1] as well.
    * All others clip to [-1, 1]. 24 bits round to the nearest step.
    * 16 bits are dithered: triangular noise of two steps peak to peak (TPDF), which turns the
      distortion of fading sound into a steady hiss at -96 dB (Lipshitz, Wannamaker, Vanderkooy,
      "Quantization and Dither", JAES 1992). The noise is seeded and so the same in every file.
      Sound that already has 16 bits (a 16-bit source, digital silence) is passed on unchanged.

    What libsndfile takes from clock and chance (the time in a float WAV's PEAK chunk, an OGG
    stream's serial number) is replaced, so that equal input gives equal bytes with equal libraries.

    Raises:
        AudioError: libsndfile lacks or refuses the format.
    """
    soundfile = load_soundfile()
    if file_format.container not in soundfile.available_formats():
        raise AudioError(
            f"libsndfile {soundfile.__libsndfile_version__} cannot write {file_format.name}; "
            "it takes version 1.1 or newer (pip install --force-reinstall soundfile)"
        )
    stream = io.BytesIO()

    def run(stop: threading.Event) -> None:
        with soundfile.SoundFile(
            stream,
            "w",
            sample_rate,
            audio.shape[0],
            format=file_format.container,
            subtype=file_format.subtype,
            **file_format.encoding,
        ) as sound:
            for block in _blocks(audio, file_format.bit_depth):
                if stop.is_set():
                    break
                sound.write(block)

    try:
        _in_thread(run)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{file_format.name} with {audio.shape[0]} channels at {sample_rate} Hz "
            f"cannot be encoded: {error.error_string}"
        ) from error
    if file_format.container == "OGG":
        _settle_ogg_serial(stream)
    elif file_format.subtype == "FLOAT":
        _clear_peak_time(stream)
    return stream


def _in_thread(job: Callable[[threading.Event], T]) -> T:
    """Run `job` in a thread of its own and wait; it is asked to stop when the wait is interrupted.

    libsndfile calls back into Python to write. A Ctrl-C that arrives in such a call is printed and
    lost; but it only ever arrives in the main thread.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            return pool.submit(job, stop).result()
        finally:
            stop.set()


def _blocks(audio: NDArray[np.float32], bit_depth: int | None) -> Iterator[NDArray[Any]]:
    """`audio` in blocks (frames, channels) of the type that libsndfile stores without rounding."""
    noise = np.random.PCG64(_DITHER_SEED)
    dithered = bit_depth == 16 and not _has_16_bits(audio)
    for start in range(0, audio.shape[1], _BLOCK):
        block = np.ascontiguousarray(audio[:, start : start + _BLOCK].T, dtype=np.float32)
        if bit_depth == 32:
            yield block
        elif bit_depth == 24:
            block = block * np.float32(2.0**23)  # never in place: it may be the caller's own
            np.clip(np.rint(block, out=block), -(2.0**23), 2.0**23 - 1, out=block)
            steps = block.astype(np.int32)
            yield np.left_shift(steps, 8, out=steps)  # libsndfile takes the upper 24 bits
        elif bit_depth == 16:
            steps = block.astype(np.float64) * 2.0**15
            if dithered:
                steps += _triangular_noise(noise, steps.shape)
            yield np.clip(np.rint(steps), -(2.0**15), 2.0**15 - 1).astype(np.int16)
        else:
            yield np.clip(block, -1.0, 1.0)


def _has_16_bits(audio: NDArray[np.float32]) -> bool:
    """Whether every sample is a whole number of 16-bit steps."""
    steps = (
        audio[:, start : start + _BLOCK] * 2.0**15 for start in range(0, audio.shape[1], _BLOCK)
    )
    return all(np.array_equal(block, np.rint(block)) for block in steps)


def _triangular_noise(source: np.random.PCG64, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Noise in (-1, 1) steps, the difference of two even ones.

    From raw bits: NumPy keeps those the same from version to version, and not its distributions.
    """
    bits = source.random_raw(int(np.prod(shape))).reshape(shape)
    first, second = bits >> np.uint64(32), bits & np.uint64(0xFFFFFFFF)
    return (first.astype(np.float64) - second.astype(np.float64)) / 2.0**32


def _clear_peak_time(stream: io.BytesIO) -> None:
    """Zero the time in a WAV's PEAK chunk: version, time, then value and place per channel."""
    stream.seek(12)
    while len(header := stream.read(8)) == 8:
        name, size = struct.unpack("<4sI", header)
        if name == b"PEAK":
            stream.seek(4, io.SEEK_CUR)
            stream.write(bytes(4))
            return
        stream.seek(size + size % 2, io.SEEK_CUR)


def _settle_ogg_serial(stream: io.BytesIO) -> None:
    """Number an OGG stream by its content and not by chance.

    By content and not all alike: streams that are put into one file need different numbers.
    """
    from mutagen.ogg import OggPage

    pages = []
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    while stream.tell() < size:
        pages.append(OggPage(stream))
    serial = 0
    for packet in (packet for page in pages for packet in page.packets):
        serial = zlib.crc32(packet, serial)
    stream.seek(0)
    for page in pages:
        page.serial = serial
        stream.write(page.write())
