"""The flow-matching transformer of ACE-Step v1 (arXiv 2506.00045).

A linear-attention diffusion transformer in the manner of Sana (Xie et al., 2024, arXiv
2410.10629): one token per latent frame, AdaLN-single, cross-attention to a condition made of
speaker, prompt and lyrics, and a gated feed-forward with a depthwise convolution in time.

Latents are channels last: (batch, 16, frames, 8). The reference keeps (batch, 8, 16, frames).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_music.ace_step.accelerated import norm
from mlx_music.ace_step.block_calls import BlockCall, CompiledBlocks, Portions
from mlx_music.ace_step.lyric_encoder import LyricEncoder, LyricEncoderConfig
from mlx_music.ace_step.operations import NORM_EPS, RotaryTables
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.transformer_blocks import Block, Change
from mlx_music.ace_step.transformer_inputs import (
    Condition,
    Modulation,
    PreparedCondition,
    Timesteps,
)
from mlx_music.weights.config import config_from_dict

#: The blocks that entropy rectifying guidance weakens.
ERG_BLOCKS = range(15, 20)

#: Length of a condition's timestep sinusoid.
TIMESTEP_CHANNELS = 256


@dataclass(frozen=True)
class TransformerConfig:
    """`ace_step_transformer/config.json`."""

    in_channels: int = 8
    out_channels: int = 8
    num_layers: int = 24
    attention_head_dim: int = 128
    num_attention_heads: int = 20
    mlp_ratio: float = 2.5
    max_height: int = 16
    max_position: int = 32_768
    rope_theta: float = 1_000_000.0
    patch_size: tuple[int, int] = (16, 1)
    speaker_embedding_dim: int = 512
    text_embedding_dim: int = 768
    lyric_encoder_vocab_size: int = 6693
    lyric_hidden_size: int = 1024
    lyric_encoder: LyricEncoderConfig = field(default_factory=LyricEncoderConfig)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TransformerConfig:
        return config_from_dict(cls, values)

    @property
    def inner_dim(self) -> int:
        return self.num_attention_heads * self.attention_head_dim

    @property
    def hidden_dim(self) -> int:
        """Width of a feed-forward layer behind its gate."""
        return int(self.inner_dim * self.mlp_ratio)


class PatchEmbedding(nn.Module):
    """Latent frames to tokens. A patch is a whole frame, so its convolution is a product."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        hidden = 256 * config.in_channels
        self.early_conv_layers = [
            nn.Linear(math.prod(config.patch_size) * config.in_channels, hidden),
            nn.GroupNorm(32, hidden, eps=NORM_EPS, pytorch_compatible=True),
            nn.Linear(hidden, config.inner_dim),
        ]

    def __call__(self, latents: mx.array) -> mx.array:
        """(B, 16, T, 8) to (B, T, inner_dim)."""
        x = mx.flatten(latents.swapaxes(1, 2), -2)
        for layer in self.early_conv_layers:
            x = layer(x)
        return x


