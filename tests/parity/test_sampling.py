"""Schedules, steppers and guidance against the reference, on named noise."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.sampling import guidance
from mlx_music.sampling.schedules import make_schedule
from mlx_music.sampling.steppers import make_stepper
from tests.parity.conftest import Reference, relative_error

SCHEDULERS = ("euler", "heun", "pingpong")
TOLERANCE = 1e-4


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_schedules_of_every_length(reference: Reference, scheduler: str) -> None:
    names = [n for n in reference.stages if n.startswith(f"scheduler.{scheduler}.")]
    lengths = {n.split(".")[2] for n in names if n.split(".")[2].isdigit()}
    assert lengths
    for steps in lengths:
        schedule = make_schedule(int(steps), scheduler)
        prefix = f"scheduler.{scheduler}.{steps}"
        assert relative_error(schedule.sigmas, reference.stages[f"{prefix}.sigmas"]) < 1e-6
        assert relative_error(schedule.timesteps, reference.stages[f"{prefix}.timesteps"]) < 1e-6


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_schedule_of_audio_to_audio(reference: Reference, scheduler: str) -> None:
    prefix = f"scheduler.{scheduler}.sigma_max_0.4"
    schedule = make_schedule(int(0.4 * 27), scheduler, sigma_max=0.4)
    assert relative_error(schedule.sigmas, reference.stages[f"{prefix}.27.sigmas"]) < 1e-6
    assert schedule.start_sigma == pytest.approx(reference.meta[f"{prefix}.sigma_max"])


def test_schedule_of_kept_steps(reference: Reference) -> None:
    schedule = make_schedule(60, keep_steps=reference.meta["oss_steps"])
    expected = reference.stages["scheduler.euler.oss.timesteps"]
    assert relative_error(schedule.timesteps, expected) < 1e-6


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_steps_of_a_walk(reference: Reference, scheduler: str) -> None:
    walk = reference.stages[f"scheduler.{scheduler}.walk5"]
    shape = walk.shape[1:]
    fresh = iter(range(len(walk)))

    def draw(shape: tuple[int, ...]) -> mx.array:
        return mx.array(reference.noise(f"s.pp{next(fresh)}", shape))

    schedule = make_schedule(5, scheduler)
    stepper = make_stepper(scheduler, schedule, 10.0, draw)
    latents = mx.array(reference.noise("s.x", shape))
    assert schedule.calls == len(walk)
    for call, expected in enumerate(walk):
        velocity = mx.array(reference.noise(f"s.v{call}", shape))
        latents = stepper.step(call, latents, velocity)
        assert relative_error(latents, expected) < TOLERANCE


@pytest.mark.parametrize("kind", ["apg", "cfg", "cfg_star", "double"])
def test_guidance(reference: Reference, kind: str) -> None:
    apg = guidance.AdaptiveProjectedGuidance(axes=(2, 3))
    for i in range(3):
        expected = reference.stages[f"guidance.{kind}.{i}"]
        cond, uncond, text = (
            mx.array(reference.noise(f"g.{which}{i}", expected.shape)) for which in "cut"
        )
        actual: Any = {
            "apg": lambda c=cond, u=uncond, i=i: apg(c, u, 15.0 - 2 * i),
            "cfg": lambda c=cond, u=uncond: guidance.cfg(c, u, 7.5),
            "cfg_star": lambda c=cond, u=uncond, i=i: guidance.cfg_star(c, u, 15.0, i),
            "double": lambda c=cond, u=uncond, t=text: guidance.double_condition(c, u, t, 5.0, 1.5),
        }[kind]()
        if not np.any(expected):
            assert not np.any(np.array(actual))
        else:
            assert relative_error(actual, expected) < TOLERANCE
