"""Entropy rectifying guidance: an unconditional pass that knows the condition, but weakly.

In some blocks of each network queries are scaled by tau, which flattens attention and so weakens
what a condition says without removing it. Which blocks those are, each network says itself.
"""

from __future__ import annotations

import mlx.core as mx

ERG_TAU = 0.01


def query_scales(weakened: tuple[bool, ...], x: mx.array) -> mx.array:
    """What queries are scaled by where passes are one batch: (passes * batch of x,)."""
    scales = mx.array([ERG_TAU if each else 1.0 for each in weakened], dtype=x.dtype)
    return mx.repeat(scales, x.shape[0])
