"""Redo a part of clean latents and keep the rest, exactly."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx

from mlx_music.sampling.pacing import Pacing
from mlx_music.sampling.schedules import Schedule


def repaint(
    clean: mx.array,
    noise: mx.array,
    mask: mx.array,
    schedule: Schedule,
    first_call: int,
    velocity: Callable[[int, mx.array, float], mx.array],
    on_step: Callable[[int], None],
    on_clean: Callable[[mx.array], None] | None = None,
) -> mx.array:
    """Sample where `mask` is true; elsewhere the result is `clean`, bit for bit.

    clean, noise: (batch, ...) float32. mask: bool, broadcastable to them. The run starts at
    `first_call` of a schedule without doubled sigmas, from the source mixed with that much
    noise; a `first_call` past the end changes nothing. After each step the kept part is put
    back at its own noise level, so that the new part grows into its surroundings. Steps are
    plain Euler, without omega: the kept part moves exactly so. `on_clean` is given after each call
    the song as it would be if the rest of the way were straight.
    """
    if first_call >= schedule.calls:
        return clean
    sigmas = schedule.sigmas.tolist()
    timesteps = schedule.timesteps.tolist()
    pacing = Pacing(on_step, on_clean)
    latents = _mix(clean, noise, sigmas[first_call])
    for call in range(first_call, schedule.calls):
        before, slope = latents, velocity(call, latents, timesteps[call])
        latents = before + (sigmas[call + 1] - sigmas[call]) * slope
        latents = mx.where(mask, latents, _mix(clean, noise, sigmas[call + 1]))
        estimate = mx.where(mask, before - sigmas[call] * slope, clean)
        pacing.made(call + 1 - first_call, latents, estimate)
    pacing.settle()
    return mx.where(mask, latents, clean)


def _mix(clean: mx.array, noise: mx.array, sigma: float) -> mx.array:
    return (1.0 - sigma) * clean + sigma * noise
