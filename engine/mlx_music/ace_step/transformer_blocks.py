"""What a block of the transformer is made of. Arrays are (batch, frames, features)."""

from __future__ import annotations

import math
from typing import NamedTuple

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.accelerated import (
    conv_and_gate,
    gate,
    merge_heads,
    norm,
    split_heads,
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
    """One weight and bias for all three projections, and what each has of its own: the rows of
    that weight, and its bias."""

    weight: mx.array
    bias: mx.array
    parts: list[mx.array]
    biases: list[mx.array]


class SelfAttention(Attention):
    """ReLU linear attention (Katharopoulos et al., 2020, arXiv 2006.16236).

    A factor on the queries would be one on the weights as well, and so change nothing: entropy
    rectifying guidance does not reach these.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__(dim, heads)
        # Private to MLX's modules: no parameters.
        self._joined: _Joined | None = None

    def join(self) -> None:
        """Let plain projections share one matrix, so that one product is made with it.

        Each keeps its weight under its name: a view of its rows, so that all stays as it was to
        whoever reads, adapts or replaces it. Costs no memory but while it is done.
        """
        layers = (self.to_q, self.to_k, self.to_v)
        if self._projects_at_once() or any(type(layer) is not nn.Linear for layer in layers):
            return
        weight = mx.concatenate([layer.weight for layer in layers])
        bias = mx.concatenate([layer.bias for layer in layers])
        mx.eval(weight, bias)
        parts = list(mx.split(weight, len(layers)))
        mx.eval(parts)
        for layer, part in zip(layers, parts, strict=True):
            layer.weight = part
        self._joined = _Joined(weight, bias, parts, [layer.bias for layer in layers])

    def forget_joined(self) -> None:
        """Let go of the shared matrix, which would outlive weights that are replaced."""
        self._joined = None

    def _projects_at_once(self) -> bool:
        """Whether the projections still are those that were joined; if not, forget it."""
        if self._joined is None:
            return False
        layers, joined = (self.to_q, self.to_k, self.to_v), self._joined
        if any(
            type(layer) is not nn.Linear or layer.weight is not part or layer.bias is not bias
            for layer, part, bias in zip(layers, joined.parts, joined.biases, strict=True)
        ):
            self.forget_joined()
            return False
        return True

    def _projected(self, x: mx.array) -> mx.array:
        """Queries, keys and values side by side, (B, T, 3 * dim)."""
        if self._projects_at_once():
            assert self._joined is not None
            return mx.addmm(self._joined.bias, x, self._joined.weight.T)
        return mx.concatenate([self.to_q(x), self.to_k(x), self.to_v(x)], axis=-1)

    def __call__(self, x: mx.array, rope: RotaryTables) -> mx.array:
        # float32, as in the reference: these are sums over every frame of the song.
        q, k, v = split_heads(self._projected(x), rope)
        summed = q @ (k.swapaxes(-1, -2) @ v)
        return self.to_out[0](merge_heads(summed, q, k.sum(axis=2), x.dtype))


class CrossAttention(Attention):
    """Softmax attention to the condition, whose keys and values are made beforehand."""

    def keys_and_values(self, states: mx.array, rope: RotaryTables) -> tuple[mx.array, mx.array]:
        """Of condition states (B, S, dim): two of (B, heads, S, head_dim)."""
        keys = turn(self.to_k(states), rope, mx.ones(states.shape[0]))
        return self._split(keys), self._split(self.to_v(states))

    def __call__(
        self,
        x: mx.array,
        keys: mx.array,
        values: mx.array,
        bias: mx.array | None,
        rope: RotaryTables,
        query_scale: mx.array,
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
        self, x: mx.array, change: Change | None, modulation: mx.array, rope: RotaryTables
    ) -> mx.array:
        """x (B, T, dim) and what is still to be added to it, to x behind self-attention.

        modulation: float32 (B or 1, 6, dim), see `Timesteps`.
        """
        if change is None:
            y = norm(x, modulation, ATTENTION)
        else:
            x, y = sum_and_norm(x, change.value, change.gating, modulation, ATTENTION)
        return gate(x, self.attn(y, rope), modulation, ATTENTION_GATE)

    def answer(
        self,
        x: mx.array,
        modulation: mx.array,
        keys: mx.array,
        values: mx.array,
        bias: mx.array | None,
        rope: RotaryTables,
        query_scale: mx.array,
    ) -> tuple[mx.array, Change]:
        """x behind self-attention to x behind cross-attention, and what the feed-forward adds to
        that. query_scale: (B,)."""
        attended = self.cross_attn(x, keys, values, bias, rope, query_scale)
        x, y = sum_and_norm(x, attended, None, modulation, FEED_FORWARD)
        return x, Change(self.ff(y), modulation)
