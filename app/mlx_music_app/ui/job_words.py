"""A job in words: what it is, how far it is, and how long it will take."""

from __future__ import annotations

from mlx_music_app.engine.jobs import Job, JobState, JobStatus
from mlx_music_app.models.words import time_in_words
from mlx_music_app.ui.words import count, sentence

_STAGES = {
    "": "Getting ready",
    "load": "Opening the model",
    "download": "Downloading",
    "source": "Listening to the source",
    "encode": "Reading the words",
    "decode": "Turning it into sound",
    "save": "Saving",
}

_TASKS = {
    "retake": "Variation",
    "repaint": "Repaint",
    "extend": "Extension",
    "edit": "Edit",
}


def time_left(seconds: float) -> str:
    """A few seconds left, 40 s left, 3 min left, 1 h 20 min left."""
    return f"{sentence(time_in_words(seconds))} left"


def stage_words(status: JobStatus) -> str:
    """Step 12 of 60, or what is done instead of steps."""
    if status.stage == "sample":
        return f"Step {status.step} of {status.total}" if status.step else "Starting"
    if status.stage in ("decode", "download", "source") and status.total > 1 and status.step:
        return f"{_STAGES[status.stage]}, {round(100 * status.step / status.total)} %"
    return _STAGES.get(status.stage, status.stage.capitalize())


def state_words(job: Job, status: JobStatus) -> str:
    """The line below a job's title."""
    if status.state is JobState.RUNNING:
        words = stage_words(status)
        return (
            f"Take {min(status.made + 1, job.takes)} of {job.takes} · {words}" * (job.takes > 1)
            or words
        )
    if status.state is JobState.QUEUED:
        return f"Waiting · {count(job.takes, 'take')}" if job.takes > 1 else "Waiting"
    if status.state is JobState.DONE:
        return f"Done · {count(status.made, 'take')}"
    kept = f" · {count(status.made, 'take')} kept" if status.made else ""
    return ("Cancelled" if status.state is JobState.CANCELLED else "Failed") + kept


def about(job: Job) -> str:
    """What was asked for, in a line."""
    request = job.request
    task = _TASKS.get(request.task) or ("From a reference" if request.reference else "")
    return " · ".join(part for part in (task, " ".join(request.prompt.split())) if part)
