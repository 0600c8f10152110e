"""The queue on the disk: what was not finished when the app ended, however it ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from mlx_music import GenerationRequest
from mlx_music_app import paths
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.jobs import Job, MadeTake
from mlx_music_app.engine.queue import still_to_make
from mlx_music_app.json_file import put_aside, read_json, write_json

log = logging.getLogger(__name__)

FORMAT = 1

#: The fields of a job and their types; more or fewer are of another version, or damage.
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "id": str,
    "request": dict,
    "model": str,
    "title": str,
    "takes": int,
    "parent": (int, type(None)),
}


def queue_file() -> Path:
    return paths.data_folder() / "queue.json"


def job_to_dict(job: Job) -> dict[str, Any]:
    """Every field of `job` as plain JSON values."""
    values = {name: getattr(job, name) for name in _FIELDS}
    return {**values, "request": job.request.to_dict()}


def job_from_dict(values: Any) -> Job:
    """The job that `job_to_dict` wrote. Raises ValueError and TypeError for anything else."""
    if not isinstance(values, dict) or values.keys() != _FIELDS.keys():
        raise ValueError("a job has fields that this version does not know, or lacks some")
    for name, kind in _FIELDS.items():
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise ValueError(f"{name} of a job is of the wrong type")
    if values["takes"] < 1 or not values["id"]:
        raise ValueError("a job has no id, or no takes to make")
    return Job(**{**values, "request": GenerationRequest.from_dict(values["request"])})


def write_queue(jobs: Sequence[Job], file: Path) -> None:
    """Keep `jobs` in their order, whole or not at all. Raises OSError.

    A job whose request has values that no request may have is left out: it can only fail, and
    the file could not be read for it.
    """
    kept = []
    for job in jobs:
        values = job_to_dict(job)
        try:
            job_from_dict(values)
        except (ValueError, TypeError) as error:
            log.warning("a job cannot be kept: %s", error)
        else:
            kept.append(values)
    write_json({"format": FORMAT, "jobs": kept}, file)


def read_queue(file: Path) -> list[Job]:
    """The jobs that were kept. Raises OSError, and ValueError or TypeError for a damaged file."""
    try:
        values = read_json(file)
    except FileNotFoundError:
        return []
    if not isinstance(values, dict) or values.keys() != {"format", "jobs"}:
        raise ValueError("holds no queue")
    if values["format"] != FORMAT or not isinstance(values["jobs"], list):
        raise ValueError("holds no queue of this version")
    jobs = [job_from_dict(job) for job in values["jobs"]]
    if len({job.id for job in jobs}) < len(jobs):
        raise ValueError("holds a job twice")
    return jobs


class SavedQueue(QObject):
    """Keeps the controller's unfinished jobs, and offers those of the last run. Main thread.

    Jobs of the last run start only when `go_on` is called: the machine may be needed for
    something else. Until then, or until `forget`, they stay in the file.
    """

    changed = Signal()  # what is offered
    problem = Signal(str)  # a line for a person

    def __init__(self, controller: EngineController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._file = queue_file()
        self._left: list[Job] = []
        #: Jobs of this run as they are in the file: each with the takes that were made of it.
        self._live: list[tuple[Job, int]] = []
        self._follows = False
        self._works = True
        self.opening_problem = ""
        controller.takeMade.connect(self._on_made)
        for signal in (
            controller.jobAdded,
            controller.jobChanged,
            controller.jobRemoved,
            controller.orderChanged,
        ):
            signal.connect(self._follow)

    def open(self) -> None:
        """Read what the last run left, and follow the queue from now on.

        A file that cannot be read is put aside; `opening_problem` then says so.
        """
        try:
            self._left = read_queue(self._file)
        except (OSError, ValueError, TypeError) as error:
            aside = put_aside(error, self._file)
            where = f"; it is kept as {aside}" if aside else ""
            self.opening_problem = f"The queue of the last time could not be read{where}."
        self._follows = True
        if self._left:
            self.changed.emit()
        self._follow()

    def close(self) -> None:
        """The app ends: what is cancelled from now on was not cancelled by a person."""
        self._follow()
        self._follows = False

    @property
    def left(self) -> tuple[Job, ...]:
        """Jobs of the last run with the takes they lack, in their order."""
        return tuple(self._left)

    def go_on(self) -> None:
        """Queue the jobs of the last run, in their order."""
        jobs, self._left = self._left, []
        # Not one by one: killed in between, the file still has all of them.
        self._follows = False
        for job in jobs:
            self._controller.submit(job)
        self._follows = True
        self._follow()
        self.changed.emit()

    def forget(self) -> None:
        """Drop the jobs of the last run."""
        self._left = []
        self._write()
        self.changed.emit()

    @Slot()
    def _follow(self) -> None:
        """Write if there is news. This is called for every step of a job."""
        if not self._follows:
            return
        live = self._controller.unfinished()
        if _marks(live) != _marks(self._live):
            self._live = live
            self._write()

    @Slot(object)
    def _on_made(self, made: MadeTake) -> None:
        """A take that was finished while the engine was stopped is not made again either."""
        if not self._follows and made.job.id in (job.id for job, _ in self._live):
            self._live = [
                (job, count + (job.id == made.job.id))
                for job, count in self._live
                if job.id != made.job.id or count + 1 < job.takes
            ]
            self._write()

    def _write(self) -> None:
        live = [replace(still_to_make(job, made), id=job.id) for job, made in self._live]
        try:
            write_queue([*self._left, *live], self._file)
        except OSError as error:
            log.warning("the queue cannot be kept: %s", error)
            if self._works:  # once is enough
                self._works = False
                self.problem.emit(f"The queue cannot be kept in {self._file}: {error.strerror}.")
        else:
            self._works = True


def _marks(jobs: Sequence[tuple[Job, int]]) -> list[tuple[str, int]]:
    return [(job.id, made) for job, made in jobs]
