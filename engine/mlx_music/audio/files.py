"""Audio files: written whole, tagged, and the same every time; read from whatever people have."""

from __future__ import annotations

import io
import numbers
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlx_music.audio.atomic import as_audio_error, check_target, shown, write_whole
from mlx_music.audio.encode import encode, load_soundfile
from mlx_music.audio.formats import (
    AUDIO_FORMATS,
    AudioFormat,
    audio_format,
    supported_formats,
)
from mlx_music.audio.tags import add_tags, check_tags
from mlx_music.errors import AudioError, GenerationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "AUDIO_FORMATS",
    "AudioFormat",
    "AudioInfo",
    "as_stereo",
    "audio_format",
    "check_output",
    "probe_audio",
    "read_audio",
    "write_audio",
]

# The key of `write_audio`'s metadata that holds the request; all others are fields of the tags.
REQUEST = "request_json"

_BLOCK = 65536  # frames

# An MP3's length is a count of its frames, and without a table in its head an estimate.
_MP3_SLACK = 2 * 1152  # samples

# Lengths that programs write when they cannot go back to fill in the true one.
_UNKNOWN_SIZE = 0x7FFFF000


@dataclass(frozen=True)
class AudioInfo:
    """What an audio file's header says: `duration` in seconds, `sample_rate` in Hz, `samples` per
    channel, `format` and `subtype` in libsndfile's words (`WAV`, `PCM_24`)."""

    duration: float
    sample_rate: int
    channels: int
    samples: int
    format: str
    subtype: str


def check_output(
    path: str | os.PathLike[str],
    sample_rate: int,
    *,
    channels: int = 2,
    bit_depth: int | None = None,
    overwrite: bool = False,
) -> AudioFormat:
    """Check, before a long run, that its sound can be written to `path`; nothing is created.

    Returns:
        The format that `write_audio` will write.

    Raises:
        AudioError: As `write_audio`.
    """
    path = Path(path)
    if bit_depth is not None and not _is_whole_number(bit_depth):
        raise AudioError(f"bit_depth: {bit_depth!r} is not a whole number; give one such as 24")
    if os.path.isdir(path):
        raise AudioError(f"{shown(path)} is a folder; give the name of a file in it")
    if not path.suffix:
        raise AudioError(f"{shown(path)} has no extension; use one of {supported_formats()}")
    file_format = audio_format(path, bit_depth)
    file_format.check(channels, sample_rate)
    check_target(path, overwrite=overwrite)
    return file_format


