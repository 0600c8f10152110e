"""The lyric encoder: a Conformer without its convolution modules.

Self-attention with relative positions as in Transformer-XL (Dai et al., 2019, arXiv
1901.02860), in the form of ESPnet, and a feed-forward layer, both with pre-norm. Attention is
not causal. Arrays are (batch, tokens, features).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.erg import query_scales

#: The layers that entropy rectifying guidance weakens.
ERG_LAYERS = range(4, 6)


@dataclass(frozen=True)
class LyricEncoderConfig:
    """The `lyric_encoder` part of the transformer's config; the published one leaves it out."""

    output_size: int = 1024
    attention_heads: int = 16
    linear_units: int = 4096
    num_blocks: int = 6


def relative_positions(tokens: int, features: int) -> mx.array:
    """Sinusoids of the distances tokens-1 .. -(tokens-1), float32 (1, 2*tokens-1, features)."""
    distance = mx.arange(tokens - 1, -tokens, -1, dtype=mx.float32)[:, None]
    rate = mx.exp(mx.arange(0, features, 2, dtype=mx.float32) * (-math.log(10_000.0) / features))
    angle = distance * rate
    return mx.flatten(mx.stack([mx.sin(angle), mx.cos(angle)], axis=-1), -2)[None]


def _shift(scores: mx.array) -> mx.array:
    """Scores by distance (B, H, T, 2T-1) to scores by key (B, H, T, T).

    Row t of the result holds the distances t, t-1, .., t-T+1. Padding one column and reading
    the same memory with rows one longer moves each row by one more than the row above it.
    """
    batch, heads, tokens, distances = scores.shape
    padded = mx.pad(scores, [(0, 0), (0, 0), (0, 0), (1, 0)])
    padded = padded.reshape(batch, heads, distances + 1, tokens)
    return padded[:, :, 1:].reshape(batch, heads, tokens, distances)[..., :tokens]


class RelativeAttention(nn.Module):
    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(features, features)
        self.linear_k = nn.Linear(features, features)
        self.linear_v = nn.Linear(features, features)
        self.linear_out = nn.Linear(features, features)
        self.linear_pos = nn.Linear(features, features, bias=False)
        self.pos_bias_u = mx.zeros((heads, features // heads))
        self.pos_bias_v = mx.zeros((heads, features // heads))

    def __call__(
        self, x: mx.array, mask: mx.array, positions: mx.array, query_scale: float | mx.array
    ) -> mx.array:
        def split(y: mx.array) -> mx.array:
            return mx.unflatten(y, -1, (self.heads, -1))

        q = split(self.linear_q(x) * query_scale)
        k = split(self.linear_k(x)).transpose(0, 2, 1, 3)
        v = split(self.linear_v(x)).transpose(0, 2, 1, 3)
        p = split(self.linear_pos(positions)).transpose(0, 2, 3, 1)
        scale = 1.0 / math.sqrt(q.shape[-1])
        by_distance = (q + self.pos_bias_v).transpose(0, 2, 1, 3) @ p
        bias = mx.where(
            mask[:, None, None, :], _shift(by_distance) * scale, mx.finfo(q.dtype).min / 2
        )
        out = mx.fast.scaled_dot_product_attention(
            (q + self.pos_bias_u).transpose(0, 2, 1, 3), k, v, scale=scale, mask=bias
        )
        # An item without any lyrics attends to nothing: the softmax of nothing is zero.
        out = mx.where(mx.any(mask, axis=1)[:, None, None, None], out, 0.0)
        return self.linear_out(mx.flatten(out.transpose(0, 2, 1, 3), -2))


class FeedForward(nn.Module):
    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(features, hidden)
        self.w_2 = nn.Linear(hidden, features)

    def __call__(self, x: mx.array) -> mx.array:
        return self.w_2(nn.silu(self.w_1(x)))


class Layer(nn.Module):
    def __init__(self, config: LyricEncoderConfig) -> None:
        super().__init__()
        size = config.output_size
        self.self_attn = RelativeAttention(size, config.attention_heads)
        self.feed_forward = FeedForward(size, config.linear_units)
        self.norm_mha = nn.LayerNorm(size, eps=1e-5)
        self.norm_ff = nn.LayerNorm(size, eps=1e-5)

    def __call__(
        self, x: mx.array, mask: mx.array, positions: mx.array, query_scale: float | mx.array
    ) -> mx.array:
        x = x + self.self_attn(self.norm_mha(x), mask, positions, query_scale)
        return x + self.feed_forward(self.norm_ff(x))


class InputLayer(nn.Module):
    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.out = [nn.Linear(input_size, output_size), nn.LayerNorm(output_size, eps=1e-5)]

    def __call__(self, x: mx.array) -> mx.array:
        linear, norm = self.out
        return norm(linear(x)) * math.sqrt(linear.weight.shape[0])


class LyricEncoder(nn.Module):
    """Lyric embeddings to lyric states."""

    def __init__(self, input_size: int, config: LyricEncoderConfig) -> None:
        super().__init__()
        self.embed = InputLayer(input_size, config.output_size)
        self.encoders = [Layer(config) for _ in range(config.num_blocks)]
        self.after_norm = nn.LayerNorm(config.output_size, eps=1e-5)

    def __call__(
        self, x: mx.array, mask: mx.array, weakened: tuple[bool, ...] = (False,)
    ) -> list[mx.array]:
        """States (B, T, output_size) of embeddings (B, T, input_size) with a 0/1 mask (B, T).

        One for each pass, which are one until `ERG_LAYERS` begin: there, a `weakened` one has its
        queries scaled by `ERG_TAU`, for guidance.
        """
        x, mask = self.embed(x), mask != 0
        positions = relative_positions(x.shape[1], x.shape[2]).astype(x.dtype)
        for layer in self.encoders[: ERG_LAYERS.start]:
            x = layer(x, mask, positions, 1.0)
        scales = query_scales(weakened, x)[:, None, None]
        x, mask = (mx.concatenate([each] * len(weakened)) for each in (x, mask))
        for index, layer in enumerate(self.encoders[ERG_LAYERS.start :], ERG_LAYERS.start):
            x = layer(x, mask, positions, scales if index in ERG_LAYERS else 1.0)
        return list(mx.split(self.after_norm(x), len(weakened)))
