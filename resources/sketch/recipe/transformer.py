"""The transformer in PyTorch, with the names of the published checkpoint.

It exists to be trained: `mlx_music.ace_step` has it for use, and a test holds the two against
each other.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rotary_tables(
    positions: int, head_dim: int, theta: float, device: Any
) -> tuple[Tensor, Tensor]:
    """Laid out for halves and applied to neighbouring pairs, as ACE-Step v1 was trained."""
    rates = 1.0 / theta ** (torch.arange(0, head_dim, 2, device=device).float() / head_dim)
    angles = torch.arange(positions, device=device).float()[:, None] * rates
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, tables: tuple[Tensor, Tensor]) -> Tensor:
    """x (batch, heads, positions, head_dim)."""
    pairs = x.unflatten(-1, (-1, 2))
    turned = torch.stack([-pairs[..., 1], pairs[..., 0]], dim=-1).flatten(-2)
    return x * tables[0] + turned * tables[1]


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.ModuleList([nn.Linear(dim, dim)])

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def merge(self, x: Tensor) -> Tensor:
        return self.to_out[0](x.transpose(1, 2).flatten(-2))


class SelfAttention(Attention):
    """ReLU linear attention."""

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
        q = F.relu(rotate(self.split(self.to_q(x)).float(), rope))
        k = F.relu(rotate(self.split(self.to_k(x)).float(), rope))
        v = self.split(self.to_v(x)).float()
        with torch.autocast(x.device.type, enabled=False):
            summed = q @ (k.transpose(-1, -2) @ v)
            weight = q @ k.sum(dim=2)[..., None]
            # The engine adds 1e-15, which is nothing; while it learns, this keeps gradients finite.
            y = summed / (weight + 1e-6)
        return self.merge(y.to(x.dtype))


class CrossAttention(Attention):
    def forward(
        self,
        x: Tensor,
        states: Tensor,
        mask: Tensor,
        rope: tuple[Tensor, Tensor],
        key_rope: tuple[Tensor, Tensor],
    ) -> Tensor:
        q = rotate(self.split(self.to_q(x)), rope).to(x.dtype)
        k = rotate(self.split(self.to_k(states)), key_rope).to(x.dtype)
        v = self.split(self.to_v(states)).to(x.dtype)
        return self.merge(F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None]))


class Conv(nn.Module):
    """A convolution in time of (batch, frames, features), under the checkpoint's name for it.

    Of one tap, or of three and each feature by itself. Written as a product and as sums, which
    take a fraction of the time of PyTorch's convolutions, backwards above all.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, groups: int, bias: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(
            inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=bias
        )

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.conv.weight, self.conv.bias
        if weight.shape[2] == 1:
            return F.linear(x, weight.squeeze(2), bias)
        before, here, after = weight.squeeze(1).to(x.dtype).unbind(1)
        padded = F.pad(x, (0, 0, 1, 1))
        y = padded[:, :-2] * before + x * here + padded[:, 2:] * after
        return y + bias.to(x.dtype)


class FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.inverted_conv = Conv(dim, 2 * hidden, 1, 1, bias=True)
        self.depth_conv = Conv(2 * hidden, 2 * hidden, 3, 2 * hidden, bias=True)
        self.point_conv = Conv(hidden, dim, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y, gate = self.depth_conv(F.silu(self.inverted_conv(x))).chunk(2, dim=-1)
        return self.point_conv(y * F.silu(gate))


def rms_norm(x: Tensor) -> Tensor:
    return F.rms_norm(x.float(), x.shape[-1:], eps=1e-6).to(x.dtype)


class Block(nn.Module):
    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attn = SelfAttention(dim, heads)
        self.cross_attn = CrossAttention(dim, heads)
        self.ff = FeedForward(dim, hidden)
        self.scale_shift_table = nn.Parameter(torch.randn(6, dim) / dim**0.5)

    def forward(
        self,
        x: Tensor,
        modulation: Tensor,
        states: Tensor,
        mask: Tensor,
        rope: tuple[Tensor, Tensor],
        key_rope: tuple[Tensor, Tensor],
    ) -> Tensor:
        shift, scale, gate, shift_ff, scale_ff, gate_ff = (
            self.scale_shift_table + modulation
        ).chunk(6, dim=1)
        x = x + gate * self.attn(rms_norm(x) * (1 + scale) + shift, rope)
        x = x + self.cross_attn(x, states, mask, rope, key_rope)
        return x + gate_ff * self.ff(rms_norm(x) * (1 + scale_ff) + shift_ff)


class PatchEmbedding(nn.Module):
    def __init__(self, channels: int, height: int, dim: int) -> None:
        super().__init__()
        hidden = 256 * channels
        self.early_conv_layers = nn.Sequential(
            nn.Conv2d(channels, hidden, (height, 1), stride=(height, 1)),
            nn.GroupNorm(32, hidden, eps=1e-6),
            nn.Conv2d(hidden, dim, 1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        return self.early_conv_layers(latents).squeeze(2).transpose(1, 2)


class FinalLayer(nn.Module):
    def __init__(self, dim: int, height: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, height * channels)
        self.scale_shift_table = nn.Parameter(torch.randn(2, dim) / dim**0.5)
        self.height = height

    def forward(self, x: Tensor, embedded: Tensor) -> Tensor:
        shift, scale = (self.scale_shift_table + embedded[:, None]).chunk(2, dim=1)
        x = self.linear(rms_norm(x) * (1 + scale) + shift)
        return x.unflatten(-1, (self.height, -1)).permute(0, 3, 2, 1)


class TimestepEmbedder(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(256, dim)
        self.linear_2 = nn.Linear(dim, dim)

    def forward(self, timestep: Tensor) -> Tensor:
        rates = torch.exp(
            torch.arange(128, device=timestep.device).float() * (-math.log(10_000.0) / 128)
        )
        angles = timestep.float()[:, None] * rates
        sinusoid = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.linear_2(F.silu(self.linear_1(sinusoid)))


class Transformer(nn.Module):
    """Velocity of noisy latents (batch, 8, 16, frames), given the states of a prompt.

    The lyric encoder is not here: Sketch never attends to lyrics (see `export`).
    """

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.config = config
        dim = config["num_attention_heads"] * config["attention_head_dim"]
        height = config["patch_size"][0]
        self.proj_in = PatchEmbedding(config["in_channels"], height, dim)
        self.timestep_embedder = TimestepEmbedder(dim)
        self.t_block = nn.Sequential(nn.SiLU(), nn.Linear(dim, 6 * dim))
        self.speaker_embedder = nn.Linear(config["speaker_embedding_dim"], dim)
        self.genre_embedder = nn.Linear(config["text_embedding_dim"], dim)
        hidden = int(dim * config["mlp_ratio"])
        self.transformer_blocks = nn.ModuleList(
            Block(dim, config["num_attention_heads"], hidden) for _ in range(config["num_layers"])
        )
        self.final_layer = FinalLayer(dim, height, config["out_channels"])
        nn.init.zeros_(self.final_layer.linear.weight)
        nn.init.zeros_(self.final_layer.linear.bias)

    def forward(
        self, latents: Tensor, timestep: Tensor, text_states: Tensor, text_mask: Tensor
    ) -> Tensor:
        """timestep (batch,) = sigma * 1000; text_mask bool (batch, tokens)."""
        config = self.config
        batch, device = latents.shape[0], latents.device
        nobody = torch.zeros(batch, config["speaker_embedding_dim"], device=device)
        speaker = self.speaker_embedder(nobody)[:, None]
        states = torch.cat([speaker, self.genre_embedder(text_states)], dim=1)
        mask = torch.cat([text_mask.new_ones(batch, 1), text_mask], dim=1)
        embedded = self.timestep_embedder(timestep)
        modulation = self.t_block(embedded).unflatten(-1, (6, -1))
        x = self.proj_in(latents)
        dim, theta = config["attention_head_dim"], config["rope_theta"]
        rope = rotary_tables(x.shape[1], dim, theta, device)
        key_rope = rotary_tables(states.shape[1], dim, theta, device)
        for block in self.transformer_blocks:
            x = block(x, modulation, states, mask, rope, key_rope)
        return self.final_layer(x, embedded)
