"""What the app knows of one model."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlx_music_app.models.words import size_in_words


class Kind(enum.Enum):
    """Where a model comes from, which decides what can be done with it."""

    BUILT_IN = "built in"  # comes with the app
    HUB = "hub"  # downloaded into the Hugging Face cache, or to be
    LINKED = "linked"  # a folder of the person's, used where it is
    OWN = "own"  # a folder that the app made: a smaller copy, or a copied import


class State(enum.Enum):
    ABSENT = "absent"  # nothing of it is here
    PARTIAL = "partial"  # a download that is not finished
    READY = "ready"
    DAMAGED = "damaged"  # files are missing or cannot be read; `problem` says which


@dataclass(frozen=True)
class ModelInfo:
    """One model, installed or not, as its card shows it.

    id: "sketch", a hub id, or the whole path of a folder: what `ACEStep.from_pretrained` takes
    as well. nbytes: what lies on the disk, unfinished downloads too. total: bytes of the whole
    download, None where the hub has not said. sings, max_duration (seconds), default_fields: what
    the model says of itself; of an absent one, what is published. source: the text of a link to
    where it comes from, and its address, both empty for folders.
    """

    id: str
    name: str
    kind: Kind
    state: State
    about: str = ""
    licence: str = ""
    link: str = ""
    folder: Path | None = None
    nbytes: int = 0
    total: int | None = None
    precision: str = ""
    sings: bool = True
    max_duration: float = 240.0
    default_fields: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    smaller: bool = False  # quantized already

    @property
    def ready(self) -> bool:
        return self.state is State.READY

    @property
    def fraction(self) -> float:
        """How much of the download is here, 0 to 1."""
        if self.ready:
            return 1.0
        return min(1.0, self.nbytes / self.total) if self.total else 0.0

    @property
    def size(self) -> str:
        """What a person reads of its size: on the disk, or to download."""
        if self.state is State.ABSENT:
            return f"{size_in_words(self.total)} to download" if self.total else ""
        if self.state is State.PARTIAL and self.total:
            return f"{size_in_words(self.nbytes)} of {size_in_words(self.total)}"
        return size_in_words(self.nbytes)
