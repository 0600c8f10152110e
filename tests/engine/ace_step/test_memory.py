"""The memory limit decides what is let go during a run, and never what is heard."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlx_music import ACEStep, InvalidRequest, Progress, ProgressEvent
from mlx_music.ace_step.components import (
    DCAE_FOLDER,
    TEXT_ENCODER,
    TRANSFORMER,
    VOCODER,
    Components,
)
from mlx_music.ace_step.memory import (
    WORKING_BYTES,
    Residency,
    default_limit,
    machine_memory,
    plan_residency,
)
from tests.doubles import SilentComponents

TEXT, SAMPLER, SOUND = 10, 50, 20


@pytest.mark.parametrize(
    ("limit", "drops", "weights"),
    [
        (80, (False, False), 80),
        (79, (True, False), 70),
        (69, (True, True), 50),
        (1, (True, True), 50),
    ],
)
def test_plans(limit: int, drops: tuple[bool, bool], weights: int) -> None:
    plan = plan_residency(TEXT, SAMPLER, SOUND, WORKING_BYTES + limit)
    assert plan == Residency(*drops, peak_bytes=weights + WORKING_BYTES)


def test_more_takes_and_passes_need_more_room() -> None:
    few = plan_residency(TEXT, SAMPLER, SOUND, 1 << 60, items=1)
    many = plan_residency(TEXT, SAMPLER, SOUND, 1 << 60, items=6)
    assert few.peak_bytes == TEXT + SAMPLER + SOUND + WORKING_BYTES
    assert many.peak_bytes == TEXT + SAMPLER + SOUND + 3 * WORKING_BYTES


def test_the_default_limit_is_part_of_the_machine() -> None:
    assert 1 << 29 < default_limit() < machine_memory()


@pytest.mark.parametrize(("limit", "kept"), [(1 << 50, True), (1, False)])
def test_networks_are_let_go_and_come_back(checkpoint: Path, limit: int, kept: bool) -> None:
    components = SilentComponents(checkpoint, mx.float32, memory_limit=limit)
    model = ACEStep(components, "synthetic")
    first, second = (
        model.generate(prompt="funk", duration=1.0, num_inference_steps=2, seed=1) for _ in range(2)
    )
    np.testing.assert_array_equal(first.latents, second.latents)
    assert (TEXT_ENCODER in components._open) is kept
    assert (TRANSFORMER in components._open) is kept
    assert any("the memory limit is" in note for note in first.notes) is not kept


def test_one_at_a_time_means_one(checkpoint: Path) -> None:
    components = Components(checkpoint, mx.float32, memory_limit=1)
    model = ACEStep(components, "synthetic")
    seen: list[set[str]] = []

    def look(event: ProgressEvent) -> None:
        if event.stage in ("sample", "decode") and event.step == 0:
            seen.append(set(components._open))

    fields = {"duration": 1.0, "num_inference_steps": 1, "seed": 1, "prompt": "funk"}
    first = model.generate(**fields, progress=Progress(look))
    source = (np.tile(first.audio, 2), first.sample_rate)
    model.repaint(source, start=0.2, end=0.6, progress=Progress(look), **{**fields, "duration": 60})
    assert seen == [{TRANSFORMER}, {DCAE_FOLDER, VOCODER}] * 2


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), "8"])
def test_limits_that_are_none(checkpoint: Path, limit: float) -> None:
    with pytest.raises(InvalidRequest, match=r"^memory_limit: "):
        ACEStep.from_pretrained(checkpoint, memory_limit=limit)


def test_letting_go_frees_memory(checkpoint: Path) -> None:
    components = SilentComponents(checkpoint, mx.float32, memory_limit=1)
    model = ACEStep(components, "synthetic")
    model.generate(prompt="funk", duration=1.0, num_inference_steps=1, seed=1)
    left = mx.get_active_memory()
    _ = components.transformer
    mx.eval(components.transformer.parameters())
    assert mx.get_active_memory() - left > 1 << 20
