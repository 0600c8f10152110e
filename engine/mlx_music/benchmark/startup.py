"""From the command to the first step of the sampler, in processes that have done nothing yet.

`python -m mlx_music.benchmark.startup TIME OPTIONS` is such a process: it makes a song until its
first step is done, and prints how long after TIME (as `time.time`, when it was started) it had
come how far. OPTIONS is `sizes.Options` as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median

from mlx_music.benchmark.report import ReportError, StageResult
from mlx_music.benchmark.sizes import Options
from mlx_music.errors import Cancelled, MLXMusicError
from mlx_music.progress import Progress, ProgressEvent

NAME = "command to first step"

#: What a process reports, in this order.
_MARKS = ("import", "open", "encode", "first step")

#: Processes that count.
RUNS = 3


def measure_startup(options: Options, progress: Progress) -> StageResult:
    """Start fresh processes that make the first song of `options` until its first step.

    Parts are the times to import, to open the model (weights are read, or random ones made, where
    they are first used), to encode, and to take the first step, in which kernels are compiled that
    no earlier process has left behind. Raises `ReportError` if a process fails.
    """
    runs = []
    for _ in range(min(RUNS, options.repeats)):
        progress.check()
        runs.append(_run_one(options, progress))
    totals = [marks[-1] for marks in runs]
    parts = {
        name: median(marks[i] - (marks[i - 1] if i else 0.0) for marks in runs)
        for i, name in enumerate(_MARKS)
    }
    return StageResult(NAME, median(totals), min(totals), max(totals), len(totals), parts=parts)


def _run_one(options: Options, progress: Progress) -> list[float]:
    values = json.dumps(options.to_dict())
    done = subprocess.run(
        [sys.executable, "-m", __name__, repr(time.time()), values],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    progress.check()  # Ctrl-C goes to both
    if done.returncode != 0:
        reason = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise ReportError(f"the start of a fresh process cannot be measured: {reason}")
    marks: list[float] = json.loads(done.stdout.rpartition("\n")[2])
    return marks


def main() -> None:
    """What the fresh process does."""
    started, options = float(sys.argv[1]), Options.from_dict(json.loads(sys.argv[2]))
    # Here and not above, because it is part of what is measured.
    from mlx_music.benchmark.stages import song_requests
    from mlx_music.benchmark.subject import open_subject

    marks: list[float] = []

    def mark() -> None:
        marks.append(1000 * (time.time() - started))

    def on_event(event: ProgressEvent) -> None:
        if event.stage == "encode" and event.step == event.total:
            mark()
        elif event.stage == "sample" and event.step == 1:
            mark()
            progress.cancel()

    progress = Progress(on_event)
    mark()
    try:
        model = open_subject(options)
        mark()
        model.generate(song_requests(model, options)[0], progress=progress)
    except Cancelled:
        print(json.dumps(marks), end="")
    except MLXMusicError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
