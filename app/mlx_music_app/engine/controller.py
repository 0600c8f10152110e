"""The engine as the windows see it: a queue of jobs, and signals on the main thread."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Signal, Slot

from mlx_music import Cancelled, GenerationRequest, Progress, ProgressEvent
from mlx_music_app.engine.estimate import Paces
from mlx_music_app.engine.jobs import Job, JobState, JobStatus, MadeTake
from mlx_music_app.engine.mailbox import Mailbox
from mlx_music_app.engine.models import Opener, open_model
from mlx_music_app.engine.queue import (
    ENDED,
    CallEntry,
    Entry,
    JobEntry,
    Queue,
    still_to_make,
    with_seeds,
)
from mlx_music_app.engine.thread import EngineThread
from mlx_music_app.engine.work import CallWork, Files, JobWork, readable
from mlx_music_app.preferences import Preferences

log = logging.getLogger(__name__)

#: Milliseconds between two reports, and between two pictures, of the engine's thread.
REPORT_INTERVAL, PICTURE_INTERVAL = 50, 100


class EngineController(QObject):
    """Owns the engine's thread and its queue. Everything here is for the main thread.

    Jobs are made one after another, in order; other calls that need the engine's thread wait in
    the same line. A job that fails says why in its status, and the next one runs.
    """

    jobAdded = Signal(str)
    jobChanged = Signal(str)
    jobRemoved = Signal(str)
    orderChanged = Signal()
    pictureChanged = Signal(str)
    takeMade = Signal(object)
    modelChanged = Signal(str)
    busyChanged = Signal(bool)
    fractionChanged = Signal(float)
    idle = Signal()  # nothing runs and nothing waits

    #: From the engine's thread.
    _made = Signal(object)

    def __init__(
        self,
        preferences: Preferences,
        files: Files,
        parent: QObject | None = None,
        *,
        opener: Opener = open_model,
    ) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._files = files
        self._queue = Queue()
        self._paces = Paces()
        self._model = ""
        self._fraction = -1.0
        self._closed = False
        self._reports = Mailbox(REPORT_INTERVAL, self)
        self._reports.delivered.connect(self._on_report)
        self._pictures = Mailbox(PICTURE_INTERVAL, self)
        self._pictures.delivered.connect(self._on_picture)
        self._made.connect(self._on_made)
        self._thread = EngineThread(opener)
        self._thread.ended.connect(self._on_ended)
        self._thread.modelChanged.connect(self._on_model)

    # Jobs

    def submit(self, job: Job) -> str:
        """Put a job at the end of the queue; returns its id."""
        if self._closed:
            raise RuntimeError("the engine has been shut down")
        self._queue.waiting.append(JobEntry(with_seeds(job), JobStatus(JobState.QUEUED)))
        self.jobAdded.emit(job.id)
        self._advance()
        return job.id

    def cancel(self, job_id: str) -> None:
        """Stop a job within a step, or take it from the queue. What it has made stays."""
        entry = self._queue.entry(job_id)
        if entry is self._queue.running:
            if entry.progress is not None:
                entry.progress.cancel()
                self.jobChanged.emit(job_id)
        elif entry in self._queue.waiting:
            self._queue.waiting.remove(entry)
            self._finish(entry, replace(entry.status, state=JobState.CANCELLED, remaining=None))
            self._say_idle()

    def remove(self, job_id: str) -> None:
        """Forget a job; one that runs is cancelled first."""
        entry = self._queue.entry(job_id)
        if entry is self._queue.running:
            entry.leaves = True
            self.cancel(job_id)
            return
        waiting = entry in self._queue.waiting
        (self._queue.waiting if waiting else self._queue.finished).remove(entry)
        self.jobRemoved.emit(job_id)
        if waiting:
            self._say_idle()

    def retry(self, job_id: str) -> str:
        """Queue a finished job anew, in the place of the old one; returns the new id.

        Takes that were made are not made again, unless all were.
        """
        entry = self._queue.entry(job_id)
        if entry.status.state not in ENDED:
            return job_id
        job = still_to_make(entry.job, entry.status.made)
        self.remove(job_id)
        return self.submit(job)

    def move(self, job_id: str, position: int) -> None:
        """Put a queued job at `position` among those that are queued; 0 is next."""
        if self._queue.move(self._queue.entry(job_id), position):
            self.orderChanged.emit()

    def clear_finished(self) -> None:
        """Forget the jobs that have ended."""
        for entry in list(self._queue.finished):
            self.remove(entry.id)

    def jobs(self) -> list[Job]:
        """Running, queued, then finished, newest first."""
        return [entry.job for entry in self._queue.entries()]

    def unfinished(self) -> list[tuple[Job, int]]:
        """Running and queued jobs that were not cancelled, each with the takes made of it."""
        return self._queue.unfinished()

    def job(self, job_id: str) -> Job:
        """KeyError for a job that is unknown or was removed, here and below."""
        return self._queue.entry(job_id).job

    def status(self, job_id: str) -> JobStatus:
        return self._queue.entry(job_id).status

    def running(self) -> Job | None:
        running = self._queue.running
        return running.job if isinstance(running, JobEntry) else None

    def picture(self, job_id: str) -> Any:
        """The song as it is by now: uint8 (bins, columns), low frequencies first, or None."""
        return self._queue.entry(job_id).picture

    # Other work, and what goes on

    def run_on_engine(
        self,
        function: Callable[[Progress], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        progress_slot: Callable[[ProgressEvent], None] | None = None,
        *,
        unload: bool = False,
    ) -> Progress:
        """Call `function(progress)` on the engine's thread when its turn comes.

        Then `done(result)` or `failed(error)` is called on the main thread, and `progress_slot`
        now and then meanwhile. unload: let the loaded model go first, for its memory or because
        its files will change. Cancel by the returned progress: `failed` gets `Cancelled`.
        """
        if self._closed:
            raise RuntimeError("the engine has been shut down")
        call_id = uuid.uuid4().hex
        report = None if progress_slot is None else _Reporter(self._reports, call_id)
        work = CallWork(call_id, function, report, unload)
        self._queue.waiting.append(CallEntry(work, done, failed, progress_slot))
        self._advance()
        return work.progress

    def expect(self, model: str, request: GenerationRequest) -> dict[str, float] | None:
        """Seconds that each stage of a take will last, by what takes have lasted until now; None
        if nothing like it was made yet."""
        return self._paces.expect(model, request)

    @property
    def busy(self) -> bool:
        return self._queue.running is not None

    @property
    def fraction(self) -> float:
        """0 to 1 of the running job; -1 if none runs."""
        return self._fraction

    @property
    def model(self) -> str:
        """The model in memory, "" if none."""
        return self._model

    def shutdown(self, timeout_ms: int = 15_000) -> bool:
        """Cancel everything and end the thread. False if it has not ended in time."""
        self._closed = True
        for entry in self._queue.waiting[:]:
            if isinstance(entry, CallEntry):
                entry.work.progress.cancel()
            else:
                self.cancel(entry.id)
        running = self._queue.running
        if isinstance(running, JobEntry):
            self.cancel(running.id)
        elif running is not None:
            running.work.progress.cancel()
        if not self._thread.isRunning():
            return True
        self._thread.end()
        ended = self._thread.wait(timeout_ms)
        if not ended:
            log.warning("the engine's thread has not ended within %d ms", timeout_ms)
        # What it said at last, such as a take that was finished, is still under way to us.
        QCoreApplication.sendPostedEvents(self, QEvent.Type.MetaCall)
        return ended

    # The queue moves on

    def _advance(self) -> None:
        if self._queue.running is not None or not self._queue.waiting:
            return
        entry = self._queue.waiting.pop(0)
        self._queue.running = entry
        if isinstance(entry, CallEntry):
            work: CallWork | JobWork = entry.work
        else:
            work = self._work_of(entry.job)
            entry.progress = work.progress
            entry.status = JobStatus(JobState.RUNNING)
        if not self._thread.isRunning():
            self._thread.start()
        self._thread.do(work)
        self.busyChanged.emit(True)
        if isinstance(entry, JobEntry):
            self.jobChanged.emit(entry.id)
            self._set_fraction(0.0)

    def _work_of(self, job: Job) -> JobWork:
        limit = float(self._preferences.get("memory_limit"))
        return JobWork(
            job,
            memory_limit=limit if limit > 0 else None,
            files=self._files,
            paces=self._paces,
            on_status=self._report_status,
            on_picture=self._report_picture,
            on_made=self._made.emit,
        )

    def _finish(self, entry: JobEntry, status: JobStatus) -> None:
        if entry.leaves:
            self.jobRemoved.emit(entry.id)
            return
        forgotten = self._queue.finish(entry, status)
        self.jobChanged.emit(entry.id)
        for job_id in forgotten:
            self.jobRemoved.emit(job_id)

    def _say_idle(self) -> None:
        if self._queue.running is None and not self._queue.waiting:
            self.idle.emit()

    def _set_fraction(self, fraction: float) -> None:
        if fraction != self._fraction:
            self._fraction = fraction
            self.fractionChanged.emit(fraction)

    # On the engine's thread

    def _report_status(self, job_id: str, status: JobStatus) -> None:
        self._reports.put((job_id, status))

    def _report_picture(self, job_id: str, picture: Any) -> None:
        self._pictures.put((job_id, picture))

    # From the engine's thread, on the main thread

    @Slot(object)
    def _on_report(self, report: tuple[str, Any]) -> None:
        running = self._queue.running
        if running is None or running.id != report[0]:
            return
        if isinstance(running, CallEntry):
            if running.progress_slot is not None:
                running.progress_slot(report[1])
            return
        # Of takes that are made, `_on_made` knows more.
        running.status = replace(report[1], made=running.status.made)
        self._set_fraction(running.status.fraction)
        self.jobChanged.emit(running.id)

    @Slot(object)
    def _on_picture(self, report: tuple[str, Any]) -> None:
        running = self._queue.running
        if isinstance(running, JobEntry) and running.id == report[0]:
            running.picture = report[1]
            self.pictureChanged.emit(running.id)

    @Slot(object)
    def _on_made(self, made: MadeTake) -> None:
        running = self._queue.running
        if isinstance(running, JobEntry) and running.id == made.job.id:
            running.status = replace(running.status, made=running.status.made + 1)
            self.jobChanged.emit(running.id)
        self.takeMade.emit(made)

    @Slot(str)
    def _on_model(self, model: str) -> None:
        self._model = model
        self.modelChanged.emit(model)

    @Slot(str, object, object)
    def _on_ended(self, work_id: str, result: Any, error: Exception | None) -> None:
        self._reports.flush()
        self._pictures.flush()
        entry = self._queue.running
        if entry is None or entry.id != work_id:
            return
        self._queue.running = None
        self._tell(entry, result, error)
        if not self._closed:
            self._advance()
        if self._queue.running is None:
            self._set_fraction(-1.0)
            self.busyChanged.emit(False)
            self._say_idle()
        elif isinstance(self._queue.running, CallEntry):
            self._set_fraction(-1.0)

    def _tell(self, entry: Entry, result: Any, error: Exception | None) -> None:
        if isinstance(entry, CallEntry):
            if error is None:
                entry.done(result)
            else:
                entry.failed(error)
        elif error is None:
            made = entry.status.made
            done = JobStatus(JobState.DONE, made=made, fraction=1.0, remaining=0.0)
            self._finish(entry, done)
        elif isinstance(error, Cancelled):
            cancelled = replace(entry.status, state=JobState.CANCELLED, remaining=None)
            self._finish(entry, cancelled)
        else:
            failed = replace(
                entry.status, state=JobState.FAILED, remaining=None, error=readable(error)
            )
            self._finish(entry, failed)


class _Reporter:
    """Puts the events of a call into the post."""

    def __init__(self, reports: Mailbox, call_id: str) -> None:
        self._reports = reports
        self._call_id = call_id

    def __call__(self, event: ProgressEvent) -> None:
        self._reports.put((self._call_id, event))
