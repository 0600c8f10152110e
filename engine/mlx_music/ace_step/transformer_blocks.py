"""What a block of the transformer is made of. Arrays are (batch, frames, features)."""

from __future__ import annotations

import math
from copy import copy
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.accelerated import (
    conv_and_gate,
    gate,
    linear_attention,
    norm,
    sum_and_norm,
    turn,
)
from mlx_music.ace_step.operations import RotaryTables

#: Rows of a block's modulation: shift and scale of what a layer is given, and its gate.
ATTENTION, ATTENTION_GATE, FEED_FORWARD, FEED_FORWARD_GATE = 0, 2, 3, 5


class Change(NamedTuple):
    """What the feed-forward layer of a block adds, before the gate of its modulation."""

    value: mx.array
    modulation: mx.array

    @property
    def gating(self) -> tuple[mx.array, int]:
        return self.modulation, FEED_FORWARD_GATE

    def added_to(self, x: mx.array) -> mx.array:
        return gate(x, self.value, *self.gating)


class Attention(nn.Module):
    """The projections to and from the heads that both kinds of attention have."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = [nn.Linear(dim, dim)]


class _Joined(NamedTuple):
    """One layer for all three projections, and of each of them the arrays that it has a part of."""

    layer: nn.Module
    parts: list[dict[str, mx.array]]


def _arrays(layer: nn.Module) -> list[str]:
    """Names of the arrays of a linear layer, which have its outputs first."""
    return [name for name, value in layer.items() if isinstance(value, mx.array)]


def _kind(layer: nn.Module) -> tuple[Any, ...] | None:
    """What layers have in common that can be one; None for a layer that is more than its arrays."""
    if type(layer) is nn.Linear:
        return nn.Linear, *_arrays(layer)
    if type(layer) is nn.QuantizedLinear:
        return nn.QuantizedLinear, layer.group_size, layer.bits, layer.mode, *_arrays(layer)
    return None


class SelfAttention(Attention):
    """ReLU linear attention (Katharopoulos et al., 2020, arXiv 2006.16236).

    A factor on the queries would be one on the weights as well, and so change nothing: entropy
    rectifying guidance does not reach these.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        # Private to MLX's modules: no parameters.
        self._joined: _Joined | None = None

    @property
    def _projections(self) -> list[nn.Module]:
        return [self.to_q, self.to_k, self.to_v]

    def join(self) -> None:
        """Let projections that are alike, quantized or not, share their arrays, so that one product
        is made with them.

        Each keeps its arrays under their names: views of its rows, so that all stays as it was to
        whoever reads, adapts or replaces them. Costs no memory but while it is done.
        """
        layers = self._projections
        if self._projects_at_once() or len({_kind(layer) for layer in layers}) > 1:
            return
        if _kind(layers[0]) is None:
            return
        joined, parts = copy(layers[0]), [dict[str, mx.array]() for _ in layers]
        for name in _arrays(layers[0]):
            whole = mx.concatenate([layer[name] for layer in layers])
            mx.eval(whole)
            own = list(mx.split(whole, len(layers)))
            mx.eval(own)
            joined[name] = whole
            for layer, part, mine in zip(layers, own, parts, strict=True):
                layer[name] = mine[name] = part
        self._joined = _Joined(joined, parts)

    def forget_joined(self) -> None:
        """Let go of the shared arrays, which would outlive weights that are replaced."""
        self._joined = None

    def _projects_at_once(self) -> bool:
        """Whether the projections still are those that were joined; if not, forget it."""
        if self._joined is None:
            return False
        kind = _kind(self._joined.layer)
        for layer, parts in zip(self._projections, self._joined.parts, strict=True):
            if _kind(layer) != kind or any(layer[name] is not parts[name] for name in parts):
                self.forget_joined()
                return False
        return True

    def _projected(self, x: mx.array) -> mx.array:
        """Queries, keys and values side by side, (B, T, 3 * dim)."""
        if self._projects_at_once():
            assert self._joined is not None
            return self._joined.layer(x)
        return mx.concatenate([layer(x) for layer in self._projections], axis=-1)

    def __call__(self, x: mx.array, rope: RotaryTables) -> mx.array:
        return self.to_out[0](linear_attention(self._projected(x), rope))


