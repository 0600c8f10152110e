"""A model that makes silence when it is told to, and a controller with it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlx_music import GenerationRequest, MusicOutput, Progress
from mlx_music_app.engine.jobs import Job

RATE = 8000


@dataclass
class FakeEngine:
    """Opens models that walk `steps` steps. Each step waits for `go` where it was cleared."""

    steps: int = 3
    step_seconds: float = 0.0
    go: threading.Event = field(default_factory=threading.Event)
    inside: threading.Event = field(default_factory=threading.Event)
    opened: list[tuple[str, float | None]] = field(default_factory=list)
    made: list[GenerationRequest] = field(default_factory=list)
    threads: set[int] = field(default_factory=set)
    #: Raised in the middle of the request with that prompt.
    errors: dict[str, Exception] = field(default_factory=dict)
    open_error: Exception | None = None
    notes: tuple[str, ...] = ("a note",)

    def __post_init__(self) -> None:
        self.go.set()

    def open(self, model: str, memory_limit: float | None, progress: Progress) -> FakeModel:
        self.threads.add(threading.get_ident())
        progress.check()
        if self.open_error is not None:
            raise self.open_error
        self.opened.append((model, memory_limit))
        return FakeModel(self, model)


@dataclass
class FakeModel:
    engine: FakeEngine
    name: str

    def generate(self, request: GenerationRequest, *, progress: Progress) -> MusicOutput:
        engine = self.engine
        engine.threads.add(threading.get_ident())
        progress.start("encode", 1)
        progress.step(1)
        progress.start("sample", engine.steps)
        for step in range(1, engine.steps + 1):
            engine.inside.set()
            # As long as a step of the model: it cannot be broken off, but it ends.
            while not engine.go.wait(0.005):
                progress.check()
            time.sleep(engine.step_seconds)
            if progress.on_picture is not None:
                progress.on_picture(np.full((128, 50), min(20 * step, 255), dtype=np.uint8))
            if request.prompt in engine.errors:
                raise engine.errors[request.prompt]
            progress.step(step)
        progress.start("decode", 2)
        progress.step(2)
        engine.made.append(request)
        samples = int(request.duration * RATE)
        return MusicOutput(
            audio=np.zeros((2, samples), dtype=np.float32),
            sample_rate=RATE,
            latents=np.zeros((8, 16, 4), dtype=np.float32),
            request=request,
            model=self.name,
            timings={"encode": 0.01, "sample": 0.1, "decode": 0.02},
            notes=engine.notes,
        )


def job(prompt: str = "funk", *, title: str = "", model: str = "fake", **fields: Any) -> Job:
    takes = fields.pop("takes", 1)
    request = GenerationRequest(prompt=prompt, duration=1.0, **fields)
    return Job(request=request, model=model, title=title or prompt.title(), takes=takes)
