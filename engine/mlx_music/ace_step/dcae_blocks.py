"""The building blocks of the deep-compression autoencoder (`dcae`).

Residual blocks with resampling between levels, from Chen et al., "Deep Compression Autoencoder
for Efficient High-Resolution Diffusion Models" (arXiv 2410.10733), and EfficientViT blocks, from
Cai et al., "EfficientViT: Multi-Scale Linear Attention" (arXiv 2205.14756). All take and give
(batch, height, time, channels).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.accelerated import add_norm
from mlx_music.ace_step.activations import add_and_relu, gated, joined, silu
from mlx_music.ace_step.convolution import Doubling, conv2d, linear, product
from mlx_music.ace_step.operations import SOUND_NORM_EPS
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.tiling import Tile, tiles

TIME = 2  # the axis of (batch, height, time, channels) that tiles cut

_ATTENTION_EPS = 1e-15
_GLU_EXPANSION = 4

#: Tiles that attention, whose activations are a quarter as wide, works on at once, and the time
#: steps that this may come to: its small kernels would leave a GPU waiting for the host.
_ATTENTION_TILES, _MOST_ATTENDED = 2, 144


class RMSNorm(nn.Module):
    """RMS norm over channels, with a bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = mx.ones((channels,))
        self.bias = mx.zeros((channels,))

    def relu(self, x: mx.array) -> mx.array:
        """The ReLU of the norm of x."""
        return add_and_relu(mx.fast.rms_norm(x, self.weight, SOUND_NORM_EPS), self.bias)

    def add_to(self, x: mx.array, y: mx.array) -> mx.array:
        """x + the norm of y."""
        return add_norm(x, y, self.weight, self.bias)


def conv3x3(in_channels: int, out_channels: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=bias)


class ResBlock(nn.Module):
    """Its convolutions may be of a lower precision than what they are added to (`convolve_in`)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels, bias=False)
        self.norm = RMSNorm(channels)

    def __call__(self, x: mx.array, pace: Pace | None = None) -> mx.array:
        act = joined(self.conv1.weight.dtype)
        y = act.inner(conv2d(act.take(x), self.conv1.weight), self.conv1.bias)
        if pace is not None:
            pace(y)
        return self.norm.add_to(x, conv2d(y, self.conv2.weight))

    def convolve_in(self, dtype: mx.Dtype) -> None:
        """Let the convolutions work in `dtype`, but not what lies around them."""
        self.conv1.weight = self.conv1.weight.astype(dtype)
        self.conv2.weight = self.conv2.weight.astype(dtype)

    @staticmethod
    def spread(spoilt: int) -> int:
        """How many positions from a cut are wrong after, if `spoilt` are wrong before."""
        return spoilt + 2


class DownBlock(nn.Module):
    """Half the resolution; the shortcut averages groups of a space-to-depth."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(in_channels, out_channels, stride=2)

    def __call__(self, x: mx.array) -> mx.array:
        down = self.conv(x)
        batch, height, width, channels = x.shape
        groups = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
        groups = groups.transpose(0, 1, 3, 5, 2, 4).reshape(*down.shape, -1)
        return down + groups.mean(axis=-1)

    @staticmethod
    def spread(spoilt: int) -> int:
        return spoilt // 2 + 1