class CrossAttention(Attention):
    """Softmax attention to the condition, whose keys and values are made beforehand."""

    def keys_and_values(self, states: mx.array, rope: RotaryTables) -> tuple[mx.array, mx.array]:
        """Of condition states (B, S, dim): two of (B, heads, S, head_dim)."""
        keys = turn(self.to_k(states), rope, None)
        return self._split(keys), self._split(self.to_v(states))

    def __call__(
        self,
        x: mx.array,
        keys: mx.array,
        values: mx.array,
        bias: mx.array | None,
        rope: RotaryTables,
        query_scale: mx.array | None,
    ) -> mx.array:
        # Only a view has the heads before the frames: the attention's output then lies like its
        # queries, and merging its heads moves nothing.
        q = self._split(turn(self.to_q(x), rope, query_scale))
        scale = 1.0 / math.sqrt(q.shape[-1])
        out = mx.fast.scaled_dot_product_attention(q, keys, values, scale=scale, mask=bias)
        return self.to_out[0](mx.flatten(out.transpose(0, 2, 1, 3), -2))

    def _split(self, x: mx.array) -> mx.array:
        return mx.unflatten(x, -1, (self.heads, -1)).transpose(0, 2, 1, 3)


class PointwiseConv(nn.Module):
    """A convolution of kernel 1: a matrix product, kept as `Linear` so that it can be quantized."""

    def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Linear(inputs, outputs, bias=bias)

    def __call__(self, x: mx.array) -> mx.array:
        return self.conv(x)


class DepthwiseConv(nn.Module):
    """The parameters of a convolution of each channel in time with its own kernel of 3."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=1, groups=channels)


class FeedForward(nn.Module):
    """Gated feed-forward with a depthwise convolution between its two products (GLUMBConv)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.inverted_conv = PointwiseConv(dim, 2 * hidden, bias=True)
        self.depth_conv = DepthwiseConv(2 * hidden)
        self.point_conv = PointwiseConv(hidden, dim, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        conv = self.depth_conv.conv
        return self.point_conv(conv_and_gate(self.inverted_conv(x), conv.weight, conv.bias))


class Block(nn.Module):
    """Self-attention, cross-attention and feed-forward, the first and last of them modulated."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attn = SelfAttention(dim, heads)
        self.cross_attn = CrossAttention(dim, heads)
        self.ff = FeedForward(dim, hidden)
        self.scale_shift_table = mx.zeros((6, dim))

    def attend(
        self,
        x: mx.array,
        change: Change | None,
        modulation: mx.array,
        keys: mx.array,
        values: mx.array,
        bias: mx.array | None,
        rope: RotaryTables,
        query_scale: mx.array | None,
    ) -> tuple[mx.array, mx.array]:
        """x (B, T, dim) and what is still to be added to it, to x behind self-attention and what
        cross-attention adds to that.

        modulation: float32 (B or 1, 6, dim), see `Timesteps`. query_scale: float32 (B, dim).
        """
        if change is None:
            y = norm(x, modulation, ATTENTION)
        else:
            x, y = sum_and_norm(x, change.value, change.gating, modulation, ATTENTION)
        x = gate(x, self.attn(y, rope), modulation, ATTENTION_GATE)
        return x, self.cross_attn(x, keys, values, bias, rope, query_scale)

    def feed(
        self, x: mx.array, attended: mx.array, modulation: mx.array
    ) -> tuple[mx.array, Change]:
        """What `attend` gives, to x behind both attentions and what the feed-forward adds to it."""
        x, y = sum_and_norm(x, attended, None, modulation, FEED_FORWARD)
        return x, Change(self.ff(y), modulation)