class FinalLayer(nn.Module):
    """Tokens to a velocity of the latents' shape."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(
            config.inner_dim, math.prod(config.patch_size) * config.out_channels
        )
        self.scale_shift_table = mx.zeros((2, config.inner_dim))
        self._patch_height = config.patch_size[0]

    def __call__(self, x: mx.array, modulation: mx.array) -> mx.array:
        """(B, T, inner_dim) and (B or 1, 2, inner_dim) to (B, 16, T, 8)."""
        x = self.linear(norm(x, modulation, 0))
        return mx.unflatten(x, -1, (self._patch_height, -1)).swapaxes(1, 2)


class TimestepEmbedder(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(TIMESTEP_CHANNELS, config.inner_dim)
        self.linear_2 = nn.Linear(config.inner_dim, config.inner_dim)

    def __call__(self, timestep: mx.array, dtype: mx.Dtype) -> mx.array:
        """Timesteps (B,), sigma * 1000, to (B, inner_dim)."""
        half = TIMESTEP_CHANNELS // 2
        rates = mx.exp(mx.arange(half, dtype=mx.float32) * (-math.log(10_000.0) / half))
        angles = timestep.astype(mx.float32)[:, None] * rates
        sinusoid = mx.concatenate([mx.cos(angles), mx.sin(angles)], axis=-1).astype(dtype)
        return self.linear_2(nn.silu(self.linear_1(sinusoid)))


class Transformer(nn.Module):
    """Velocity of noisy latents at a timestep, given a condition."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.inner_dim
        self.proj_in = PatchEmbedding(config)
        self.timestep_embedder = TimestepEmbedder(config)
        self.t_block = [nn.SiLU(), nn.Linear(dim, 6 * dim)]
        self.speaker_embedder = nn.Linear(config.speaker_embedding_dim, dim)
        self.genre_embedder = nn.Linear(config.text_embedding_dim, dim)
        self.lyric_embs = nn.Embedding(config.lyric_encoder_vocab_size, config.lyric_hidden_size)
        self.lyric_encoder = LyricEncoder(config.lyric_hidden_size, config.lyric_encoder)
        self.lyric_proj = nn.Linear(config.lyric_encoder.output_size, dim)
        self.transformer_blocks = [
            Block(dim, config.num_attention_heads, config.hidden_dim)
            for _ in range(config.num_layers)
        ]
        self.final_layer = FinalLayer(config)
        # Private to MLX's modules: no parameters.
        self._compiled: CompiledBlocks | None = None

    @property
    def dtype(self) -> mx.Dtype:
        return self.final_layer.scale_shift_table.dtype

    def encode(
        self,
        text_states: mx.array,
        text_mask: mx.array,
        speaker: mx.array,
        lyric_ids: mx.array,
        lyric_mask: mx.array,
        *,
        weaken_lyrics: bool = False,
    ) -> Condition:
        """The condition of one pass, from its lyrics' ids; else as `lyrics` and `condition`."""
        (lyrics,) = self.lyrics(lyric_ids, lyric_mask, (weaken_lyrics,))
        return self.condition(text_states, text_mask, speaker, lyrics, lyric_mask)

    def lyrics(
        self, ids: mx.array, mask: mx.array, weakened: tuple[bool, ...] = (False,)
    ) -> list[mx.array]:
        """What lyrics are in a condition, (B, L, inner_dim), for each pass.

        ids int (B, L), the mask (B, L) 0/1; `weakened` ones are for passes that shall know little
        of them (see `lyric_encoder.ERG_LAYERS`).
        """
        return [
            self.lyric_proj(states)
            for states in self.lyric_encoder(self.lyric_embs(ids), mask, weakened)
        ]

    def condition(
        self,
        text_states: mx.array,
        text_mask: mx.array,
        speaker: mx.array,
        lyrics: mx.array,
        lyric_mask: mx.array,
    ) -> Condition:
        """The condition [speaker, prompt, lyrics].

        text_states (B, S, text_embedding_dim), speaker (B, speaker_embedding_dim); the masks
        (B, S) and (B, L) are 0/1.
        """
        dtype = self.dtype
        states = [
            self.speaker_embedder(speaker.astype(dtype))[:, None],
            self.genre_embedder(text_states.astype(dtype)),
            lyrics,
        ]
        ones = mx.ones((text_states.shape[0], 1), dtype=text_mask.dtype)
        mask = mx.concatenate([ones, text_mask, lyric_mask.astype(text_mask.dtype)], axis=1)
        return Condition(mx.concatenate(states, axis=1), mask)

    def prepare(self, condition: Condition) -> PreparedCondition:
        """Keys and values of every block's cross-attention.

        They depend on the condition alone, not on the step. Positions that no item of the batch
        attends to are dropped, after rope: a key keeps the place it had in the sequence.
        """
        rope = self.rope(condition.states.shape[1])
        valid = np.array(condition.mask) != 0
        kept = mx.array(np.flatnonzero(valid.any(axis=0)))
        keys, values = [], []
        for block in self.transformer_blocks:
            k, v = block.cross_attn.keys_and_values(condition.states, rope)
            if kept.size < valid.shape[1]:
                k, v = (mx.take(y, kept, axis=2) for y in (k, v))
            keys.append(k)
            values.append(v)
        valid = valid[:, valid.any(axis=0)]
        bias = None
        if not valid.all():
            masked = mx.where(mx.array(valid), 0.0, mx.finfo(self.dtype).min / 2)
            bias = masked.astype(self.dtype)[:, None, None, :]
        scale = condition.query_scale
        if scale is not None:  # as a kernel reads it fast, see `kernels.turn`
            scale = mx.repeat(scale.astype(mx.float32)[:, None], self.config.inner_dim, axis=1)
        return PreparedCondition(keys, values, bias, scale)

    def timesteps(self, timesteps: mx.array) -> Timesteps:
        """Everything that depends on timesteps (n,) = sigma * 1000, and on nothing else."""
        embedded = self.timestep_embedder(timesteps, self.dtype)
        shared = embedded
        for layer in self.t_block:
            shared = layer(shared)
        # A scale departs from one, so that a table of zeros changes nothing.
        one = mx.array([0.0, 1.0, 0.0, 0.0, 1.0, 0.0])[:, None]
        return Timesteps(
            embedded.astype(mx.float32),
            mx.unflatten(shared, -1, (6, -1)).astype(mx.float32),
            mx.stack([block.scale_shift_table for block in self.transformer_blocks]) + one,
            self.final_layer.scale_shift_table + one[:2],
        )

    def rope(self, positions: int) -> RotaryTables:
        """The tables for as many positions."""
        return RotaryTables.of(positions, self.config.attention_head_dim, self.config.rope_theta)

    def decode(
        self, latents: mx.array, timestep: mx.array, condition: PreparedCondition
    ) -> mx.array:
        """Velocity (B, 16, T, 8) of latents (B, 16, T, 8) at timesteps (B,) = sigma * 1000."""
        rope, calls = self.rope(latents.shape[2]), list(map(BlockCall.of, self.transformer_blocks))
        return self.velocity(latents, self.timesteps(timestep).all(), rope, condition, calls)

    def velocity(
        self,
        latents: mx.array,
        modulation: Modulation,
        rope: RotaryTables,
        condition: PreparedCondition,
        calls: list[BlockCall],
        pace: Pace | None = None,
    ) -> mx.array:
        """The same for callers that keep what does not change between calls.

        calls: of all blocks, see `settle`. pace: hands a run's work over in portions, on a GPU.
        """
        x = self.proj_in(latents.astype(self.dtype))
        x = self.run_blocks(x, modulation, rope, condition, calls, pace)
        return self.final_layer(x, modulation.final)

    def run_blocks(
        self,
        x: mx.array,
        modulation: Modulation,
        rope: RotaryTables,
        condition: PreparedCondition,
        calls: list[BlockCall],
        pace: Pace | None = None,
    ) -> mx.array:
        """Tokens (B, T, inner_dim) after the blocks of `calls`, which are the first ones or all."""
        tables, portions = (rope.first, rope.second), Portions(x, pace)
        value, before = None, None
        for index, call in enumerate(calls):
            own = modulation.blocks[:, index]
            given = condition.keys[index], condition.values[index], condition.bias
            scale = condition.query_scale if index in ERG_BLOCKS else None
            x, attended = call.attend(x, value, before, own, *given, *tables, scale)
            portions.add(x, attended)
            x, value = call.feed(x, attended, own)
            portions.add(x, value)
            before = own
        return x if value is None or before is None else Change(value, before).added_to(x)

    def settle(self, lengths: tuple[int, ...]) -> list[BlockCall]:
        """Make ready for a run, during which weights do not change; its calls of the blocks.

        Reads weights that were not read yet, block by block, so that few are in memory twice, and
        lays blocks out so that a step is fewer products and less for the host to do. What was made
        for a run of the same `lengths`, of whatever can differ, is used again.
        """
        for block in self.transformer_blocks:
            mx.eval(block.parameters())
            block.attn.join()
        self._compiled = CompiledBlocks.of(self.transformer_blocks, lengths, self._compiled)
        if self._compiled is None:
            return list(map(BlockCall.of, self.transformer_blocks))
        return self._compiled.calls

    def unsettle(self) -> None:
        """Let go of what `settle` made, which would outlive weights that are replaced."""
        for block in self.transformer_blocks:
            block.attn.forget_joined()
        self._compiled = None


def is_unused(name: str) -> bool:
    """Whether a published tensor never influences the output.

    717 M of 3,306 M parameters: projections that cross-attention was built with but does not
    call, and heads that only the training loss used.
    """
    return name.startswith("projectors.") or ".cross_attn.add_" in name or "to_add_out" in name


def sanitize(tensors: dict[str, mx.array]) -> dict[str, mx.array]:
    """Published tensors to ours: convolutions become products, or channels-last kernels."""
    converted = {}
    for name, tensor in tensors.items():
        if name.endswith(("inverted_conv.conv.weight", "point_conv.conv.weight")):
            tensor = tensor.squeeze(-1) if tensor.ndim == 3 else tensor
        elif name.endswith("depth_conv.conv.weight") and tensor.ndim == 3:
            # One axis has a length of 1: a reshape swaps it, and the kernels need no copy.
            tensor = tensor.reshape(tensor.shape[0], tensor.shape[2], tensor.shape[1])
        elif name.startswith("proj_in.early_conv_layers.") and tensor.ndim == 4:
            tensor = mx.flatten(tensor.transpose(0, 2, 3, 1), 1)
        converted[name] = tensor
    return converted
