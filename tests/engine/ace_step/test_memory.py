"""The memory limit decides what is let go during a run, and never what is heard."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlx_music import ACEStep
from mlx_music.ace_step.components import TEXT_ENCODER, TRANSFORMER
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


def test_letting_go_frees_memory(checkpoint: Path) -> None:
    components = SilentComponents(checkpoint, mx.float32, memory_limit=1)
    model = ACEStep(components, "synthetic")
    model.generate(prompt="funk", duration=1.0, num_inference_steps=1, seed=1)
    left = mx.get_active_memory()
    _ = components.transformer
    mx.eval(components.transformer.parameters())
    assert mx.get_active_memory() - left > 1 << 20
