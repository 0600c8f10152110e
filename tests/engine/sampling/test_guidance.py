"""When guidance applies and how strongly; the formulas are compared in tests/parity."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.sampling.guidance import AdaptiveProjectedGuidance, GuidanceSettings, cfg_star


def test_the_middle_of_the_steps_is_guided() -> None:
    settings = GuidanceSettings(kind="apg", scale=15.0, interval=0.5)
    assert settings.guided_steps(60) == range(15, 45)
    assert settings.guided_steps(27) == range(6, 20)
    everything = GuidanceSettings(kind="cfg", scale=15.0, interval=1.0)
    assert everything.guided_steps(60) == range(60)
    nothing = GuidanceSettings(kind="cfg", scale=15.0, interval=0.0)
    assert len(nothing.guided_steps(60)) == 0


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_scales_that_turn_guidance_off(scale: float) -> None:
    assert len(GuidanceSettings(kind="apg", scale=scale).guided_steps(60)) == 0


def test_the_scale_decays_to_its_minimum() -> None:
    settings = GuidanceSettings(kind="apg", scale=15.0, interval=0.5, decay=1.0, min_scale=3.0)
    scales = [settings.scale_at(step, 60) for step in settings.guided_steps(60)]
    assert scales[0] == 15.0
    assert scales[-1] == 3.0
    assert np.allclose(np.diff(scales), -12.0 / 29)
    half = GuidanceSettings(kind="apg", scale=15.0, interval=0.5, decay=0.5, min_scale=3.0)
    assert half.scale_at(44, 60) == 9.0


def test_a_decay_over_one_step_is_none() -> None:
    settings = GuidanceSettings(kind="apg", scale=15.0, interval=0.5, decay=1.0, min_scale=3.0)
    assert settings.guided_steps(2) == range(0, 1)
    assert settings.scale_at(0, 2) == 15.0


def test_equal_velocities_are_left_alone() -> None:
    velocity = mx.random.normal((1, 4, 6, 2), key=mx.random.key(0))
    guided = AdaptiveProjectedGuidance(axes=(1, 2))(velocity, velocity, 15.0)
    assert mx.array_equal(guided, velocity)
    assert not mx.any(cfg_star(velocity, velocity, 15.0, step=1))
