"""Stands in for the engine's controller: one thread that runs what it is given."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QObject, Signal

from mlx_music import GenerationRequest, Progress
from mlx_music_app.engine.jobs import Job, JobState, JobStatus
from mlx_music_app.models.service import ModelService

ServiceMaker = Callable[[], ModelService]


class _Call(QObject):
    done = Signal(object)
    failed = Signal(Exception)
    progress = Signal(object)


@dataclass
class EngineDouble:
    """live: the ids of models that music is being made with. model: the one in memory; unloaded:
    those that had to go before something was run."""

    live: list[str] = field(default_factory=list)
    model: str = ""
    unloaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._calls: list[_Call] = []

    def jobs(self) -> list[Job]:
        request = GenerationRequest(prompt="calm piano")
        return [Job(request, model, "A title", id=model) for model in self.live]

    def status(self, job_id: str) -> JobStatus:
        return JobStatus(JobState.RUNNING)

    def run_on_engine(
        self,
        function: Callable[[Progress], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        progress_slot: Callable[..., None] | None = None,
        *,
        unload: bool = False,
    ) -> Progress:
        if unload:
            self.unloaded.append(self.model)
            self.model = ""
        call = _Call()
        self._calls.append(call)
        call.done.connect(done)
        call.failed.connect(failed)
        if progress_slot is not None:
            call.progress.connect(progress_slot)
        progress = Progress(call.progress.emit)

        def run() -> None:
            try:
                result = function(progress)
            except Exception as error:
                call.failed.emit(error)
            else:
                call.done.emit(result)

        self._pool.submit(run)
        return progress

    def shutdown(self) -> None:
        self._pool.shutdown()
