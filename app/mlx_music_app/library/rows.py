"""What goes into the catalogue's rows and comes out of them."""

from __future__ import annotations

import json
import logging
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlx_music import GenerationRequest
from mlx_music_app.library.take import Take

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewTake:
    """What is known of a take that gets its row now. `parent` is the id of another row."""

    uid: str
    path: Path
    title: str
    number: int
    created: datetime
    duration: float
    sample_rate: int
    request: GenerationRequest
    model: str
    favourite: bool = False
    notes: str = ""
    tags: tuple[str, ...] = ()
    parent: int | None = None


@dataclass(frozen=True)
class Place:
    """Where a take's file is. `trashed` is when the take was deleted, None if it was not.

    trash_path: where the system keeps the file of a deleted take; None until it has taken it.
    """

    id: int
    uid: str
    path: Path
    trashed: str | None
    trash_path: Path | None


def title_key(title: str) -> str:
    """A title as titles are compared and sorted."""
    return " ".join(title.casefold().split())


def stored_time(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec="microseconds")


def place_of(row: sqlite3.Row) -> Place:
    trash_path = Path(row["trash_path"]) if row["trash_path"] else None
    return Place(row["id"], row["uid"], Path(row["path"]), row["trashed"], trash_path)


def take_of(row: sqlite3.Row, tags: tuple[str, ...]) -> Take:
    return Take(
        id=row["id"],
        path=Path(row["path"]),
        title=row["title"],
        number=row["number"],
        created=datetime.fromisoformat(row["created"]).astimezone(),
        duration=row["duration"],
        sample_rate=row["sample_rate"],
        request=request_of(row["request"]),
        model=row["model"],
        favourite=bool(row["favourite"]),
        notes=row["notes"],
        tags=tags,
        parent=row["parent"],
        missing=bool(row["missing"]),
        uid=row["uid"],
    )


def request_of(text: str) -> GenerationRequest:
    """The request that a row holds. It was checked when it was written: that is not done again
    for every row of a list."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in json.loads(text).items()
    }
    try:
        return GenerationRequest(**values)
    except TypeError as error:
        # One row of an odd version must not empty the whole list. Its file's tags stay whole.
        log.warning("a request in the catalogue is shown in part: %s", error)
        prompt, lyrics = (str(values.get(name) or "") for name in ("prompt", "lyrics"))
        return GenerationRequest(prompt=prompt, lyrics=lyrics)
