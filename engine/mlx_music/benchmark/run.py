"""A whole measurement: every stage that is wanted, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from statistics import median

import mlx.core as mx
import numpy as np

from mlx_music import backend
from mlx_music.ace_step.memory import machine_memory
from mlx_music.ace_step.quantize import DEFAULT_PARTS
from mlx_music.benchmark.report import Report, StageResult, now, software
from mlx_music.benchmark.sizes import GROUPS, Options
from mlx_music.benchmark.stages import Stage, Stages, song_requests
from mlx_music.benchmark.startup import measure_startup
from mlx_music.benchmark.subject import find_subject, open_subject
from mlx_music.benchmark.timing import matrix_rate, measure
from mlx_music.progress import Progress
from mlx_music.version import __version__


def run(
    options: Options,
    progress: Progress,
    *,
    on_note: Callable[[str], None],
    on_start: Callable[[Report], None],
    on_stage: Callable[[Report, StageResult], None],
) -> Report:
    """Measure everything that `options` ask for.

    `on_start` is given a report without stages, `on_stage` each stage as soon as it is measured,
    `on_note` a line on what is being done before. Raises `MLXMusicError`: for a model that cannot
    be opened, settings that it does not take, a fresh process that fails, and `Cancelled`.
    """
    find_subject(options, progress)
    progress.check()
    on_note("measuring matrix products")
    rate = matrix_rate(backend.dtype_of(options.dtype))
    first: list[StageResult] = []
    if "startup" in options.groups:
        # While nothing is in memory yet: a fresh process needs room for a model of its own.
        on_note("measuring the start of fresh processes")
        first.append(measure_startup(options, progress))
    on_note("opening the model" if options.model else "making random weights")
    model = open_subject(options)
    requests = song_requests(model, options)
    stages = Stages(model, requests, _Unseen(progress))
    settings = {
        "model": model.name,
        "dtype": str(model.components.dtype).removeprefix("mlx.core."),
        "quantized": _quantized(options),
        "memory_limit": options.memory_limit,
        "durations": [request.duration for request in requests],
        "steps": requests[0].num_inference_steps,
        "prompt_tokens": stages.prompt_tokens,
        "lyric_tokens": stages.lyric_tokens,
    }
    report = Report(f"mlx-music {__version__}", now(), machine(), settings, rate)
    on_start(report)
    for result in chain(first, _results(stages, options, progress)):
        report = replace(report, stages=(*report.stages, result))
        on_stage(report, result)
    return report


class _Unseen(Progress):
    """Can be cancelled through another, and tells nothing: of songs that are made again and
    again, nobody wants to see bars."""

    def __init__(self, seen: Progress) -> None:
        super().__init__()
        self._seen = seen

    def check(self) -> None:
        self._seen.check()


def machine() -> dict[str, str]:
    """What MLX computes on, and with which versions."""
    name = str(mx.device_info()["device_name"])
    on_gpu = mx.default_device() == mx.Device(mx.gpu)
    memory = f"{machine_memory() / 2**30:.1f} GiB"
    return {
        "device": name if on_gpu else f"{name} (CPU)",
        "memory": memory,
        **software(mlx=str(vars(mx)["__version__"]), numpy=np.__version__),
    }


def _results(stages: Stages, options: Options, progress: Progress) -> Iterator[StageResult]:
    for group in GROUPS:
        if group in options.groups and group != "startup":
            for stage in stages.of(group):
                yield _result(stage, options.repeats, progress)


def _result(stage: Stage, repeats: int, progress: Progress) -> StageResult:
    timing = measure(stage.call, repeats, progress.check)
    runs = len(timing.samples)
    return StageResult(
        name=stage.name,
        milliseconds=median(timing.samples),
        fastest=min(timing.samples),
        slowest=max(timing.samples),
        runs=runs,
        frames=stage.frames,
        peak_bytes=timing.peak_bytes,
        resident_bytes=timing.resident_bytes,
        flops=stage.flops,
        parts={name: median(each[-runs:]) for name, each in stage.parts.items()},
    )


def _quantized(options: Options) -> str | None:
    if options.quantize is None:
        return None
    parts = DEFAULT_PARTS if options.parts is None else options.parts
    return f"{options.quantize} ({', '.join(parts)})"
