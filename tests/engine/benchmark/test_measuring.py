"""Calls are timed when warm, and the random networks are such as a checkpoint's."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

# First, so that it chooses the BLAS.
import mlx_music  # noqa: F401  # isort: skip
import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from mlx_music import CheckpointError, InvalidRequest, Progress
from mlx_music.benchmark import timing
from mlx_music.benchmark.report import Report, ReportError
from mlx_music.benchmark.run import run
from mlx_music.benchmark.sizes import Options
from mlx_music.benchmark.stages import song_requests
from mlx_music.benchmark.startup import measure_startup
from mlx_music.benchmark.subject import open_subject
from mlx_music.errors import Cancelled

SMALL = Options(sizes="small", dtype="float32")


def test_warm_runs_count_and_their_memory() -> None:
    calls = []

    def call() -> mx.array:
        calls.append(None)
        time.sleep(0.05 if len(calls) == 1 else 0.002)
        return mx.ones((1 << 20,)) * len(calls)

    measured = timing.measure(call, 4)
    assert len(measured.samples) == 4
    assert len(calls) == 6
    assert 2 <= min(measured.samples) <= max(measured.samples)
    assert min(measured.samples) < 50
    assert measured.peak_bytes - measured.resident_bytes >= 4 << 20


def test_long_calls_are_repeated_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_ENOUGH_SECONDS", 0.001)
    assert len(timing.measure(lambda: time.sleep(0.001), 10).samples) == 3
    assert len(timing.measure(lambda: time.sleep(0.001), 2).samples) == 2


def test_it_can_be_stopped_between_runs() -> None:
    progress = Progress()
    with pytest.raises(Cancelled):
        timing.measure(progress.cancel, 3, progress.check)


def test_the_rate_of_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_LONGEST_PRODUCT", 0.01)
    rate = timing.matrix_rate(mx.float32, 3)
    assert rate.dtype == "float32"
    assert rate.size in (256, 512, 1024, 2048, 4096, 8192)
    assert 1e8 < rate.flops_per_second < 1e16


def test_random_networks_are_always_the_same_and_of_order_one() -> None:
    network, again = (open_subject(SMALL).components.transformer for _ in range(2))
    for (name, array), (_, other) in zip(
        tree_flatten(network.parameters()), tree_flatten(again.parameters()), strict=True
    ):
        assert array.dtype == mx.float32, name
        assert mx.array_equal(array, other), name
        assert mx.all(mx.isfinite(array)), name
        assert mx.abs(array).max() > 0, name


def test_they_are_quantized_when_asked_to() -> None:
    model = open_subject(Options(sizes="small", dtype="float32", quantize="speed"))
    block = model.components.transformer.transformer_blocks[0]
    assert block.attn.to_q.bits == 4


def test_options_reach_another_process() -> None:
    options = Options(sizes="small", durations=(1.0, 2.0), parts=("transformer",), steps=3)
    assert Options.from_dict(json.loads(json.dumps(options.to_dict()))) == options


def test_songs_are_those_that_the_model_makes(sketch: Path) -> None:
    model = open_subject(Options(model="sketch", dtype="float32"))
    (request,) = song_requests(model, Options(model="sketch"))
    assert request.duration == model.about.max_duration == 30
    with pytest.raises(InvalidRequest, match="duration: 31 is out of range"):
        song_requests(model, Options(model="sketch", durations=(31.0,)))


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    missing = Options(model=str(tmp_path / "nosuch"), repeats=1, download=False)
    with pytest.raises(ReportError, match=r"fresh process cannot be measured: .*nosuch"):
        measure_startup(missing, Progress())
    # A whole measurement looks for the model first.
    with pytest.raises(CheckpointError, match="nosuch"):
        whole_run(missing, Progress())


def test_a_measurement_can_be_stopped() -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        whole_run(replace(SMALL, groups=("text",)), progress)


def whole_run(options: Options, progress: Progress) -> Report:
    return run(
        options,
        progress,
        on_note=lambda text: None,
        on_start=lambda report: None,
        on_stage=lambda report, stage: None,
    )
