"""The app's queue in a process that is killed: one job that runs, and two that wait."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer

from mlx_music import GenerationRequest
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.saved_queue import SavedQueue
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.preferences import Preferences
from tests.app.engine.fakes import FakeEngine, job


class StopsAfter(list[GenerationRequest]):
    """Of an engine's `made`: after so many takes, the next waits in its first step."""

    def __init__(self, engine: FakeEngine, takes: int) -> None:
        super().__init__()
        self._engine, self._takes = engine, takes

    def append(self, request: GenerationRequest) -> None:
        super().append(request)
        if len(self) == self._takes:
            self._engine.go.clear()


def main() -> None:
    app = QCoreApplication([])
    engine = FakeEngine()
    engine.made = StopsAfter(engine, 1)
    controller = EngineController(Preferences(), TakeFiles(Path(sys.argv[1])), opener=engine.open)
    saved = SavedQueue(controller)
    saved.open()

    def made(_: object) -> None:
        # Written before anybody else is told of the take: now is the worst moment.
        os.write(1, b"made\n")

    controller.takeMade.connect(made)
    controller.submit(job("running", takes=3, seed=5))
    controller.submit(job("first", takes=2, seed=8))
    controller.submit(job("second"))
    QTimer.singleShot(60_000, app.quit)
    app.exec()


if __name__ == "__main__":
    main()
