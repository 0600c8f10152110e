"""What a person adds to takes, kept a second time beside the music: in one line of JSON each.

The catalogue lies elsewhere and can be lost, or left behind when the music folder moves to another
machine; the music files themselves are never rewritten. So each change also adds a line to
`.mlx-music-journal.jsonl` in the music folder: the take's uid and everything that its file does
not say. The last line of a uid counts. A line that a crash cut short is skipped.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from mlx_music import AudioError
from mlx_music.audio.atomic import write_whole
from mlx_music_app.library.errors import LibraryError
from mlx_music_app.library.identity import parse_time

NAME = ".mlx-music-journal.jsonl"

#: The journal is written anew when so many lines, and more than half of them, are outdated.
SURPLUS = 1000

# The process writes to it from several threads.
_lock = threading.Lock()


@dataclass(frozen=True)
class Entry:
    """A line. `file` is relative to the music folder, absolute outside of it; `parent` a uid."""

    uid: str
    file: str
    title: str
    number: int
    created: datetime
    favourite: bool = False
    notes: str = ""
    tags: tuple[str, ...] = ()
    parent: str | None = None

    def to_line(self) -> str:
        values = {
            "id": self.uid,
            "file": self.file,
            "title": self.title,
            "number": self.number,
            "created": self.created.isoformat(),
            "favourite": self.favourite,
            "notes": self.notes,
            "tags": list(self.tags),
            "parent": self.parent,
        }
        return json.dumps(values, ensure_ascii=False) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Entry | None:
        """The entry of a line, None if it is none."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            return None
        return _entry(values) if isinstance(values, Mapping) else None


def relative(path: Path, folder: Path) -> str:
    """`path` as entries name it: so that the folder can move as a whole."""
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return str(path)


def read(folder: Path) -> dict[str, Entry]:
    """The entries of a music folder's journal by uid; none if it has no journal.

    Raises:
        LibraryError: The file cannot be read.
    """
    return _read(folder)[0]


def append(folder: Path, entries: Iterable[Entry]) -> None:
    """Add entries, whole and on the disk when this returns.

    Raises:
        LibraryError: The folder is missing or cannot be written.
    """
    data = "".join(entry.to_line() for entry in entries).encode("utf-8", "replace")
    path = folder / NAME
    with _lock:
        try:
            with open(path, "ab+") as stream:
                if stream.tell():
                    stream.seek(-1, os.SEEK_END)
                    if stream.read(1) != b"\n":  # the end of a line is missing: start a new one
                        data = b"\n" + data
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise LibraryError(f"{path}: cannot be written ({error.strerror})") from error


def compact(folder: Path) -> bool:
    """Write the journal anew without outdated lines if they are many; whether it was done.

    Raises:
        LibraryError: It cannot be read or written.
    """
    with _lock:
        entries, lines = _read(folder)
        if lines - len(entries) < SURPLUS or lines < 2 * len(entries):
            return False
        data = "".join(entry.to_line() for entry in entries.values())
        try:
            write_whole(folder / NAME, data.encode("utf-8", "replace"), overwrite=True)
        except AudioError as error:
            raise LibraryError(str(error)) from error
        return True


def _read(folder: Path) -> tuple[dict[str, Entry], int]:
    path = folder / NAME
    entries: dict[str, Entry] = {}
    lines = 0
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as stream:
            for line in stream:
                lines += 1
                entry = Entry.from_line(line)
                if entry is not None:
                    entries[entry.uid] = entry
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LibraryError(f"{path}: cannot be read ({error.strerror})") from error
    return entries, lines


def _entry(values: Mapping[str, Any]) -> Entry | None:
    uid, file, title = values.get("id"), values.get("file"), values.get("title")
    number, created = values.get("number"), parse_time(values.get("created"))
    tags, parent = values.get("tags"), values.get("parent")
    known = isinstance(uid, str) and isinstance(file, str) and isinstance(title, str)
    if not known or type(number) is not int or created is None:
        return None
    return Entry(
        uid=str(uid),
        file=str(file),
        title=str(title),
        number=number,
        created=created,
        favourite=values.get("favourite") is True,
        notes=str(values.get("notes") or ""),
        tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
        parent=parent if isinstance(parent, str) else None,
    )
