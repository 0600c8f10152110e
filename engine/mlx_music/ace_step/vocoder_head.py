"""The HiFi-GAN head of the vocoder: features to a waveform (Kong et al., arXiv 2010.05646).

`Head` holds the weights as the checkpoint names them; `ReadyHead` computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import TYPE_CHECKING

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_music.ace_step.activations import Joined, joined, on_cpu
from mlx_music.ace_step.convolution import TimeConv, Upsampling
from mlx_music.ace_step.tiling import Pace

if TYPE_CHECKING:
    from mlx_music.ace_step.vocoder import VocoderConfig


class SameConv1d(nn.Module):
    """A convolution that keeps the length, zero-padded."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        scale = math.sqrt(1 / (in_channels * kernel))
        self.weight = mx.random.uniform(-scale, scale, (out_channels, kernel, in_channels))
        self.bias = mx.zeros((out_channels,))
        self.dilation = dilation

    def ready(self) -> tuple[TimeConv, mx.array]:
        """The convolution without its bias, and that, in float32."""
        return TimeConv.of(self.weight, self.dilation), self.bias.astype(mx.float32)


class Upsample(nn.Module):
    """A transposed convolution that makes `rate` outputs of each input."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, rate: int) -> None:
        super().__init__()
        scale = math.sqrt(1 / (in_channels * kernel))
        self.weight = mx.random.uniform(-scale, scale, (out_channels, kernel, in_channels))
        self.bias = mx.zeros((out_channels,))
        self.rate = rate

    def ready(self) -> tuple[Upsampling, mx.array]:
        """The convolution without its bias, and that, in float32."""
        return Upsampling.of(self.weight, self.rate), self.bias.astype(mx.float32)


class ResBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair around a residual."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = [SameConv1d(channels, channels, kernel, dilation) for dilation in dilations]
        self.convs2 = [SameConv1d(channels, channels, kernel) for _ in dilations]


class Head(nn.Module):
    """HiFi-GAN: (batch, frames, num_mels) to a waveform (batch, frames * hop_length), float32."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        widest = config.upsample_initial_channel
        residuals = list(
            zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
        )
        ups = list(zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True))
        widths = [widest // 2**level for level in range(len(ups) + 1)]
        self.conv_pre = SameConv1d(config.num_mels, widest, config.pre_conv_kernel_size)
        self.ups = [
            Upsample(wide, narrow, kernel, rate)
            for (wide, narrow), (rate, kernel) in zip(pairwise(widths), ups, strict=True)
        ]
        # One flat list, level after level, as the checkpoint numbers them.
        self.resblocks = [ResBlock(width, *each) for width in widths[1:] for each in residuals]
        self.conv_post = SameConv1d(widths[-1], 1, config.post_conv_kernel_size)
        self._per_level = len(residuals)
        self.reach = _head_reach(config)
        #: Windows that are multiples of it divide into the phases of every dilation.
        self.period = math.lcm(*chain(*config.resblock_dilation_sizes))
        self._made: _Made | None = None

    def ready(self) -> ReadyHead:
        """The head with its kernels laid out for the device: make it once for a song.

        A GPU keeps it, which takes little; on a CPU it is a copy of all weights.
        """
        if on_cpu():
            return self._lay_out()
        weights = list(dict(tree_flatten(self.parameters())).values())
        if self._made is None or any(
            new is not old for new, old in zip(weights, self._made.weights, strict=True)
        ):
            self._made = _Made(weights, self._lay_out())
        return self._made.head

    def _lay_out(self) -> ReadyHead:
        n, act = self._per_level, joined(self.conv_pre.weight.dtype)
        blocks = []
        for number, block in enumerate(self.resblocks, 1):
            pairs = [
                (dilated.ready(), plain.ready())
                for dilated, plain in zip(block.convs1, block.convs2, strict=True)
            ]
            blocks.append(_residual(pairs, act, None if number % n else n))
        return ReadyHead(
            self.conv_pre.ready(),
            [up.ready() for up in self.ups],
            [blocks[first : first + n] for first in range(0, len(blocks), n)],
            self.conv_post.ready(),
            act,
        )

    def __call__(self, features: mx.array) -> mx.array:
        return self.ready()(features)


#: The pairs of a ResBlock, each two convolutions with their biases.
_Pairs = list[tuple[tuple[TimeConv, mx.array], tuple[TimeConv, mx.array]]]

#: A ResBlock as it computes: from x, the SiLU of x, and the sum of the blocks before it, the sum
#: with it; the last of a level gives the SiLU of the blocks' mean.
_Residual = Callable[[mx.array, mx.array, mx.array], mx.array]


def _residual(pairs: _Pairs, act: Joined, mean_of: int | None) -> _Residual:
    """The ResBlock of `pairs`; mean_of: how many blocks the level has that it is the last of.

    A GPU is given it as one compiled function, so that the host, which must name every kernel of
    it, is not what it waits for.
    """

    def block(x: mx.array, inner: mx.array, total: mx.array) -> mx.array:
        shape, y = x.shape, x
        for place, ((dilated, bias1), (plain, bias2)) in enumerate(pairs, 1):
            inner = act.inner(dilated.loose(inner), bias1).reshape(shape)
            if place < len(pairs):
                y, inner = act.add(y, plain(inner), bias2)
        if mean_of is None:
            return act.total(y, plain(inner), bias2, total)
        return act.mean(y, plain(inner), bias2, total, mx.array(float(mean_of)))

    if on_cpu():
        return block
    # A weight that is not there yet would be made anew in each call.
    mx.eval([(conv.weight, bias) for pair in pairs for conv, bias in pair])
    return mx.compile(block)


@dataclass(frozen=True)
class ReadyHead:
    """What `Head` computes. Convolutions work in the weights' dtype, sums are float32."""

    conv_pre: tuple[TimeConv, mx.array]
    ups: list[tuple[Upsampling, mx.array]]
    levels: list[list[_Residual]]
    conv_post: tuple[TimeConv, mx.array]
    act: Joined

    def __call__(self, features: mx.array, pace: Pace | None = None) -> mx.array:
        """All at once, or a block at a time at a `pace`."""
        pre, bias = self.conv_pre
        act = self.act.inner(pre(features.astype(pre.weight.dtype)), bias)
        for (up, bias), blocks in zip(self.ups, self.levels, strict=True):
            x, act = self.act.start(up(act), bias)
            total = mx.array(0.0)
            for block in blocks:
                total = block(x, act, total)
                if pace is not None:
                    pace(total)
            act = total
        post, bias = self.conv_post
        return mx.tanh(post(act).astype(mx.float32) + bias).squeeze(-1)


@dataclass(frozen=True)
class _Made:
    weights: list[mx.array]
    head: ReadyHead


def _head_reach(config: VocoderConfig) -> int:
    """Frames of the features that one sample of the waveform sees on each side."""
    widest_block = max(
        kernel // 2 * (sum(dilations) + len(dilations))
        for kernel, dilations in zip(
            config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True
        )
    )
    spoilt = config.pre_conv_kernel_size // 2
    for rate, kernel in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
        spoilt = spoilt * rate + (kernel - rate) // 2 + widest_block
    return -(-(spoilt + config.post_conv_kernel_size // 2) // config.hop_length)
