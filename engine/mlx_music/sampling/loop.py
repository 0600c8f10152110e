"""The sampling loops: from noise to clean latents, whole or in part.

They know no network. What they call is a `Predict`: given latents, a timestep and the passes
that are wanted, it returns one velocity per pass, all float32 in the shape of the latents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import mlx.core as mx

from mlx_music.sampling.guidance import (
    APG_MOMENTUM,
    AdaptiveProjectedGuidance,
    GuidanceSettings,
    cfg,
    cfg_star,
    double_condition,
)
from mlx_music.sampling.pacing import Pacing
from mlx_music.sampling.schedules import Schedule
from mlx_music.sampling.steppers import Stepper

#: The passes a guided step may need.
CONDITIONAL, UNCONDITIONAL, TEXT_ONLY = "conditional", "unconditional", "text only"


class Predict(Protocol):
    def __call__(
        self, latents: mx.array, timestep: float, passes: tuple[str, ...]
    ) -> list[mx.array]: ...


class GuidedVelocity:
    """The velocity of a model under guidance, call by call. Good for one run: APG has momentum.

    axes: of a latent, those that APG takes norms over (all but batch and channels).
    """

    def __init__(
        self,
        predict: Predict,
        settings: GuidanceSettings,
        steps: int,
        axes: tuple[int, ...],
        *,
        momentum: float = APG_MOMENTUM,
    ) -> None:
        self._predict = predict
        self._settings = settings
        self._steps = steps
        self._guided = settings.guided_steps(steps)
        self._apg = AdaptiveProjectedGuidance(axes, momentum)

    def __call__(self, call: int, latents: mx.array, timestep: float) -> mx.array:
        if call not in self._guided:
            return self._predict(latents, timestep, (CONDITIONAL,))[0]
        settings = self._settings
        scale = settings.scale_at(call, self._steps)
        if settings.double:
            conditional, unconditional, text_only = self._predict(
                latents, timestep, (CONDITIONAL, UNCONDITIONAL, TEXT_ONLY)
            )
            return double_condition(
                conditional, unconditional, text_only, settings.text_scale, settings.lyric_scale
            )
        conditional, unconditional = self._predict(latents, timestep, (CONDITIONAL, UNCONDITIONAL))
        if settings.kind == "apg":
            return self._apg(conditional, unconditional, scale)
        if settings.kind == "cfg":
            return cfg(conditional, unconditional, scale)
        return cfg_star(conditional, unconditional, scale, call)


def sample(
    latents: mx.array,
    schedule: Schedule,
    stepper: Stepper,
    velocity: Callable[[int, mx.array, float], mx.array],
    on_step: Callable[[int], None],
    on_clean: Callable[[mx.array], None] | None = None,
) -> mx.array:
    """Walk `latents` (batch, ...) down the whole schedule. `on_step(calls made)` may raise.

    `on_clean` is given after each call what the model takes the clean latents to be: x - sigma *
    velocity at the point that it was asked at, whatever the stepper; at the end, the result.
    """
    sigmas = schedule.sigmas.tolist()
    pacing = Pacing(on_step, on_clean)
    for call, timestep in enumerate(schedule.timesteps.tolist()):
        before, slope = latents, velocity(call, latents, timestep)
        latents = stepper.step(call, before, slope)
        clean = latents if sigmas[call + 1] == 0.0 else before - sigmas[call] * slope
        pacing.made(call + 1, latents, clean)
    pacing.settle()
    return latents
