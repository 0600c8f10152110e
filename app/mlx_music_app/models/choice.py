"""A model as the person picks it when composing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlx_music.request import MAX_DURATION


@dataclass(frozen=True)
class ModelChoice:
    """An entry of the model picker.

    value: what a job names: folder, hub id or "sketch". default_fields: fields of a
    `GenerationRequest` whose default is another for this model. sings: whether it makes use of
    lyrics. max_duration: seconds.
    """

    name: str
    value: str
    installed: bool = True
    default_fields: dict[str, Any] = field(default_factory=dict)
    sings: bool = True
    max_duration: float = MAX_DURATION