def _is_whole_number(value: object) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def write_audio(
    path: str | os.PathLike[str],
    audio: NDArray[np.floating[Any]],
    sample_rate: int,
    *,
    bit_depth: int | None = None,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write sound to a file of the kind that its extension names; a whole file or none.

    The same arguments give the same bytes (see `encode`, also for clipping and dither). The file is
    built in memory, which takes about its size on top of `audio`.

    Args:
        path: `.wav`, `.flac`, `.aiff`, `.ogg` or `.mp3`. Missing parent folders are created.
        audio: (channels, samples), float32, in [-1, 1].
        sample_rate: Hz.
        bit_depth: 16, 24 (the default) or, in WAV, 32 for float; None for OGG and MP3.
        metadata: Tags: the request as JSON under `request_json`, and any of `tags.FIELDS`.
        overwrite: Replace an existing file.

    Returns:
        `path`.

    Raises:
        AudioError: An unknown extension; a bit depth, rate or number of channels that the format
            lacks; an existing file without `overwrite`; an unwritable folder; a full disk.
        GenerationError: `audio` holds NaN or infinity.
    """
    path = Path(path)
    _check_shape(audio)
    file_format = check_output(
        path, sample_rate, channels=audio.shape[0], bit_depth=bit_depth, overwrite=overwrite
    )
    _check_size(path, audio.size, file_format)
    fields = dict(metadata or {})
    request_json = fields.pop(REQUEST, "")
    if metadata:
        check_tags(request_json, fields)
    sound = audio.astype(np.float32, copy=False)
    if not np.isfinite(sound).all():
        raise GenerationError(
            f"the audio for {shown(path)} holds NaN or infinity; nothing was written"
        )

    stream = encode(sound, sample_rate, file_format)
    if metadata:
        add_tags(stream, request_json=request_json, fields=fields, name=path)
    with stream.getbuffer() as data:
        write_whole(path, data, overwrite=overwrite)
    return path


def read_audio(
    path: str | os.PathLike[str], *, max_seconds: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """Read a whole audio file of any kind that libsndfile knows.

    Args:
        path: The file; its content says what kind it is, not its name.
        max_seconds: Longer files are refused, before they are decoded.

    Returns:
        The sound (channels, samples), float32, with all channels of the file; and its rate in Hz.

    Raises:
        AudioError: The file is missing, a folder, empty, no audio, longer than `max_seconds`, ends
            before its header says, is damaged, or holds NaN or infinity.
    """
    with _open_sound(path) as sound:
        rate, declared = int(sound.samplerate), int(sound.frames)
        _check_length(path, declared / rate, max_seconds)
        blocks: list[NDArray[np.float32]] = []
        # In blocks: a header can promise more samples than there is memory.
        while len(block := sound.read(_BLOCK, dtype="float32", always_2d=True)):
            blocks.append(block)
        slack = _MP3_SLACK if sound.format == "MP3" else 0
    samples = sum(len(block) for block in blocks)
    if samples + slack < declared:
        raise AudioError(
            f"{shown(path)} is cut short or damaged: only {samples / rate:.2f} s "
            f"of its {declared / rate:.2f} s can be read"
        )
    if not samples:
        raise AudioError(f"{shown(path)} holds no sound (0 samples)")
    audio = np.empty((blocks[0].shape[1], samples), dtype=np.float32)
    np.concatenate(blocks, out=audio.T)
    if not np.isfinite(audio).all():
        raise AudioError(f"{shown(path)} holds NaN or infinity; export it again")
    return audio, rate


def probe_audio(path: str | os.PathLike[str]) -> AudioInfo:
    """What kind of audio file `path` is and how long, without decoding it.

    Raises:
        AudioError: The file is missing, a folder, empty, no audio, or visibly cut short.
    """
    with _open_sound(path) as sound:
        return AudioInfo(
            duration=sound.frames / sound.samplerate,
            sample_rate=int(sound.samplerate),
            channels=int(sound.channels),
            samples=int(sound.frames),
            format=str(sound.format),
            subtype=str(sound.subtype),
        )


def as_stereo(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sound with two channels (2, samples): mono is doubled, as the reference does.

    More channels are refused: what they are (surround, stems, several microphones) is not known
    here, and so neither is how loud each belongs in the mix.

    Raises:
        AudioError: `audio` is not (1, samples) or (2, samples).
    """
    if audio.ndim != 2 or audio.shape[0] not in (1, 2):
        raise AudioError(
            f"audio of shape {audio.shape} is neither mono nor stereo (channels, samples); "
            "mix it down to two channels first"
        )
    return np.repeat(audio, 2, axis=0) if audio.shape[0] == 1 else audio


def _check_shape(audio: NDArray[Any]) -> None:
    if audio.ndim != 2 or audio.shape[1] == 0 or not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(
            "audio must be floats of shape (channels, samples) with at least one sample, "
            f"got {audio.dtype} of shape {audio.shape}"
        )


def _check_size(path: Path, values: int, file_format: AudioFormat) -> None:
    size = values * (file_format.bit_depth or 0) // 8
    if file_format.size_limit is not None and size > file_format.size_limit:
        raise AudioError(
            f"{shown(path)} would be larger than {file_format.name} can be (4 GB); use FLAC"
        )


def _check_length(path: str | os.PathLike[str], seconds: float, limit: float | None) -> None:
    if limit is not None and seconds > limit:
        raise AudioError(f"{shown(path)} lasts {seconds:.1f} s; at most {limit:g} s can be used")


@contextmanager
def _open_sound(path: str | os.PathLike[str]) -> Iterator[Any]:
    """The file as an open `soundfile.SoundFile`; whatever fails meanwhile is one `AudioError`."""
    soundfile = load_soundfile()
    with as_audio_error(path, "read"):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # and opening a pipe would wait for ever
            kind = "a folder" if stat.S_ISDIR(mode) else "a device"
            raise AudioError(f"{shown(path)} is {kind}, not an audio file")
        with open(path, "rb", buffering=0) as stream:
            _check_whole(path, stream)
            try:
                # By its descriptor: of a name, soundfile takes some extensions (.raw) for a kind.
                with soundfile.SoundFile(stream.fileno(), closefd=False) as sound:
                    yield sound
            except soundfile.LibsndfileError as error:
                raise AudioError(
                    f"{shown(path)} cannot be read as audio ({error.error_string.rstrip('.')}); "
                    f"use an undamaged {', '.join(AUDIO_FORMATS)} file"
                ) from error


def _check_whole(path: str | os.PathLike[str], stream: io.FileIO) -> None:
    """Refuse empty files, and WAV, AIFF and OGG files that are cut off.

    libsndfile reads what is left of those without a word.
    """
    size = stream.seek(0, io.SEEK_END)
    if not size:
        raise AudioError(f"{shown(path)} is empty (0 bytes)")
    stream.seek(0)
    head = stream.read(4)
    whole = True
    if head == b"RIFF":
        whole = _sound_chunk_end(stream, size, "little") <= size
    elif head == b"FORM":
        whole = _sound_chunk_end(stream, size, "big") <= size
    elif head == b"OggS":
        whole = _ends_with_last_page(stream, size)
    if not whole:
        raise AudioError(f"{shown(path)} is cut short: its end is missing; get or export it again")
    stream.seek(0)


def _sound_chunk_end(stream: io.FileIO, size: int, order: Literal["little", "big"]) -> int:
    """Where the chunk with the samples ends by its own word; 0 if it does not say or is missing."""
    position = 12
    while position + 8 <= size:
        stream.seek(position)
        header = stream.read(8)
        length = int.from_bytes(header[4:], order)
        if header[:4] in (b"data", b"SSND"):
            return 0 if length >= _UNKNOWN_SIZE else position + 8 + length
        position += 8 + length + length % 2
    return 0


def _ends_with_last_page(stream: io.FileIO, size: int) -> bool:
    """Whether an OGG file's last page is whole and says that it is the last."""
    longest = 27 + 255 + 255 * 255
    stream.seek(max(0, size - longest))
    tail = stream.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False
    segments = tail[at + 27 : at + 27 + tail[at + 26]]
    return bool(tail[at + 5] & 4) and len(tail) >= at + 27 + tail[at + 26] + sum(segments)
