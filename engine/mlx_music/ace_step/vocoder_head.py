"""The HiFi-GAN head of the vocoder: features to a waveform (Kong et al., arXiv 2010.05646).

`Head` holds the weights as the checkpoint names them; `ReadyHead` computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step import vocoder_kernel
from mlx_music.ace_step.accelerated import agree
from mlx_music.ace_step.activations import Joined, joined, on_cpu
from mlx_music.ace_step.convolution import TimeConv, Upsampling
from mlx_music.ace_step.made_for import MadeFor
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.vocoder_kernel import Pair

if TYPE_CHECKING:
    from mlx_music.ace_step.vocoder import VocoderConfig


#: Samples of noise on which a kernel proves itself.
_NOISE_SAMPLES = 700


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
        self._made: tuple[MadeFor, ReadyHead] | None = None

    def ready(self) -> ReadyHead:
        """The head with its kernels laid out for the device: make it once for a song.

        A GPU keeps it, which takes little; on a CPU it is a copy of all weights.
        """
        if on_cpu():
            return self._lay_out()
        now = MadeFor.now(self)
        if self._made is None or not self._made[0].is_still(now):
            self._made = now, self._lay_out()
        return self._made[1]

    def _lay_out(self) -> ReadyHead:
        n, act = self._per_level, joined(self.conv_pre.weight.dtype)
        levels = [
            _Level.of(up, self.resblocks[n * place : n * (place + 1)], act)
            for place, up in enumerate(self.ups)
        ]
        return ReadyHead(self.conv_pre.ready(), levels, self.conv_post.ready(), act)

    def __call__(self, features: mx.array) -> mx.array:
        return self.ready()(features)


@dataclass(frozen=True)
class _Pair:
    """A dilated and a plain convolution as two functions.

    inner: from the SiLU of x to the SiLU between the convolutions. outer: from x, that, and (of the
    last pair) the sum of the blocks before or None, to the next x and its SiLU; of the last pair to
    the sum with this block, or to the SiLU of the blocks' mean from the last block of a level.
    """

    inner: Callable[[mx.array], mx.array]
    outer: Callable[..., Any]

    @classmethod
    def of(
        cls,
        dilated: tuple[TimeConv, mx.array],
        plain: tuple[TimeConv, mx.array],
        act: Joined,
        last: bool,
        mean_of: int | None,
    ) -> _Pair:
        (conv1, bias1), (conv2, bias2) = dilated, plain
        if not on_cpu():  # a weight that is not there yet would be made anew in each compiled call
            mx.eval(conv1.weight, bias1, conv2.weight, bias2)

        def inner(x: mx.array) -> mx.array:
            return act.inner(conv1.loose(x), bias1).reshape(x.shape)

        def between(x: mx.array, inner: mx.array) -> tuple[mx.array, mx.array]:
            return act.add(x, conv2(inner), bias2)

        def at_the_end(x: mx.array, inner: mx.array, total: mx.array | None) -> mx.array:
            y = conv2(inner)
            if mean_of is not None:
                others = mx.array(0.0) if total is None else total
                return act.mean(x, y, bias2, others, mx.array(float(mean_of)))
            return act.plus(x, y, bias2) if total is None else act.total(x, y, bias2, total)

        return cls(inner, at_the_end if last else between)

    def compiled(self) -> _Pair:
        """The same for a GPU, so that the host, which must name every kernel, is not what it
        waits for."""
        return _Pair(mx.compile(self.inner), mx.compile(self.outer))


@dataclass(frozen=True)
class _Block:
    """A ResBlock in MLX's operations, from x, its SiLU and the sum of the blocks before or None."""

    pairs: list[_Pair]

    @classmethod
    def of(cls, block: ResBlock, act: Joined, mean_of: int | None) -> _Block:
        """mean_of: of how many blocks in a level it is the last."""
        layers = zip(block.convs1, block.convs2, strict=True)
        pairs = [
            _Pair.of(dilated.ready(), plain.ready(), act, number == len(block.convs1), mean_of)
            for number, (dilated, plain) in enumerate(layers, 1)
        ]
        return cls(pairs)

    def compiled(self) -> _Block:
        return _Block([pair.compiled() for pair in self.pairs])

    def __call__(
        self, x: mx.array, act: mx.array, total: mx.array | None, pace: Pace | None
    ) -> mx.array:
        *pairs, last = self.pairs
        for pair in pairs:
            act = _paced(pace, pair.inner(act))
            x, act = _paced(pace, *pair.outer(x, act))
        act = _paced(pace, last.inner(act))
        return _paced(pace, last.outer(x, act, total))


