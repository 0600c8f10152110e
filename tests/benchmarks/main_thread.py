"""How long the engine keeps the main thread from its events.

`python -m tests.benchmarks.main_thread` loads and generates with the engine's thread, over a
synthetic checkpoint unless a model is named, and prints how long the main thread was blocked at
worst, which should stay under 50 ms. Waiting for a core is told beside it: that is the machine's
doing, where MLX computes on all cores or others use it too.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from mlx_music import GenerationRequest
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.jobs import Job
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.preferences import Preferences
from tests.app.engine.blocking import BlockMeter
from tests.parity.synthetic import write_checkpoint

TINY = Path(__file__).resolve().parents[1] / "parity" / "reference" / "tiny"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="folder or hub id of a model")
    parser.add_argument("--seconds", type=float, default=10.0, help="of music")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLX_MUSIC_APP_HOME"] = folder
        model = arguments.model or str(write_checkpoint(TINY, Path(folder) / "checkpoint"))
        _measure(model, Path(folder), arguments.seconds, arguments.steps, arguments.runs)


def _measure(model: str, folder: Path, seconds: float, steps: int, runs: int) -> None:
    app = QApplication([])
    meter = BlockMeter()
    meter.start()
    _wait(2000)
    meter.stop()
    print(f"nothing runs: {_told(meter)}")
    controller = EngineController(Preferences(), TakeFiles(folder / "music"))
    request = GenerationRequest(prompt="funk", duration=seconds, num_inference_steps=steps, seed=1)
    for run in range(runs):
        loop = QEventLoop()
        controller.idle.connect(loop.quit)
        started = time.perf_counter()
        meter.start()
        job_id = controller.submit(Job(request, model, "Benchmark"))
        loop.exec()
        meter.stop()
        status = controller.status(job_id)
        print(
            f"run {run + 1} ({'opens the model' if run == 0 else 'model is open'}), "
            f"{time.perf_counter() - started:.1f} s, {status.state.value}: {_told(meter)}"
        )
        controller.idle.disconnect(loop.quit)
    controller.shutdown()
    del app


def _told(meter: BlockMeter) -> str:
    late = sorted(meter.late)
    return (
        f"blocked for {meter.worst * 1000:.1f} ms at worst "
        f"(with waiting for a core: {late[-1] * 1000:.1f} ms, "
        f"99 % under {late[len(late) * 99 // 100] * 1000:.1f} ms)"
    )


def _wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    main()
