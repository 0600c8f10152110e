"""What goes on with models right now: at most one thing with each, told by their ids."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from mlx_music import Cancelled, Progress, ProgressEvent
from mlx_music_app.engine.jobs import Job, JobStatus
from mlx_music_app.models.tasks import Report, Task
from mlx_music_app.models.words import size_in_words


class Controller(Protocol):
    """What is needed of the engine's controller."""

    @property
    def model(self) -> str: ...
    def jobs(self) -> list[Job]: ...
    def status(self, job_id: str) -> JobStatus: ...
    def run_on_engine(
        self,
        function: Callable[[Progress], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
        progress_slot: Callable[[ProgressEvent], None] | None = None,
        *,
        unload: bool = False,
    ) -> Progress: ...


@dataclass(frozen=True)
class Activity:
    """what: "download", "repair", "verify", "quantize", "copy" or "delete". fraction: 0 to 1.
    ending: it was asked to stop, and has not done so yet."""

    what: str
    fraction: float = 0.0
    text: str = ""
    ending: bool = False

    @property
    def fetches(self) -> bool:
        """Whether it uses the network, and goes on later where it stops."""
        return self.what in ("download", "repair")


class _OnEngine(QObject):
    """Work on the engine's thread under an id: the receiver that its signals need."""

    reported = Signal(object)  # ProgressEvent
    finished = Signal(object)
    stopped = Signal()
    failed = Signal(Exception)

    def __init__(self, function: Callable[[Progress], Any], parent: QObject) -> None:
        super().__init__(parent)
        self._function = function
        self._progress: Progress | None = None

    def start(self, controller: Controller, *, unload: bool = False) -> None:
        self._progress = controller.run_on_engine(
            self._function, self._on_done, self._on_failed, self._on_event, unload=unload
        )

    def stop(self) -> None:
        if self._progress is not None:
            self._progress.cancel()

    def wait(self, seconds: float) -> bool:
        """The controller waits for its own thread."""
        return True

    # Methods, not the signals themselves: only a method of a QObject is called on its thread.
    def _on_event(self, event: ProgressEvent) -> None:
        self.reported.emit(event)

    def _on_done(self, result: Any) -> None:
        self.finished.emit(result)

    def _on_failed(self, error: Exception) -> None:
        if isinstance(error, Cancelled):
            self.stopped.emit()
        else:
            self.failed.emit(error)


class Activities(QObject):
    """Starts, watches and stops. For the main thread, on which all signals are sent."""

    changed = Signal(str)  # id: something began, is ending or ended
    progress = Signal(str, float, str)  # id, fraction, a line for a person
    total = Signal(str, object)  # id, bytes of a whole download, as soon as the hub has said
    finished = Signal(str, str, object)  # id, what, result
    stopped = Signal(str, str)  # id, what
    failed = Signal(str, str, Exception)  # id, what, error

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._running: dict[str, Task | _OnEngine] = {}
        self._activities: dict[str, Activity] = {}

    def of(self, model_id: str) -> Activity | None:
        return self._activities.get(model_id)

    def start(self, model_id: str, what: str, function: Callable[[Report], Any], text: str) -> None:
        """Run `function(report)` on a thread of its own."""
        task = Task(f"{what} {model_id}", function, self)
        task.reported.connect(self._on_bytes)
        self._watch(model_id, Activity(what, text=text), task)
        task.start()

    def start_on_engine(
        self, model_id: str, what: str, function: Callable[[Progress], Any], text: str
    ) -> None:
        """Run `function(progress)` on the engine's thread, when its turn comes."""
        running = _OnEngine(function, self)
        running.reported.connect(self._on_event)
        self._watch(model_id, Activity(what, text=text), running)
        running.start(self._controller)

    def remove(self, model_id: str, function: Callable[[], Any]) -> None:
        """Run `function`, which takes a model's files away. While the engine holds that model,
        its files would keep their room on the disk: it has to let go first."""
        if self._controller.model == model_id:
            running = _OnEngine(partial(_only, function), self)
            self._watch(model_id, Activity("delete", text="Waiting for the engine"), running)
            running.start(self._controller, unload=True)
        else:
            self.start(model_id, "delete", partial(_only, function), "Removing")

    def stop(self, model_id: str) -> None:
        """Ask it to end at its next step; `stopped` follows."""
        activity = self._activities.get(model_id)
        if activity is not None:
            self._running[model_id].stop()
            text = "Pausing" if activity.fetches else "Stopping"
            self._activities[model_id] = replace(activity, ending=True, text=text)
            self.changed.emit(model_id)

    def shutdown(self, seconds: float) -> bool:
        """Stop everything. False if something has not ended in time, which does no harm."""
        for running in self._running.values():
            running.stop()
        deadline = time.monotonic() + seconds
        return not [
            running
            for running in self._running.values()
            if not running.wait(max(0.0, deadline - time.monotonic()))
        ]

    def _watch(self, model_id: str, activity: Activity, running: Task | _OnEngine) -> None:
        running.setObjectName(model_id)
        running.finished.connect(self._on_finished)
        running.stopped.connect(self._on_stopped)
        running.failed.connect(self._on_failed)
        self._running[model_id] = running
        self._activities[model_id] = activity
        self.changed.emit(model_id)

    def _ended(self) -> tuple[str, str]:
        """The id and the activity of the sender, which has ended."""
        model_id = self.sender().objectName()
        ended = self._running.pop(model_id)
        # Its thread has sent its last signal, and has to be out of it before this is deleted.
        ended.wait(1.0)
        ended.deleteLater()
        return model_id, self._activities.pop(model_id).what

    def _on_bytes(self, done: int, total: int, text: str) -> None:
        model_id = self.sender().objectName()
        activity = self._activities[model_id]
        if activity.fetches and total > 0:
            self.total.emit(model_id, total)
        if not activity.fetches:
            verb = "Checking" if activity.what == "verify" else "Copying"
            text = f"{verb}: {size_in_words(done)} of {size_in_words(total)}"
        self._proceed(model_id, done / total if total else 0.0, text)

    def _on_event(self, event: ProgressEvent) -> None:
        fraction = event.step / event.total if event.total else 0.0
        text = f"{round(100 * fraction)} % written"
        self._proceed(self.sender().objectName(), fraction, text)

    def _proceed(self, model_id: str, fraction: float, text: str) -> None:
        activity = self._activities[model_id]
        if not activity.ending:
            self._activities[model_id] = replace(activity, fraction=fraction, text=text)
            self.progress.emit(model_id, fraction, text)

    def _on_finished(self, result: Any) -> None:
        model_id, what = self._ended()
        self.changed.emit(model_id)
        self.finished.emit(model_id, what, result)

    def _on_stopped(self) -> None:
        model_id, what = self._ended()
        self.changed.emit(model_id)
        self.stopped.emit(model_id, what)

    def _on_failed(self, error: Exception) -> None:
        model_id, what = self._ended()
        self.changed.emit(model_id)
        self.failed.emit(model_id, what, error)


def _only(function: Callable[[], Any], progress: object) -> Any:
    """Call what has no steps to report."""
    return function()
