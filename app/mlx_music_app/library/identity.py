"""Which take a file is, wherever it lies: written into the JSON in its tags when it is made.

The JSON that `mlx_music.metadata.Description` writes has room beside its own three keys, and
whoever reads it goes by those. The file is never written again, because a song in a music
program may refer to it: what a person adds later is kept in the catalogue and in the journal.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlx_music import GenerationRequest
from mlx_music.audio.files import AudioInfo, probe_audio
from mlx_music.audio.tags import read_tags
from mlx_music.metadata import Description

TAKE_KEY = "take"
EXPORT_KEY = "export"

_END = 64 * 1024  # bytes at either end of a file that its fingerprint looks at


@dataclass(frozen=True)
class Identity:
    """What a take's file says of itself beside its settings. `parent` is the uid of a take."""

    uid: str
    title: str = ""
    number: int = 1
    created: datetime | None = None
    parent: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.uid,
            "title": self.title,
            "number": self.number,
            "created": self.created.isoformat() if self.created else None,
            "parent": self.parent,
        }


@dataclass(frozen=True)
class FileFacts:
    """All that a file of ours says: who it is, how it was made, what is in it."""

    path: Path
    identity: Identity
    request: GenerationRequest
    model: str
    audio: AudioInfo
    modified: datetime


def described(description: Description, identity: Identity) -> dict[str, str]:
    """The tags of a take: all that the engine writes, its title for players, and who it is."""
    tags = description.to_tags()
    values = json.loads(tags["request_json"])
    values[TAKE_KEY] = identity.to_dict()
    return {
        **tags,
        "request_json": json.dumps(values, ensure_ascii=False),
        "title": identity.title or tags["title"],
    }


def read_facts(path: Path) -> FileFacts | None:
    """Read a file that MLX Music made, by this app or the command line; None for any other file.

    Raises:
        AudioError: It cannot be read or is cut short.
        MLXMusicError: Its settings are of a version that this one does not understand.
    """
    tags = read_tags(path)
    if tags is None:
        return None
    description = Description.from_json(tags.request_json, str(path))
    values = json.loads(tags.request_json)
    identity = _identity(values.get(TAKE_KEY))
    if identity is None:
        identity = Identity(fingerprint(path))
    return FileFacts(
        path=path,
        identity=identity,
        request=description.request,
        model=description.model,
        audio=probe_audio(path),
        modified=datetime.fromtimestamp(path.stat().st_mtime, timezone.utc),
    )


def read_uid(path: Path) -> str | None:
    """Which take the file is; None if it is none of ours. Raises `AudioError`."""
    tags = read_tags(path)
    if tags is None:
        return None
    identity = _identity(json.loads(tags.request_json).get(TAKE_KEY))
    return fingerprint(path) if identity is None else identity.uid


def fingerprint(path: Path) -> str:
    """Identity of a file that does not name one (made on the command line), by its content.

    Its size and both ends: the tags, with the seed, lie at one end or the other.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with open(path, "rb") as stream:
        digest.update(stream.read(_END))
        stream.seek(max(0, size - _END), os.SEEK_SET)
        digest.update(stream.read(_END))
    return f"content-{digest.hexdigest()}"


def _identity(values: object) -> Identity | None:
    """What `to_dict` wrote; None where somebody else's hand makes it useless."""
    if not isinstance(values, Mapping) or not isinstance(values.get("id"), str):
        return None
    number, parent = values.get("number"), values.get("parent")
    return Identity(
        uid=values["id"],
        title=str(values.get("title") or ""),
        number=number if type(number) is int and number > 0 else 1,
        created=parse_time(values.get("created")),
        parent=parent if isinstance(parent, str) else None,
    )


def parse_time(text: object) -> datetime | None:
    """A time that `isoformat` wrote, with its zone; None for anything else."""
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None
