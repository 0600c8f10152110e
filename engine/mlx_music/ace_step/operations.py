"""What lies between the products of networks, as single operations.

They say what is computed, run on CPUs, and are what the GPU kernels of the same names are held
against (`accelerated`).

x is (batch, frames, features). A modulation is float32 (batch or 1, rows, features); where there
is one for the whole batch, all items share it.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.activations import HALF_MAX, add3

NORM_EPS = 1e-6
#: Of the autoencoder.
SOUND_NORM_EPS = 1e-5
LINEAR_ATTENTION_EPS = 1e-15


@dataclass(frozen=True)
class RotaryTables:
    """What the members of a pair contribute to the turned pair.

    first, second: float32 (positions, head_dim): the factors of a pair's first and of its second
    member in each feature.

    The weights were trained with tables laid out for halves but applied to neighbouring pairs,
    so the two members of a pair turn at different rates. This is no rotation, and no library's
    rope does it.
    """

    first: mx.array
    second: mx.array

    @classmethod
    def of(cls, positions: int, head_dim: int, theta: float) -> RotaryTables:
        rates = 1.0 / theta ** (mx.arange(0, head_dim, 2, dtype=mx.float32) / head_dim)
        angles = mx.arange(positions, dtype=mx.float32)[:, None] * rates
        angles = mx.unflatten(mx.concatenate([angles, angles], axis=-1), -1, (-1, 2))
        cos, sin = mx.cos(angles), mx.sin(angles)
        first = mx.stack([cos[..., 0], sin[..., 1]], axis=-1)
        second = mx.stack([-sin[..., 0], cos[..., 1]], axis=-1)
        return cls(mx.flatten(first, 1), mx.flatten(second, 1))

    def __call__(self, x: mx.array) -> mx.array:
        """Apply to (batch, positions, heads, head_dim). Returns float32."""
        pairs = mx.unflatten(x.astype(mx.float32), -1, (-1, 2))
        first, second = (
            mx.unflatten(table, -1, (-1, 2))[:, None] for table in (self.first, self.second)
        )
        return mx.flatten(pairs[..., :1] * first + pairs[..., 1:] * second, -2)


def turn(x: mx.array, rope: RotaryTables, factor: mx.array | None) -> mx.array:
    """Rope on every head of x, times a factor (batch, features), float32, if there is one."""
    head_dim = rope.first.shape[-1]
    turned = mx.flatten(rope(mx.unflatten(x, -1, (-1, head_dim))), -2)
    return (turned if factor is None else turned * factor[:, None]).astype(x.dtype)


def linear_attention(x: mx.array, rope: RotaryTables) -> mx.array:
    """ReLU linear attention from queries, keys and values, side by side.

    x (B, T, 3 * features). Returns (B, T, features). Computed in float32 as in the reference, which
    only rounds turned queries and keys to the model's dtype: these are sums over every frame of
    the song.
    """
    head_dim = rope.first.shape[-1]
    parts = (mx.unflatten(part, -1, (-1, head_dim)) for part in mx.split(x, 3, axis=-1))
    q, k, v = parts
    made = (mx.maximum(rope(q), 0), mx.maximum(rope(k), 0), v.astype(mx.float32))
    q, k, v = (part.transpose(0, 2, 1, 3) for part in made)
    summed = q @ (k.swapaxes(-1, -2) @ v)
    weights = q @ k.sum(axis=2)[..., None]
    quotient = (summed / (weights + LINEAR_ATTENTION_EPS)).astype(x.dtype)
    return mx.flatten(quotient.transpose(0, 2, 1, 3), -2)


def gate(x: mx.array, change: mx.array, modulation: mx.array, row: int) -> mx.array:
    """x + gate * change, with the gate at `row`."""
    return (x + modulation[:, row : row + 1] * change).astype(x.dtype)


def norm(x: mx.array, modulation: mx.array, row: int) -> mx.array:
    """RMS norm, times the scale at `row + 1`, plus the shift at `row`."""
    shift, scale = modulation[:, row : row + 1], modulation[:, row + 1 : row + 2]
    return (mx.fast.rms_norm(x, None, NORM_EPS) * scale + shift).astype(x.dtype)


def sum_and_norm(
    x: mx.array,
    change: mx.array,
    gating: tuple[mx.array, int] | None,
    modulation: mx.array,
    row: int,
) -> tuple[mx.array, mx.array]:
    """x + change, and the `norm` of that sum. With `gating`, a modulation and a row, the change
    is gated first."""
    x = x + change if gating is None else gate(x, change, *gating)
    return x, norm(x, modulation, row)


def conv_and_gate(x: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
    """SiLU, a convolution of each channel in time, then one half of the channels times the SiLU
    of the other.

    x (B, T, 2 * hidden), weight (2 * hidden, 3, 1), bias (2 * hidden,). Returns (B, T, hidden).
    """
    x = mx.conv1d(nn.silu(x), weight, padding=1, groups=x.shape[-1]) + bias
    x, gates = mx.split(x, 2, axis=-1)
    return x * nn.silu(gates)


def add_norm(x: mx.array, y: mx.array, weight: mx.array, bias: mx.array) -> mx.array:
    """x + the RMS norm of y, with a weight and a bias: what ends each layer of the autoencoder.

    x and y (..., features), weight and bias (features,). y may have less precision than x, whose
    dtype is that of the sum: what is infinite in float16 is the largest number of it.
    """
    wide = y.astype(mx.float32)
    if y.dtype == mx.float16:
        wide = mx.clip(wide, -HALF_MAX, HALF_MAX)
    return add3(x, mx.fast.rms_norm(wide, weight, SOUND_NORM_EPS), bias).astype(x.dtype)