class UpBlock(nn.Module):
    """Twice the resolution; the shortcut is a depth-to-space of repeated channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = conv3x3(in_channels, out_channels)
        self.repeats = 4 * out_channels // in_channels
        self._doubling: Doubling | None = None

    def __call__(self, x: mx.array) -> mx.array:
        if self._doubling is None or self._doubling.source is not self.conv.weight:
            self._doubling = Doubling.of(self.conv.weight)
        act = joined(self.conv.weight.dtype)
        up = self._doubling(act.take(x))
        batch, height, width, _ = x.shape
        up = act.plus(self._repeated(x), up, self.conv.bias)
        return up.reshape(batch, 2 * height, 2 * width, -1).astype(x.dtype)

    def _repeated(self, x: mx.array) -> mx.array:
        """The shortcut, (batch, height, 2, width, 2, out_channels). Repeats are the innermost of
        what becomes space, so where they fill an axis of it none is written."""
        batch, height, width, _ = x.shape
        free = math.gcd(self.repeats, 4)
        x = mx.repeat(x, self.repeats // free, axis=-1)
        rows, columns = 2 if free < 4 else 1, 2 if free < 2 else 1
        depth = x.reshape(batch, height, width, -1, rows, columns).transpose(0, 1, 4, 2, 5, 3)
        return mx.broadcast_to(depth, (batch, height, 2, width, 2, depth.shape[-1]))

    def convolve_in(self, dtype: mx.Dtype) -> None:
        """As `ResBlock.convolve_in`."""
        self.conv.weight = self.conv.weight.astype(dtype)

    @staticmethod
    def spread(spoilt: int) -> int:
        return 2 * spoilt + 1


class HeadLinear(nn.Module):
    """The weight of a 1x1 convolution whose groups are the heads, each with its square matrix."""

    def __init__(self, channels: int, head_dim: int) -> None:
        super().__init__()
        scale = head_dim**-0.5
        self.weight = mx.random.uniform(-scale, scale, (channels, head_dim))


def _by_heads(x: mx.array, weight: mx.array) -> mx.array:
    """x (..., channels) by the square matrix of each head; `weight` (channels, head_dim)."""
    head_dim = weight.shape[1]
    heads = x.reshape(-1, x.shape[-1] // head_dim, head_dim).transpose(1, 0, 2)
    matrices = weight.reshape(-1, head_dim, head_dim).transpose(0, 2, 1)
    return (heads @ matrices).transpose(1, 0, 2).reshape(x.shape)


#: Of every three `head_dim` channels of the joined projections.
_QUERIES, _KEYS_VALUES, _ALL = slice(0, 1), slice(1, 3), slice(0, 3)


def _thirds(x: mx.array, head_dim: int, which: slice) -> mx.array:
    """Of x (channels of queries, keys and values in turn, ...) those of some, each by itself."""
    x = x.reshape(-1, 3, head_dim, *x.shape[1:])[:, which]
    return mx.flatten(x.swapaxes(0, 1), 0, 2)


def _sums(keys: mx.array, values: mx.array) -> list[mx.array]:
    return [keys.swapaxes(-1, -2) @ values, keys.sum(axis=-2, keepdims=True)]


class MultiscaleProjection(nn.Module):
    """The weights of queries, keys and values that have seen their neighbourhood."""

    def __init__(self, channels: int, kernel: int, head_dim: int) -> None:
        super().__init__()
        self.proj_in = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False
        )
        self.proj_out = HeadLinear(channels, head_dim)


class LinearAttention(nn.Module):
    """ReLU linear attention over all positions; each scale adds as many heads again.

    The sums over keys are small matrices, so they are gathered tile by tile in a first pass, over
    keys and values, and read in a second, over queries. (diffusers takes the quadratic form where
    there are fewer positions than head dimensions: the same function.)
    """

    def __init__(self, channels: int, head_dim: int, scales: tuple[int, ...]) -> None:
        super().__init__()
        inner = channels // head_dim * head_dim
        self.head_dim = head_dim
        self.reach = max((kernel // 2 for kernel in scales), default=0)
        self.to_q = nn.Linear(channels, inner, bias=False)
        self.to_k = nn.Linear(channels, inner, bias=False)
        self.to_v = nn.Linear(channels, inner, bias=False)
        self.to_qkv_multiscale = [
            MultiscaleProjection(3 * inner, kernel, head_dim) for kernel in scales
        ]
        self.to_out = nn.Linear(inner * (1 + len(scales)), channels, bias=False)
        self.norm_out = RMSNorm(channels)

    def __call__(self, x: mx.array, tile: int | None = None) -> mx.array:
        parts = list(tiles(x.shape[TIME], tile, self.reach))
        if len(parts) == 1:
            queries, keys, values = self._projection(_ALL)(x, parts[0])
            return self._read(queries, _sums(keys, values), x)
        sums: list[mx.array] = []
        project, pace = self._projection(_KEYS_VALUES), Pace()
        for part in parts:
            found = _sums(*project(x, part))
            sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
            pace(*sums)
        attended, project = [], self._projection(_QUERIES)
        for part in parts:
            (queries,) = project(x, part)
            attended.append(self._read(queries, sums, part.wanted(x, TIME)))
            pace(attended[-1])
        return mx.concatenate(attended, axis=TIME)

    def _projection(self, which: slice) -> Callable[[mx.array, Tile], list[mx.array]]:
        """What makes those that are asked for of queries, keys and values, of a tile: each float32
        (batch, heads, positions, dim), queries and keys not negative.

        The reference cuts heads from the joined q, k, v: threes of `head_dim`, in order. Every
        output channel is a matter of its own third, so the others need not be computed.
        """
        layers, dim = (self.to_q, self.to_k, self.to_v), self.head_dim
        plain = all(isinstance(layer, nn.Linear) for layer in layers)
        weight = None
        if plain:
            weight = _thirds(mx.concatenate([layer.weight for layer in layers]), dim, which)
        scales = [
            (_thirds(scale.proj_in.weight, dim, which), _thirds(scale.proj_out.weight, dim, which))
            for scale in self.to_qkv_multiscale
        ]

        def project(x: mx.array, part: Tile) -> list[mx.array]:
            x = part.take(x, TIME)
            if weight is not None:
                near = product(x, weight)
            else:
                near = mx.concatenate([linear(layer, x) for layer in layers], axis=-1)
                near = _thirds(near.transpose(3, 0, 1, 2), dim, which).transpose(1, 2, 3, 0)
            found = [near]
            for depthwise, matrices in scales:
                reach = depthwise.shape[1] // 2
                wide = mx.conv2d(near, depthwise, padding=reach, groups=depthwise.shape[0])
                found.append(_by_heads(wide, matrices))
            count = len(range(3)[which])
            thirds = [part.trim(mx.unflatten(y, -1, (count, -1)), TIME) for y in found]
            heads = mx.concatenate(thirds, axis=-1).astype(mx.float32)
            heads = heads.reshape(x.shape[0], -1, count, heads.shape[-1] // dim, dim)
            made = list(heads.transpose(2, 0, 3, 1, 4))
            return [
                y if number == 2 else nn.relu(y)
                for number, y in zip(range(3)[which], made, strict=True)
            ]

        return project

    def _read(self, queries: mx.array, sums: list[mx.array], x: mx.array) -> mx.array:
        """What the queries find, added to `x`, where they are from."""
        products, weights = sums
        weight = (queries * weights).sum(axis=-1, keepdims=True) + _ATTENTION_EPS
        attended = ((queries @ products) / weight).swapaxes(1, 2)
        joined_heads = attended.reshape(*x.shape[:-1], -1).astype(x.dtype)
        return self.norm_out.add_to(x, linear(self.to_out, joined_heads))


class GLUMBConv(nn.Module):
    """Gated feed-forward with a depthwise 3x3 in its wide middle, tile by tile."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels * _GLU_EXPANSION
        self.conv_inverted = nn.Linear(channels, 2 * hidden)
        self.conv_depth = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden)
        self.conv_point = nn.Linear(hidden, channels, bias=False)
        self.norm = RMSNorm(channels)

    def __call__(self, x: mx.array, tile: int | None = None) -> mx.array:
        parts, pace = [], None if tile is None else Pace()
        for part in tiles(x.shape[TIME], tile, halo=1):
            parts.append(part.trim(self._whole(part.take(x, TIME), pace), TIME))
            if pace is not None:
                pace(parts[-1])
        return mx.concatenate(parts, axis=TIME)

    def _whole(self, x: mx.array, pace: Pace | None) -> mx.array:
        wide = silu(linear(self.conv_inverted, x))
        if pace is not None:
            pace(wide)
        wide = mx.conv2d(wide, self.conv_depth.weight, padding=1, groups=wide.shape[-1])
        hidden, gate = mx.split(wide, 2, axis=-1)
        bias, gate_bias = mx.split(self.conv_depth.bias, 2)
        hidden = gated(hidden, bias, gate, gate_bias)
        return self.norm.add_to(x, linear(self.conv_point, hidden))


class EfficientViTBlock(nn.Module):
    def __init__(self, channels: int, head_dim: int, scales: tuple[int, ...]) -> None:
        super().__init__()
        self.attn = LinearAttention(channels, head_dim, scales)
        self.conv_out = GLUMBConv(channels)

    def layers(self, tile: int | None = None) -> list[Callable[[mx.array], mx.array]]:
        """Its two halves, over the whole of x, holding the wide activations of `tile` time steps at
        once. Whoever calls them one by one need not keep what the first one was given."""
        wide = None if tile is None else min(_ATTENTION_TILES * tile, _MOST_ATTENDED)
        return [lambda x: self.attn(x, wide), lambda x: self.conv_out(x, tile)]

    def __call__(self, x: mx.array) -> mx.array:
        for layer in self.layers():
            x = layer(x)
        return x
