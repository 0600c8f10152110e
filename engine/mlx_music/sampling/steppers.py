"""One step along a schedule: euler, heun, pingpong.

Latents are float32 (batch, ...) of any shape behind the batch. A velocity is the model's
estimate of noise - clean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import mlx.core as mx

from mlx_music.sampling.schedules import Schedule


class Stepper(Protocol):
    """Takes the latents of model call `call` to those of the next call."""

    def step(self, call: int, latents: mx.array, velocity: mx.array) -> mx.array: ...


def rescale_by_omega(step: mx.array, omega: float) -> mx.array:
    """Scale how far a step departs from its mean, by 0.9 to 1.1 for omega from -inf to inf.

    The mean is taken over each item of the batch on its own. The reference takes it over the
    whole batch, so that an item changes with its neighbours; for a batch of one they agree.
    """
    factor = 0.9 + 0.2 / (1.0 + math.exp(-0.1 * omega))
    mean = mx.mean(step, axis=tuple(range(1, step.ndim)), keepdims=True)
    return (step - mean) * factor + mean


class Euler:
    """First order."""

    def __init__(self, schedule: Schedule, omega: float) -> None:
        self._sigmas = schedule.sigmas.tolist()
        self._omega = omega

    def step(self, call: int, latents: mx.array, velocity: mx.array) -> mx.array:
        change = (self._sigmas[call + 1] - self._sigmas[call]) * velocity
        return latents + rescale_by_omega(change, self._omega)


class Heun:
    """Second order: each interval is walked again with the mean of the slopes at its ends."""

    def __init__(self, schedule: Schedule, omega: float) -> None:
        self._sigmas = schedule.sigmas.tolist()
        self._omega = omega
        self._start: tuple[mx.array, mx.array] | None = None

    def step(self, call: int, latents: mx.array, velocity: mx.array) -> mx.array:
        if self._start is None:
            self._start = (latents, velocity)
            interval = self._sigmas[call + 1] - self._sigmas[call]
            return latents + rescale_by_omega(interval * velocity, self._omega)
        start, slope = self._start
        self._start = None
        interval = self._sigmas[call] - self._sigmas[call - 1]
        return start + rescale_by_omega(interval * 0.5 * (slope + velocity), self._omega)


class PingPong:
    """Denoise fully, then add fresh noise down to the next sigma."""

    def __init__(self, schedule: Schedule, draw: Callable[[tuple[int, ...]], mx.array]) -> None:
        self._sigmas = schedule.sigmas.tolist()
        self._draw = draw

    def step(self, call: int, latents: mx.array, velocity: mx.array) -> mx.array:
        sigma, sigma_next = self._sigmas[call], self._sigmas[call + 1]
        clean = latents - sigma * velocity
        return (1.0 - sigma_next) * clean + sigma_next * self._draw(latents.shape)


def make_stepper(
    scheduler: str,
    schedule: Schedule,
    omega: float,
    draw: Callable[[tuple[int, ...]], mx.array],
) -> Stepper:
    """The stepper called `scheduler`; `draw(shape)` gives the fresh noise that pingpong adds."""
    if scheduler == "euler":
        return Euler(schedule, omega)
    if scheduler == "heun":
        return Heun(schedule, omega)
    return PingPong(schedule, draw)
