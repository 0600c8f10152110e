"""Classifier-free guidance in its four kinds.

Velocities are float32 (batch, ...): conditional, unconditional and, for double guidance,
conditional on the prompt alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import mlx.core as mx

#: CFG-Zero* gives no velocity at all on its first steps (Fan et al., 2025, arXiv 2503.18886).
ZERO_STEPS = 2

#: How much of the running difference a step of APG takes along; negative, so it pulls back.
APG_MOMENTUM = -0.75


@dataclass(frozen=True)
class GuidanceSettings:
    """When and how strongly a run is guided.

    kind: "apg", "cfg" or "cfg_star". interval: the middle part of the steps that is guided.
    decay: how far the scale falls linearly to `min_scale` over that part. With text_scale and
    lyric_scale both over 1, prompt and lyrics are guided separately and `scale` only decides
    whether there is guidance at all (0 and 1 turn it off).
    """

    kind: str
    scale: float
    interval: float = 1.0
    decay: float = 0.0
    min_scale: float = 0.0
    text_scale: float = 0.0
    lyric_scale: float = 0.0

    @property
    def enabled(self) -> bool:
        return self.scale not in (0.0, 1.0)

    @property
    def double(self) -> bool:
        return self.text_scale > 1.0 and self.lyric_scale > 1.0

    def guided_steps(self, steps: int) -> range:
        """The steps of a run of `steps` that are guided."""
        if not self.enabled:
            return range(0)
        start = int(steps * ((1.0 - self.interval) / 2.0))
        return range(start, int(steps * (self.interval / 2.0 + 0.5)))

    def scale_at(self, step: int, steps: int) -> float:
        """The scale at a guided step. A decay over a single step does not decay at all."""
        guided = self.guided_steps(steps)
        progress = (step - guided.start) / max(len(guided) - 1, 1)
        return self.scale - (self.scale - self.min_scale) * progress * self.decay


def cfg(conditional: mx.array, unconditional: mx.array, scale: float) -> mx.array:
    """Classifier-free guidance (Ho and Salimans, 2022, arXiv 2207.12598)."""
    return unconditional + scale * (conditional - unconditional)


def cfg_star(conditional: mx.array, unconditional: mx.array, scale: float, step: int) -> mx.array:
    """CFG-Zero*: the unconditional velocity is first scaled to fit the conditional one."""
    if step < ZERO_STEPS:
        return mx.zeros_like(conditional)
    axes = tuple(range(1, conditional.ndim))
    product = mx.sum(conditional * unconditional, axis=axes, keepdims=True)
    fit = product / (mx.sum(unconditional * unconditional, axis=axes, keepdims=True) + 1e-8)
    return cfg(conditional, unconditional * fit, scale)


def double_condition(
    conditional: mx.array,
    unconditional: mx.array,
    text_only: mx.array,
    text_scale: float,
    lyric_scale: float,
) -> mx.array:
    """Guidance by the prompt and by the lyrics, each with a scale of its own."""
    return (
        (1.0 - text_scale) * unconditional
        + (text_scale - lyric_scale) * text_only
        + lyric_scale * conditional
    )


@dataclass
class AdaptiveProjectedGuidance:
    """APG (Sadat et al., 2024, arXiv 2410.02416), which keeps high scales from oversaturating.

    The difference of the two velocities carries a negative momentum over the steps, is clipped
    to a norm, and loses its part parallel to the conditional velocity. `axes` are those over
    which norms and products are taken.
    """

    axes: tuple[int, ...]
    momentum: float = APG_MOMENTUM
    norm_threshold: float = 2.5
    _running: mx.array | None = field(default=None, repr=False)

    def __call__(self, conditional: mx.array, unconditional: mx.array, scale: float) -> mx.array:
        difference = conditional - unconditional
        if self._running is not None:
            difference = difference + self.momentum * self._running
        self._running = difference

        norm = mx.sqrt(mx.sum(mx.square(difference), axis=self.axes, keepdims=True))
        difference = difference * mx.minimum(1.0, self.norm_threshold / norm)

        length = mx.sqrt(mx.sum(mx.square(conditional), axis=self.axes, keepdims=True))
        direction = conditional / mx.maximum(length, 1e-12)
        along = mx.sum(difference * direction, axis=self.axes, keepdims=True)
        return conditional + (scale - 1.0) * (difference - along * direction)
