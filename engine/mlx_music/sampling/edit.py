"""Edit a source towards another condition, without inverting it (FlowEdit)."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx

from mlx_music.sampling.pacing import Pacing
from mlx_music.sampling.schedules import Schedule

Velocity = Callable[[int, mx.array, float], mx.array]


def edit(
    source: mx.array,
    schedule: Schedule,
    window: range,
    averages: int,
    draw: Callable[[], mx.array],
    *,
    source_velocity: Velocity,
    target_velocity: Velocity,
    sampling_velocity: Velocity,
    renoise: bool,
    on_step: Callable[[int], None],
    on_clean: Callable[[mx.array], None] | None = None,
) -> mx.array:
    """FlowEdit (Kulikov et al., 2024, arXiv 2412.08629) and then plain sampling.

    source: clean latents (batch, ...), float32. In the calls of `window`, the difference of
    target and source velocity at coupled points, averaged over `averages` draws of noise,
    moves the edited latents. After it, `sampling_velocity` samples the target from the edited
    latents plus noise. Calls before it are left out: they would change the song's outline.

    `renoise` takes the plain steps by denoising fully and adding fresh noise (pingpong). The
    edited latents before them are clean, so there is nothing to renoise in the window.

    `on_clean` is given after each call the song as it would be if the rest of the way were
    straight: in the window the edited latents all the way along the difference, and after it
    what the model takes the clean latents to be.
    """
    sigmas = schedule.sigmas.tolist()
    timesteps = schedule.timesteps.tolist()
    pacing = Pacing(on_step, on_clean)
    edited = source
    for call in window:
        sigma, timestep = sigmas[call], timesteps[call]
        difference = mx.zeros_like(source)
        for _ in range(averages):
            noisy_source = (1.0 - sigma) * source + sigma * draw()
            noisy_target = edited + noisy_source - source
            from_source = source_velocity(call, noisy_source, timestep)
            to_target = target_velocity(call, noisy_target, timestep)
            difference = difference + (to_target - from_source) / averages
            mx.eval(difference)  # or the passes of all draws would be held at once
        before, edited = edited, edited + (sigmas[call + 1] - sigma) * difference
        pacing.made(call + 1 - window.start, edited, before - sigma * difference)
    if window.stop >= schedule.calls:
        pacing.settle()
        return edited

    sigma = sigmas[window.stop]
    latents = edited + sigma * (draw() - source)
    for call in range(window.stop, schedule.calls):
        velocity = sampling_velocity(call, latents, timesteps[call])
        sigma, sigma_next = sigmas[call], sigmas[call + 1]
        before = latents
        if renoise and sigma_next > 0:
            latents = (1.0 - sigma_next) * (latents - sigma * velocity) + sigma_next * draw()
        else:
            latents = latents + (sigma_next - sigma) * velocity
        pacing.made(call + 1 - window.start, latents, before - sigma * velocity)
    pacing.settle()
    return latents
