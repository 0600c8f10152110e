"""What the library knows of one piece of music."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mlx_music import GenerationRequest


@dataclass(frozen=True)
class Take:
    """A row of the catalogue. Everything but `id` and what a person adds (title, notes, tags,
    favourite) can be read again from the file's tags.

    number: counts the takes of one title, from 1. duration: seconds. parent: id of the take
    that this one was made from, None for new music. missing: the file is not where it was.
    uid: which take its file is, on any machine (it stands in the tags).
    """

    id: int
    path: Path
    title: str
    number: int
    created: datetime  # with a time zone
    duration: float
    sample_rate: int
    request: GenerationRequest
    model: str
    favourite: bool = False
    notes: str = ""
    tags: tuple[str, ...] = ()
    parent: int | None = None
    missing: bool = False
    uid: str = ""

    @property
    def name(self) -> str:
        """What lists and menus call it."""
        return self.title if self.number == 1 else f"{self.title} {self.number}"
