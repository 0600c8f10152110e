"""What waits for the engine, what it does, and what it has done. Lives on the main thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from mlx_music import InvalidRequest, Progress, ProgressEvent
from mlx_music_app.engine.jobs import Job, JobState, JobStatus
from mlx_music_app.engine.work import CallWork

#: Finished jobs that are remembered.
MAX_FINISHED = 100

ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(eq=False)
class JobEntry:
    """A job and what is known of it. progress: while it runs. leaves: it was removed meanwhile."""

    job: Job
    status: JobStatus
    picture: Any = None
    progress: Progress | None = None
    leaves: bool = False

    @property
    def id(self) -> str:
        return self.job.id


@dataclass(eq=False)
class CallEntry:
    """A function for the engine's thread, and who wants to know how it ends."""

    work: CallWork
    done: Callable[[Any], None]
    failed: Callable[[Exception], None]
    progress_slot: Callable[[ProgressEvent], None] | None

    @property
    def id(self) -> str:
        return self.work.id


Entry = JobEntry | CallEntry


class Queue:
    """In order: at most one that runs, those that wait, and the jobs that are finished."""

    def __init__(self) -> None:
        self.running: Entry | None = None
        self.waiting: list[Entry] = []
        self.finished: list[JobEntry] = []

    def entries(self) -> list[JobEntry]:
        """The jobs: running, queued, then finished, newest first."""
        live = [self.running, *self.waiting]
        return [entry for entry in live if isinstance(entry, JobEntry)] + self.finished

    def unfinished(self) -> list[tuple[Job, int]]:
        """The jobs that have takes to make yet, in order, each with how many were made.

        Not those that were cancelled and only end their last step.
        """
        return [
            (entry.job, entry.status.made)
            for entry in self.entries()
            if entry.status.state not in ENDED
            and entry.status.made < entry.job.takes
            and not (entry.progress is not None and entry.progress.cancelled)
        ]

    def entry(self, job_id: str) -> JobEntry:
        """KeyError if there is no such job."""
        for entry in self.entries():
            if entry.id == job_id:
                return entry
        raise KeyError(job_id)

    def move(self, entry: JobEntry, position: int) -> bool:
        """Put a waiting job at `position` among the waiting jobs; whether that changed anything.

        Other calls keep their places: they wait for what was there before them at most.
        """
        places = [i for i, other in enumerate(self.waiting) if isinstance(other, JobEntry)]
        jobs = [self.waiting[i] for i in places]
        if entry not in jobs:
            return False
        before = list(jobs)
        jobs.remove(entry)
        jobs.insert(max(0, min(position, len(jobs))), entry)
        for place, job in zip(places, jobs, strict=True):
            self.waiting[place] = job
        return jobs != before

    def finish(self, entry: JobEntry, status: JobStatus) -> list[str]:
        """`entry` has ended; returns the ids of those that are forgotten for it."""
        entry.status, entry.progress = status, None
        self.finished.insert(0, entry)
        forgotten = [old.id for old in self.finished[MAX_FINISHED:]]
        del self.finished[MAX_FINISHED:]
        return forgotten


def with_seeds(job: Job) -> Job:
    """The job with every seed that it draws from, so that it can be made again."""
    try:
        first = job.request.takes(1)[0]
    except InvalidRequest:
        return job  # it will fail, and say why
    return replace(job, request=first)


def still_to_make(job: Job, made: int) -> Job:
    """A new job for the takes of `job` that were not made; for all if all were."""
    left = job.takes - made
    if made == 0 or left <= 0:
        return Job(job.request, job.model, job.title, job.takes, job.parent)
    request = job.request.takes(job.takes)[made]
    return Job(request, job.model, job.title, left, job.parent)
