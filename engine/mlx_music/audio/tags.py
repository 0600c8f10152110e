"""What a song was made from, written into its file: the whole request, and what players show.

WAV, AIFF and MP3 carry ID3v2.4 (in WAV and AIFF as a chunk behind the sound), FLAC and OGG carry
Vorbis comments. The request is one JSON text under the key `MLX_MUSIC`.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from mlx_music.audio.atomic import as_audio_error, shown, write_whole
from mlx_music.errors import AudioError

REQUEST_KEY = "MLX_MUSIC"

# Field -> ID3 frame, Vorbis comment.
_FIELDS = {
    "title": ("TIT2", "TITLE"),
    "artist": ("TPE1", "ARTIST"),
    "album": ("TALB", "ALBUM"),
    "genre": ("TCON", "GENRE"),
    "comment": ("COMM", "COMMENT"),
    "lyrics": ("USLT", "LYRICS"),
    "software": ("TSSE", "ENCODER"),
}
FIELDS = tuple(_FIELDS)

# What mutagen lets through, beside its own errors, from files with flipped or missing bytes.
_LEAKS = (ValueError, IndexError, MemoryError, struct.error)

_UTF8 = 3  # ID3v2.4's number for it
_NO_LANGUAGE = "XXX"


@dataclass(frozen=True)
class Tags:
    """What a file says of its song.

    `request_json` is the request as it was given to `write_tags`; `fields` are texts for people,
    under names from `FIELDS`.
    """

    request_json: str
    fields: Mapping[str, str] = field(default_factory=dict)


def write_tags(
    path: str | os.PathLike[str], *, request_json: str, fields: Mapping[str, str]
) -> None:
    """Tag the audio file `path`, replacing the tags of an earlier call; the sound stays as it is.

    Args:
        path: A WAV, FLAC, AIFF, OGG (Vorbis) or MP3 file. It is replaced whole or not at all.
        request_json: A JSON object of any length.
        fields: Texts under names from `FIELDS`, shown by players. Empty ones are left out.

    Raises:
        AudioError: The file is of another kind, or cannot be read or written; a field is unknown;
            `request_json` is not a JSON object.
    """
    path = Path(path)
    with as_audio_error(path, "read"):
        stream = io.BytesIO(path.read_bytes())
    add_tags(stream, request_json=request_json, fields=fields, name=path)
    with stream.getbuffer() as data:
        write_whole(path, data, overwrite=True)


def add_tags(
    stream: io.BytesIO,
    *,
    request_json: str,
    fields: Mapping[str, str],
    name: str | os.PathLike[str] = "audio",
) -> None:
    """`write_tags` for the bytes of a file in memory; `name` is what errors call it."""
    check_tags(request_json, fields)
    request_json = _storable_json(request_json)
    fields = {key: _storable(text) for key, text in fields.items() if _storable(text)}
    file = _open(stream, name)
    if file is None:
        raise AudioError(f"{shown(name)} cannot be tagged: not a WAV, FLAC, AIFF, OGG or MP3 file")
    if file.tags is None:
        file.add_tags()
    if _is_id3(file):
        _set_id3(file.tags, request_json, fields)
    else:
        _set_comments(file.tags, request_json, fields)
    stream.seek(0)
    file.save(stream)


def check_tags(request_json: str, fields: Mapping[str, str]) -> None:
    """Raise `AudioError` for what `write_tags` would refuse whatever the file."""
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise AudioError(f"unknown tag {unknown[0]!r}; the tags are {', '.join(FIELDS)}")
    if not _is_object(request_json):
        raise AudioError("the request for a file's tags is not a JSON object")


def read_tags(path: str | os.PathLike[str]) -> Tags | None:
    """The tags of the audio file `path`, or None if MLX Music wrote none into it.

    Raises:
        AudioError: The file cannot be read, or its tags are damaged.
    """
    with as_audio_error(path, "read"), open(path, "rb") as stream:
        # As it stands: mutagen would translate the genre "808" into the 808th of ID3's first list.
        file = _open(stream, path, translate=False)
    if file is None or not file.tags:
        return None
    if _is_id3(file):
        request_json, fields = _get_id3(file.tags)
    else:
        request_json = "".join(file.tags.get(REQUEST_KEY, []))
        texts = {key: file.tags.get(comment) for key, (_, comment) in _FIELDS.items()}
        fields = {key: "\n".join(values) for key, values in texts.items() if values}
    if not request_json:
        return None
    if not _is_object(request_json):
        raise AudioError(f"{shown(path)}: its {REQUEST_KEY} tag is damaged (not a JSON object)")
    return Tags(request_json, fields)


def _open(stream: BinaryIO, name: str | os.PathLike[str], *, translate: bool = True) -> Any:
    """The file as mutagen sees it, by its content; None if it is of no kind that we tag.

    `translate` brings frames of older ID3 versions up to date, as writing them takes.
    """
    import mutagen
    from mutagen.aiff import AIFF
    from mutagen.flac import FLAC
    from mutagen.mp3 import MP3
    from mutagen.oggvorbis import OggVorbis
    from mutagen.wave import WAVE

    stream.seek(0)
    head = stream.read(64)
    stream.seek(0)
    kinds = {
        WAVE: head[:4] == b"RIFF" and head[8:12] == b"WAVE",
        AIFF: head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"),
        FLAC: head[:4] == b"fLaC",
        OggVorbis: head[:4] == b"OggS" and b"\x01vorbis" in head,
        MP3: head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] >= b"\xe0"),
    }
    kind = next((kind for kind, fits in kinds.items() if fits), None)
    try:
        if kind is None:
            return None
        return kind(stream) if kind in (FLAC, OggVorbis) else kind(stream, translate=translate)
    except (mutagen.MutagenError, *_LEAKS) as error:
        raise AudioError(f"{shown(name)}: its tags are damaged ({_one_line(error)})") from error


def _is_id3(file: Any) -> bool:
    from mutagen.id3 import ID3

    return isinstance(file.tags, ID3)


def _set_id3(tags: Any, request_json: str, fields: Mapping[str, str]) -> None:
    from mutagen import id3

    tags.setall(
        f"TXXX:{REQUEST_KEY}", [id3.TXXX(encoding=_UTF8, desc=REQUEST_KEY, text=[request_json])]
    )
    for key, (frame, _) in _FIELDS.items():
        for old in _plain_frames(tags, frame):
            del tags[old.HashKey]
        if key not in fields:
            continue
        text = fields[key]
        if frame == "USLT":
            tags.add(id3.USLT(encoding=_UTF8, lang=_NO_LANGUAGE, desc="", text=text))
        elif frame == "COMM":
            tags.add(id3.COMM(encoding=_UTF8, lang=_NO_LANGUAGE, desc="", text=[text]))
        else:
            tags.add(getattr(id3, frame)(encoding=_UTF8, text=[text]))


def _plain_frames(tags: Any, frame: str) -> list[Any]:
    """The frames of a kind, without comments under a heading: other programs keep data in those."""
    return [found for found in tags.getall(frame) if not getattr(found, "desc", "")]


def _set_comments(tags: Any, request_json: str, fields: Mapping[str, str]) -> None:
    texts = {comment: fields.get(key) for key, (_, comment) in _FIELDS.items()}
    for comment, text in {**texts, REQUEST_KEY: request_json}.items():
        if text:
            tags[comment] = text
        elif comment in tags:
            del tags[comment]


def _get_id3(tags: Any) -> tuple[str, dict[str, str]]:
    """The request ("" if there is none) and the fields of an ID3 tag."""
    request = tags.get(f"TXXX:{REQUEST_KEY}")
    fields = {}
    for key, (frame, _) in _FIELDS.items():
        for found in _plain_frames(tags, frame)[:1]:
            fields[key] = found.text if isinstance(found.text, str) else "\n".join(found.text)
    return "" if request is None else "".join(request.text), fields


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _storable(text: str) -> str:
    """`text` without what UTF-8 (lone surrogates) and ID3 (zero) cannot hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def _storable_json(text: str) -> str:
    """JSON that means the same, its lone surrogates escaped: UTF-8 cannot hold them."""
    return re.sub("[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)
