"""What the engine's thread is given to do: jobs, and other calls that need the model's thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

from mlx_music import GenerationRequest, MLXMusicError, MusicOutput, Progress, ProgressEvent
from mlx_music_app import paths
from mlx_music_app.engine.estimate import Estimate, Paces, lasts_as_asked
from mlx_music_app.engine.jobs import Job, JobStatus, MadeTake
from mlx_music_app.engine.models import LoadedModel

log = logging.getLogger(__name__)


class Files(Protocol):
    """What is needed of `library.files.TakeFiles`."""

    def check(self, seconds: float, sample_rate: int) -> None: ...

    def save(self, output: MusicOutput, title: str, *, parent: int | None = None) -> Any: ...


class Work(Protocol):
    """Something to do on the engine's thread. It raises `Cancelled` when its progress is."""

    id: str
    progress: Progress

    def run(self, loaded: LoadedModel) -> Any: ...


class CallWork:
    """A function that needs the engine's thread. unload: it needs the memory of the model."""

    def __init__(
        self,
        call_id: str,
        function: Callable[[Progress], Any],
        on_event: Callable[[ProgressEvent], None] | None,
        unload: bool,
    ) -> None:
        self.id = call_id
        self.progress = Progress(on_event)
        self._function = function
        self._unload = unload

    def run(self, loaded: LoadedModel) -> Any:
        self.progress.check()
        if self._unload:
            loaded.unload()
        return self._function(self.progress)


class JobWork:
    """The takes of a job, one after another, each of them on the disk before it is told of."""

    def __init__(
        self,
        job: Job,
        *,
        memory_limit: float | None,
        files: Files,
        paces: Paces,
        on_status: Callable[[str, JobStatus], None],
        on_picture: Callable[[str, Any], None],
        on_made: Callable[[MadeTake], None],
    ) -> None:
        self.id = job.id
        self.job = job
        self.progress = Progress(self._event, self._picture)
        self._memory_limit = memory_limit
        self._files = files
        self._paces = paces
        self._on_status = on_status
        self._on_picture = on_picture
        self._on_made = on_made
        self._estimate: Estimate | None = None

    def run(self, loaded: LoadedModel) -> None:
        job = self.job
        # Before a model is loaded, and music made, for nothing.
        job.request.validate()
        self._files.check(_seconds(job), job.request.sample_rate)
        requests = job.request.takes(job.takes)
        estimate = self._estimate = Estimate(
            job.request,
            job.takes,
            loads=not loaded.has(job.model, self._memory_limit),
            expected=self._paces.expect(job.model, job.request),
        )
        started = time.perf_counter()
        self.progress.start("load", 1)
        model = loaded.get(job.model, self._memory_limit, self.progress)
        self.progress.step(1)
        estimate.took("load", time.perf_counter() - started)
        for request in requests:
            self._make(model, request, estimate)

    def _make(self, model: Any, request: GenerationRequest, estimate: Estimate) -> None:
        output = model.generate(request, progress=self.progress)
        started = time.perf_counter()
        self.progress.start("save", 1)
        path = self._files.save(output, self.job.title, parent=self.job.parent)
        timings = {**output.timings, "save": time.perf_counter() - started}
        for stage, seconds in timings.items():
            estimate.took(stage, seconds)
        self._paces.learn(self.job.model, request, timings)
        self._on_made(
            MadeTake(
                job=self.job,
                path=path,
                request=output.request,
                model=output.model,
                duration=output.duration,
                sample_rate=output.sample_rate,
                notes=output.notes,
                timings=timings,
            )
        )
        self._on_status(self.id, estimate.take_made())

    def _event(self, event: ProgressEvent) -> None:
        if self._estimate is not None:
            self._on_status(self.id, self._estimate.event(event))

    def _picture(self, picture: Any) -> None:
        self._on_picture(self.id, picture)


def _seconds(job: Job) -> float:
    """Of music that a job makes; 0 if nobody knows yet."""
    return job.request.duration * job.takes if lasts_as_asked(job.request) else 0.0


def readable(error: Exception) -> str:
    """What a person should read of an error, in a line."""
    if isinstance(error, MLXMusicError):
        return str(error)
    if isinstance(error, MemoryError) or "malloc" in str(error).lower():
        return (
            "The memory of this machine was not enough. Make shorter music, choose a smaller "
            "model, or set a memory limit in the preferences."
        )
    return (
        f"Something unexpected went wrong ({type(error).__name__}). "
        f"The details are in the log in {paths.log_folder()}"
    )
