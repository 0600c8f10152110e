"""The UMT5 encoder, which reads the prompt.

UMT5 is T5 v1.1 with a relative position bias in every block (Chung et al., 2023,
arXiv 2304.09151). Arrays are (batch, tokens, features).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_music.ace_step.erg import query_scales
from mlx_music.weights.config import config_from_dict

#: The embedding. It is most of the weights, and a prompt needs few of its rows.
TABLE = "shared"

#: The blocks that entropy rectifying guidance weakens.
ERG_BLOCKS = range(8, 10)


@dataclass(frozen=True)
class TextEncoderConfig:
    """`umt5-base/config.json`."""

    vocab_size: int = 256_384
    d_model: int = 768
    d_kv: int = 64
    d_ff: int = 2048
    num_layers: int = 12
    num_heads: int = 12
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    layer_norm_epsilon: float = 1e-6
    pad_token_id: int = 0

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TextEncoderConfig:
        return config_from_dict(cls, values)


def relative_position_buckets(tokens: int, buckets: int, max_distance: int) -> mx.array:
    """Bucket of each (query, key) pair, int32 (tokens, tokens): exact near, logarithmic far.

    Raffel et al., 2020 (arXiv 1910.10683), bidirectional form.
    """
    position = np.arange(tokens)
    relative = position[None, :] - position[:, None]
    half = buckets // 2
    distance = np.abs(relative)
    exact = half // 2
    # float32, because a bucket's edge must fall where the reference's float32 puts it.
    logarithmic = np.log(np.maximum(distance, 1).astype(np.float32) / exact)
    scale = np.float32(math.log(max_distance / exact))
    far = exact + (logarithmic / scale * (half - exact)).astype(np.int32)
    bucket = np.where(distance < exact, distance, np.minimum(far, half - 1))
    return mx.array((bucket + half * (relative > 0)).astype(np.int32))


class Attention(nn.Module):
    """Multi-head attention without the usual 1/sqrt(d), which T5 folds into its weights."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        inner = config.num_heads * config.d_kv
        self.num_heads = config.num_heads
        self.q = nn.Linear(config.d_model, inner, bias=False)
        self.k = nn.Linear(config.d_model, inner, bias=False)
        self.v = nn.Linear(config.d_model, inner, bias=False)
        self.o = nn.Linear(inner, config.d_model, bias=False)
        self.relative_attention_bias = nn.Embedding(
            config.relative_attention_num_buckets, config.num_heads
        )

    def __call__(
        self, x: mx.array, buckets: mx.array, key_bias: mx.array, query_scale: float | mx.array
    ) -> mx.array:
        q, k, v = (
            mx.unflatten(project(x), -1, (self.num_heads, -1)).transpose(0, 2, 1, 3)
            for project in (self.q, self.k, self.v)
        )
        bias = self.relative_attention_bias(buckets).transpose(2, 0, 1)[None] + key_bias
        out = mx.fast.scaled_dot_product_attention(
            q * query_scale, k, v, scale=1.0, mask=bias.astype(q.dtype)
        )
        return self.o(mx.flatten(out.transpose(0, 2, 1, 3), -2))


class GatedFeedForward(nn.Module):
    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.wi_0 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wi_1 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.wo = nn.Linear(config.d_ff, config.d_model, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        return self.wo(nn.gelu_approx(self.wi_0(x)) * self.wi_1(x))


class AttentionLayer(nn.Module):
    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.SelfAttention = Attention(config)
        self.layer_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)


class FeedForwardLayer(nn.Module):
    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.DenseReluDense = GatedFeedForward(config)
        self.layer_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)


class Block(nn.Module):
    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.layer = [AttentionLayer(config), FeedForwardLayer(config)]

    def __call__(
        self, x: mx.array, buckets: mx.array, key_bias: mx.array, query_scale: float | mx.array
    ) -> mx.array:
        attention, feed_forward = self.layer
        x = x + attention.SelfAttention(attention.layer_norm(x), buckets, key_bias, query_scale)
        return x + feed_forward.DenseReluDense(feed_forward.layer_norm(x))


class Encoder(nn.Module):
    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.block = [Block(config) for _ in range(config.num_layers)]
        self.final_layer_norm = nn.RMSNorm(config.d_model, config.layer_norm_epsilon)


class TextEncoder(nn.Module):
    """Token ids to hidden states."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = Encoder(config)

    def __call__(self, ids: mx.array, mask: mx.array, *, weakened: bool = False) -> mx.array:
        """Last hidden states (B, S, d_model) of int ids (B, S) with a 0/1 mask (B, S).

        `weakened` scales the queries of `ERG_BLOCKS` by `ERG_TAU`, for the unconditional pass.
        """
        return self.passes(ids, mask, (weakened,))[0]

    def passes(self, ids: mx.array, mask: mx.array, weakened: tuple[bool, ...]) -> list[mx.array]:
        """The same for several passes, which are one until `ERG_BLOCKS` begin."""
        x = self.shared(ids)
        buckets = relative_position_buckets(
            ids.shape[1],
            self.config.relative_attention_num_buckets,
            self.config.relative_attention_max_distance,
        )
        key_bias = mx.where(mask[:, None, None, :] == 0, mx.finfo(x.dtype).min / 2, 0.0)
        for block in self.encoder.block[: ERG_BLOCKS.start]:
            x = block(x, buckets, key_bias, 1.0)
        scales = query_scales(weakened, x)[:, None, None, None]
        x, key_bias = (mx.concatenate([each] * len(weakened)) for each in (x, key_bias))
        for index, block in enumerate(self.encoder.block[ERG_BLOCKS.start :], ERG_BLOCKS.start):
            x = block(x, buckets, key_bias, scales if index in ERG_BLOCKS else 1.0)
        return list(mx.split(self.encoder.final_layer_norm(x), len(weakened)))


def sanitize(tensors: dict[str, mx.array]) -> dict[str, mx.array]:
    """Published tensors to ours: the two names of the one embedding become `shared`."""
    tensors = dict(tensors)
    tied = tensors.pop("encoder.embed_tokens.weight", None)
    if tied is not None:
        tensors.setdefault("shared.weight", tied)
    return tensors
