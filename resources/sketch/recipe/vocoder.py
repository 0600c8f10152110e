"""The vocoder in PyTorch, with the names of the published checkpoint.

It exists to be trained: `mlx_music.ace_step` has it for use, and a test holds the two against
each other. Arrays are (batch, time, channels), and convolutions are written as products and as
sums, which take a fraction of the time of PyTorch's for so few channels, backwards above all.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resources.sketch.recipe.spectrograms import HOP, SAMPLE_RATE

#: MIDI numbers of the notes that the renderer plays, but for very few above.
_PITCHES = range(36, 87)


class Conv(nn.Conv1d):
    """A convolution that keeps the length, as one product with shifted copies."""

    def forward(self, x: Tensor) -> Tensor:
        (taps,), (dilation,) = self.kernel_size, self.dilation
        reach, length = dilation * (taps // 2), x.shape[1]
        padded = F.pad(x, (0, 0, reach, reach))
        copies = [padded[:, k * dilation : k * dilation + length] for k in range(taps)]
        return F.linear(torch.cat(copies, dim=-1), self.weight.mT.flatten(1), self.bias)


class DepthwiseConv(nn.Conv1d):
    """Each channel by itself with a long kernel, as a product of spectra; float32."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__(channels, channels, taps, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        taps, length = self.kernel_size[0], x.shape[1]
        size = 1 << (length + taps - 2).bit_length()
        kernel = torch.fft.rfft(self.weight.float().squeeze(1).flip(-1), size).mT
        y = torch.fft.irfft(torch.fft.rfft(x.float(), size, dim=1) * kernel, size, dim=1)
        return y[:, taps // 2 : taps // 2 + length] + self.bias

    @torch.no_grad()
    def begin_as_phases(self) -> None:
        """Let every kernel say which phase a note of one pitch has, so long after its onset.

        Two channels a pitch, a quarter of a wave apart. Found by chance, a frequency would have to
        be right to a part in a thousand before it helped.
        """
        taps = self.kernel_size[0]
        after = (taps // 2 - torch.arange(taps)).float()
        for channel in range(self.out_channels):
            pitch = _PITCHES[channel // 2 % len(_PITCHES)]
            turns = 440.0 * 2.0 ** ((pitch - 69) / 12) * HOP / SAMPLE_RATE
            wave = torch.cos(2 * math.pi * (turns * after + 0.25 * (channel % 2)))
            self.weight[channel, 0] = wave * (after >= 0) * (4 / taps) ** 0.5


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.dwconv = DepthwiseConv(channels, kernel)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x))
        return x + self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))


class Stem(nn.Conv1d):
    """The first convolution, which sees the outermost frames again beyond the ends."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mT).mT


class Backbone(nn.Module):
    """Log-mels (batch, frames, n_mels) to features (batch, frames, dims[-1])."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        dims, kernel = config["dims"], config["kernel_sizes"][0]
        stem = Stem(config["input_channels"], dims[0], 7, padding=3, padding_mode="replicate")
        norm = nn.LayerNorm(dims[0], eps=1e-6)
        self.channel_layers = nn.ModuleList([nn.Sequential(stem, norm)])
        for narrow, wide in pairwise(dims):
            step = nn.Sequential(nn.LayerNorm(narrow, eps=1e-6), Conv(narrow, wide, 1))
            self.channel_layers.append(step)
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvNeXtBlock(width, kernel) for _ in range(depth)))
            for width, depth in zip(dims, config["depths"], strict=True)
        )
        self.norm = nn.LayerNorm(dims[-1], eps=1e-6)
        # The first stage finds onsets, the others count from them.
        for stage in self.stages[1:]:
            for block in stage:
                block.dwconv.begin_as_phases()

    def forward(self, x: Tensor) -> Tensor:
        for layers, blocks in zip(self.channel_layers, self.stages, strict=True):
            x = blocks(layers(x))
        return self.norm(x)


class Upsampling(nn.ConvTranspose1d):
    """A transposed convolution whose kernels are two strides long: one product, then each half of
    what became of a frame is added to its neighbour's other half."""

    def __init__(self, inputs: int, outputs: int, rate: int) -> None:
        super().__init__(inputs, outputs, 2 * rate, rate, padding=rate // 2)

    def forward(self, x: Tensor) -> Tensor:
        rate, length = self.stride[0], x.shape[1]
        made = F.linear(x, self.weight.permute(2, 1, 0).flatten(0, 1))
        first, second = made.unflatten(-1, (2, -1)).unbind(2)
        added = F.pad(first, (0, 0, 0, 1)) + F.pad(second, (0, 0, 1, 0))
        y = added.unflatten(-1, (rate, -1)).flatten(1, 2)
        return y[:, rate // 2 : rate // 2 + length * rate] + self.bias.to(y.dtype)


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: list[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            Conv(channels, channels, kernel, dilation=dilation) for dilation in dilations
        )
        self.convs2 = nn.ModuleList(Conv(channels, channels, kernel) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.silu(dilated(F.silu(x))))
        return x


class Head(nn.Module):
    """Features (batch, frames, num_mels) to waveforms (batch, frames * hop_length)."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width = config["upsample_initial_channel"]
        self.conv_pre = Conv(config["num_mels"], width, config["pre_conv_kernel_size"])
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        (kernel,), (dilations,) = config["resblock_kernel_sizes"], config["resblock_dilation_sizes"]
        ups = zip(config["upsample_rates"], config["upsample_kernel_sizes"], strict=True)
        for rate, size in ups:
            if size != 2 * rate:
                raise ValueError(f"upsampling by {rate} wants a kernel of {2 * rate}, not {size}")
            self.ups.append(Upsampling(width, width // 2, rate))
            width //= 2
            self.resblocks.append(ResBlock(width, kernel, dilations))
        self.conv_post = Conv(width, 1, config["post_conv_kernel_size"])

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_pre(x)
        for up, block in zip(self.ups, self.resblocks, strict=True):
            x = block(up(F.silu(x)))
        return torch.tanh(self.conv_post(F.silu(x)).float()).squeeze(2)


class Vocoder(nn.Module):
    """Log-mels (batch, n_mels, frames) to waveforms (batch, frames * hop_length)."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.backbone = Backbone(config)
        self.head = Head(config)

    def forward(self, mel: Tensor) -> Tensor:
        return self.head(self.backbone(mel.mT))