def _paced(pace: Pace | None, *arrays: mx.array) -> Any:
    """The arrays, computed at a `pace` if there is one; if it is one array, that."""
    if pace is not None:
        pace(*arrays)
    return arrays if len(arrays) > 1 else arrays[0]


@dataclass(frozen=True)
class _NarrowBlock:
    """A ResBlock of few channels by a kernel that does a pair at a time.

    seen: what the kernel is made for, see `vocoder_kernel.residual`. It activates x by itself.
    """

    pairs: list[Pair]
    seen: int
    mean_of: int | None

    @classmethod
    def level(cls, blocks: list[ResBlock]) -> list[_NarrowBlock] | None:
        """The blocks of a level, if there is a kernel for them."""
        weights = [conv.weight for block in blocks for conv in (*block.convs1, *block.convs2)]
        if not vocoder_kernel.fits(weights[0], max(weight.shape[1] for weight in weights)):
            return None
        pairs = [
            [
                Pair.of(
                    *(dilated.weight, dilated.bias, plain.weight, plain.bias),
                    dilation=dilated.dilation,
                )
                for dilated, plain in zip(block.convs1, block.convs2, strict=True)
            ]
            for block in blocks
        ]
        seen = max(pair.seen for pair in chain(*pairs))
        if not vocoder_kernel.rows_at_once(pairs[0][0].channels, seen):
            return None
        last = len(blocks) - 1
        return [
            cls(own, seen, len(blocks) if place == last else None)
            for place, own in enumerate(pairs)
        ]

    def __call__(
        self, x: mx.array, _: mx.array, total: mx.array | None, pace: Pace | None
    ) -> mx.array:
        *pairs, last = self.pairs
        for pair in pairs:
            x = _paced(pace, vocoder_kernel.residual(x, pair, self.seen))
        return _paced(pace, vocoder_kernel.residual(x, last, self.seen, total, self.mean_of))


@dataclass(frozen=True)
class _Level:
    """An upsampling and the blocks behind it, whose mean is activated for the next one.

    narrow: whether the blocks are `_NarrowBlock`s.
    """

    up: tuple[Upsampling, mx.array]
    blocks: Sequence[Callable[..., mx.array]]
    act: Joined
    narrow: bool = False

    @classmethod
    def of(cls, up: Upsample, blocks: list[ResBlock], act: Joined) -> _Level:
        last = len(blocks) - 1
        plain = [
            _Block.of(block, act, len(blocks) if place == last else None)
            for place, block in enumerate(blocks)
        ]
        level = cls(up.ready(), plain, act)
        if on_cpu():
            return level
        narrow = _NarrowBlock.level(blocks)
        if narrow is not None:
            other = replace(level, blocks=narrow, narrow=True)
            if other._agrees_with(level, blocks[0].convs1[0].weight.shape[0]):
                return other
        return replace(level, blocks=[block.compiled() for block in plain])

    def _agrees_with(self, plain: _Level, channels: int) -> bool:
        """Whether the kernel makes the same of noise, stereo and a few of its pieces long."""
        noise = mx.random.normal((2, _NOISE_SAMPLES, channels), key=mx.random.key(0))

        def narrow_residuals(x: mx.array) -> mx.array:
            return plain.averaged(x, self.act.inner(x, mx.array(0.0)))

        return bool(agree(lambda x: self.averaged(x, x), narrow_residuals, (noise,), {}))

    def __call__(self, inner: mx.array, pace: Pace | None) -> mx.array:
        up, bias = self.up
        if self.narrow:
            x = inner = self.act.whole(up(inner), bias)
        else:
            x, inner = self.act.start(up(inner), bias)
        return self.averaged(x, inner, pace)

    def averaged(self, x: mx.array, inner: mx.array, pace: Pace | None = None) -> mx.array:
        """The SiLU of the blocks' mean, from x and its SiLU."""
        total = None
        for block in self.blocks:
            total = block(x, inner, total, pace)
        assert total is not None, "a level has blocks"
        return total


@dataclass(frozen=True)
class ReadyHead:
    """What `Head` computes. Convolutions work in the weights' dtype, sums are float32."""

    conv_pre: tuple[TimeConv, mx.array]
    levels: list[_Level]
    conv_post: tuple[TimeConv, mx.array]
    act: Joined

    def __call__(self, features: mx.array, pace: Pace | None = None) -> mx.array:
        """All at once, or some layers at a time at a `pace`."""
        pre, bias = self.conv_pre
        act = self.act.inner(pre(features.astype(pre.weight.dtype)), bias)
        for level in self.levels:
            act = level(act, pace)
        post, bias = self.conv_post
        return mx.tanh(post(act).astype(mx.float32) + bias).squeeze(-1)


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
