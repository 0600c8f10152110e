"""What the engine is asked to do, and how far it is."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from mlx_music import GenerationRequest


class JobState(enum.Enum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Job:
    """One press of the button: a request, and how many takes of it, made one after another.

    model: folder, hub id or "sketch". title: what its takes will be called. parent: id of the
    take that is worked on. Its request's seeds are fixed when the job is made, so that a retry
    makes the same.
    """

    request: GenerationRequest
    model: str
    title: str
    takes: int = 1
    parent: int | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True)
class JobStatus:
    """How far a job is. Times are seconds.

    made: takes that are done. stage, step, total: of the running take, as in
    `mlx_music.ProgressEvent`. fraction: 0 to 1, of the whole job. remaining: estimate for the
    whole job, None before there is one. error: what a person should read when it failed.
    """

    state: JobState
    made: int = 0
    stage: str = ""
    step: int = 0
    total: int = 0
    fraction: float = 0.0
    remaining: float | None = None
    error: str = ""


@dataclass(frozen=True)
class MadeTake:
    """A take that lies on the disk, whole, and is not in the catalogue yet."""

    job: Job
    path: Path
    request: GenerationRequest  # with its seeds
    model: str
    duration: float
    sample_rate: int
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
