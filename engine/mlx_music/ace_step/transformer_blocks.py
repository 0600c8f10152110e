"""What a block of the transformer is made of. Arrays are (batch, frames, features)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

NORM_EPS = 1e-6
LINEAR_ATTENTION_EPS = 1e-15


@dataclass(frozen=True)
class RotaryTables:
    """Cosines and sines, float32 (positions, head_dim)."""

    cos: mx.array
    sin: mx.array

    @classmethod
    def of(cls, positions: int, head_dim: int, theta: float) -> RotaryTables:
        rates = 1.0 / theta ** (mx.arange(0, head_dim, 2, dtype=mx.float32) / head_dim)
        angles = mx.arange(positions, dtype=mx.float32)[:, None] * rates
        angles = mx.concatenate([angles, angles], axis=-1)
        return cls(mx.cos(angles), mx.sin(angles))

    def __call__(self, x: mx.array) -> mx.array:
        """Apply to (batch, heads, positions, head_dim).

        The weights were trained with tables laid out for halves but applied to neighbouring
        pairs, so the two members of a pair turn at different rates. This is no rotation, and
        no library's rope does it.
        """
        pairs = mx.unflatten(x.astype(mx.float32), -1, (-1, 2))
        turned = mx.flatten(mx.stack([-pairs[..., 1], pairs[..., 0]], axis=-1), -2)
        return (x.astype(mx.float32) * self.cos + turned * self.sin).astype(x.dtype)


class Attention(nn.Module):
    """The projections to and from the heads that both kinds of attention have."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = [nn.Linear(dim, dim)]

    def queries(self, x: mx.array, rope: RotaryTables, query_scale: mx.array | None) -> mx.array:
        q = self.to_q(x)
        if query_scale is not None:
            q = q * query_scale
        return rope(_split_heads(q, self.heads))

    def keys_and_values(self, x: mx.array, rope: RotaryTables) -> tuple[mx.array, mx.array]:
        keys = rope(_split_heads(self.to_k(x), self.heads))
        return keys, _split_heads(self.to_v(x), self.heads)


class SelfAttention(Attention):
    """ReLU linear attention (Katharopoulos et al., 2020, arXiv 2006.16236)."""

    def __call__(self, x: mx.array, rope: RotaryTables, query_scale: mx.array | None) -> mx.array:
        keys, values = self.keys_and_values(x, rope)
        # float32, as in the reference: these are sums over every frame of the song.
        q = mx.maximum(self.queries(x, rope, query_scale), 0).astype(mx.float32)
        k = mx.maximum(keys, 0).astype(mx.float32)
        summed = q @ (k.swapaxes(-1, -2) @ values.astype(mx.float32))
        weight = q @ k.sum(axis=2)[..., None]
        out = (summed / (weight + LINEAR_ATTENTION_EPS)).astype(x.dtype)
        return self.to_out[0](_merge_heads(out))


class CrossAttention(Attention):
    """Softmax attention to the condition, whose keys and values are made beforehand."""

    def __call__(
        self,
        x: mx.array,
        keys: mx.array,
        values: mx.array,
        bias: mx.array | None,
        rope: RotaryTables,
        query_scale: mx.array | None,
    ) -> mx.array:
        q = self.queries(x, rope, query_scale)
        scale = 1.0 / math.sqrt(q.shape[-1])
        out = mx.fast.scaled_dot_product_attention(q, keys, values, scale=scale, mask=bias)
        return self.to_out[0](_merge_heads(out))


class PointwiseConv(nn.Module):
    """A convolution of kernel 1: a matrix product, kept as `Linear` so that it can be quantized."""

    def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Linear(inputs, outputs, bias=bias)

    def __call__(self, x: mx.array) -> mx.array:
        return self.conv(x)


class DepthwiseConv(nn.Module):
    """Each channel convolved in time with its own kernel of 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=1, groups=channels)

    def __call__(self, x: mx.array) -> mx.array:
        return self.conv(x)


class FeedForward(nn.Module):
    """Gated feed-forward with a depthwise convolution between its two products (GLUMBConv)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.inverted_conv = PointwiseConv(dim, 2 * hidden, bias=True)
        self.depth_conv = DepthwiseConv(2 * hidden)
        self.point_conv = PointwiseConv(hidden, dim, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        x, gate = mx.split(self.depth_conv(nn.silu(self.inverted_conv(x))), 2, axis=-1)
        return self.point_conv(x * nn.silu(gate))


class Block(nn.Module):
    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attn = SelfAttention(dim, heads)
        self.cross_attn = CrossAttention(dim, heads)
        self.ff = FeedForward(dim, hidden)
        self.scale_shift_table = mx.zeros((6, dim))

    def __call__(
        self,
        x: mx.array,
        modulation: mx.array,
        keys: mx.array,
        values: mx.array,
        bias: mx.array | None,
        rope: RotaryTables,
        query_scale: mx.array | None,
    ) -> mx.array:
        """x (B, T, dim); modulation (B, 6, dim) is the timestep's, shared by all blocks."""
        shift_attn, scale_attn, gate_attn, shift_ff, scale_ff, gate_ff = mx.split(
            self.scale_shift_table + modulation, 6, axis=1
        )
        y = mx.fast.rms_norm(x, None, NORM_EPS) * (1 + scale_attn) + shift_attn
        x = x + gate_attn * self.attn(y, rope, query_scale)
        x = x + self.cross_attn(x, keys, values, bias, rope, query_scale)
        y = mx.fast.rms_norm(x, None, NORM_EPS) * (1 + scale_ff) + shift_ff
        return x + gate_ff * self.ff(y)


def _split_heads(x: mx.array, heads: int) -> mx.array:
    """(B, S, heads * head_dim) to (B, heads, S, head_dim)."""
    return mx.unflatten(x, -1, (heads, -1)).transpose(0, 2, 1, 3)


def _merge_heads(x: mx.array) -> mx.array:
    return mx.flatten(x.transpose(0, 2, 1, 3), -2)
