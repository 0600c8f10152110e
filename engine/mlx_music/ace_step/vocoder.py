"""The vocoder between log-mel spectrograms and waveforms: a ConvNeXt backbone, a HiFi-GAN head.

ConvNeXt: Liu et al., arXiv 2201.03545; HiFi-GAN: Kong et al., arXiv 2010.05646; joined as in the
reference's `music_vocoder.py`. One channel of audio is one item of the batch. Everything is a
convolution, so the song can be cut into chunks that give exactly what the whole gives (`tiling`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_music.ace_step.activations import gelu, on_cpu
from mlx_music.ace_step.convolution import linear
from mlx_music.ace_step.half_precision import bytes_saved, try_float16
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.tiling import Tile, middle, tiles
from mlx_music.ace_step.vocoder_head import Head
from mlx_music.audio.mel import MelConfig, hann_window, log_mel, mel_filterbank
from mlx_music.errors import CheckpointError
from mlx_music.weights.config import config_from_dict

#: Default chunk in mel frames: 15 s, a quarter of a minute. At the published size each activation
#: of the head then takes 45 MB for stereo in float32, and the overlap costs 6 % more work.
CHUNK_FRAMES = 1290

#: What float16 may change in a waveform, relative to its RMS (-55 dB). Of the built-in model's it
#: changes -67 dB, where the TF32 products that CUDA takes for float32 change -77.
_HALF_PRECISION_ERROR = 10 ** (-55 / 20)

#: What is no louder, RMS (-60 dB), is silence: relative to that alone, any error would be large.
_SILENCE = 1e-3

#: Frames of music, 2.8 s, that decide on it: few, because until then it takes more memory.
TRIED_FRAMES = 240

_TIME = 1  # the axis of (batch, time, channels)
_NORM_EPS = 1e-6
_STEM_KERNEL = 7
#: A backbone that sees far works on several chunks at once, at least on so many times its reach, or
#: it would mostly work on what lies around them.
_REACHES = 6
#: From so many taps on, a depthwise kernel is cheaper as a product of spectra.
_LONG_KERNEL = 25
_MLP_RATIO = 4


@dataclass(frozen=True)
class VocoderConfig:
    """`music_vocoder/config.json`; lengths in samples, frequencies in Hz.

    The defaults are the published model's. Raises CheckpointError for what no ACE-Step model
    uses and this module cannot do.
    """

    input_channels: int = 128
    depths: tuple[int, ...] = (3, 3, 9, 3)
    dims: tuple[int, ...] = (128, 256, 384, 512)
    kernel_sizes: tuple[int, ...] = (7,)
    num_mels: int = 512
    upsample_initial_channel: int = 1024
    upsample_rates: tuple[int, ...] = (4, 4, 2, 2, 2, 2, 2)
    upsample_kernel_sizes: tuple[int, ...] = (8, 8, 4, 4, 4, 4, 4)
    resblock_kernel_sizes: tuple[int, ...] = (3, 7, 11, 13)
    resblock_dilation_sizes: tuple[tuple[int, ...], ...] = ((1, 3, 5),) * 4
    pre_conv_kernel_size: int = 13
    post_conv_kernel_size: int = 13
    use_template: bool = False
    sampling_rate: int = 44_100
    n_fft: int = 2048
    win_length: int = 2048
    hop_length: int = 512
    f_min: float = 40.0
    f_max: float = 16_000.0
    n_mels: int = 128

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> VocoderConfig:
        """From the parsed JSON; keys that say nothing about the network are ignored."""
        return config_from_dict(cls, data)

    @property
    def mel(self) -> MelConfig:
        return MelConfig(
            sample_rate=self.sampling_rate,
            n_fft=self.n_fft,
            hop_length=self.hop_length,
            n_mels=self.n_mels,
            f_min=self.f_min,
            f_max=self.f_max,
        )

    def __post_init__(self) -> None:
        ups = list(zip(self.upsample_rates, self.upsample_kernel_sizes, strict=False))
        blocks = len(self.resblock_kernel_sizes)
        checks = {
            "use_template": not self.use_template,
            "kernel_sizes": len(self.kernel_sizes) == 1 and _all_odd(self.kernel_sizes),
            "depths": len(self.depths) == len(self.dims) > 0,
            "num_mels": self.dims[-1:] == (self.num_mels,),
            "win_length": self.win_length == self.n_fft,
            "upsample_rates": len(self.upsample_rates) == len(self.upsample_kernel_sizes) > 0,
            "upsample_kernel_sizes": all(
                kernel >= rate and (kernel - rate) % 2 == 0 for rate, kernel in ups
            ),
            "upsample_initial_channel": self.upsample_initial_channel >= 2 ** len(ups),
            "hop_length": self.hop_length == math.prod(self.upsample_rates),
            "resblock_kernel_sizes": blocks > 0 and _all_odd(self.resblock_kernel_sizes),
            "resblock_dilation_sizes": len(self.resblock_dilation_sizes) == blocks,
            "pre_conv_kernel_size": _all_odd((self.pre_conv_kernel_size,)),
            "post_conv_kernel_size": _all_odd((self.post_conv_kernel_size,)),
        }
        for name, supported in checks.items():
            if not supported:
                value = getattr(self, name)
                raise CheckpointError(f"music_vocoder config: {name} {value!r} is not supported")


def _all_odd(sizes: tuple[int, ...]) -> bool:
    return all(size % 2 == 1 for size in sizes)


class DepthwiseConv(nn.Conv1d):
    """Each channel by itself; (batch, frames, channels) to the same. Long kernels are applied as
    products of spectra, because backends unfold what they convolve, all taps of it."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__(channels, channels, taps, padding=taps // 2, groups=channels)

    def __call__(self, x: mx.array) -> mx.array:
        taps, length = self.weight.shape[1], x.shape[_TIME]
        if taps < _LONG_KERNEL:
            return super().__call__(x)
        size = 1 << (length + taps - 2).bit_length()
        kernel = self.weight.squeeze(2).astype(mx.float32)[:, ::-1].T
        spectrum = mx.fft.rfft(x.astype(mx.float32), size, axis=_TIME)
        y = mx.fft.irfft(spectrum * mx.fft.rfft(kernel, size, axis=0), size, axis=_TIME)
        return y[:, taps // 2 : taps // 2 + length].astype(x.dtype) + self.bias


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.dwconv = DepthwiseConv(channels, kernel)
        self.norm = nn.LayerNorm(channels, _NORM_EPS)
        self.pwconv1 = nn.Linear(channels, _MLP_RATIO * channels)
        self.pwconv2 = nn.Linear(_MLP_RATIO * channels, channels)
        self.gamma = mx.full((channels,), 1e-6)

    def __call__(self, x: mx.array) -> mx.array:
        y = linear(self.pwconv1, self.norm(self.dwconv(x)))
        return x + self.gamma * linear(self.pwconv2, gelu(y))


class Backbone(nn.Module):
    """ConvNeXt over mel frames: (batch, frames, n_mels) to (batch, frames, dims[-1])."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        dims, (kernel,) = config.dims, config.kernel_sizes
        stem = [
            nn.Conv1d(config.input_channels, dims[0], _STEM_KERNEL),
            nn.LayerNorm(dims[0], _NORM_EPS),
        ]
        self.channel_layers = [stem] + [
            [nn.LayerNorm(narrow, _NORM_EPS), nn.Linear(narrow, wide)]
            for narrow, wide in pairwise(dims)
        ]
        self.stages = [
            [ConvNeXtBlock(width, kernel) for _ in range(depth)]
            for width, depth in zip(dims, config.depths, strict=True)
        ]
        self.norm = nn.LayerNorm(dims[-1], _NORM_EPS)
        #: Frames that one frame of the output sees on each side.
        self.reach = _STEM_KERNEL // 2 + sum(config.depths) * (kernel // 2)

    def __call__(self, mel: mx.array, pace: Pace | None = None) -> mx.array:
        """All at once, or a block at a time at a `pace`."""
        edge = _STEM_KERNEL // 2
        x = mx.pad(mel, [(0, 0), (edge, edge), (0, 0)], mode="edge")
        for layers, blocks in zip(self.channel_layers, self.stages, strict=True):
            for layer in chain(layers, blocks):
                x = layer(x)
                if pace is not None and isinstance(layer, ConvNeXtBlock):
                    pace(x)
        return self.norm(x)


class MelTransform(nn.Module):
    """The mel spectrogram the vocoder was trained with; its tables come from the checkpoint.

    There they are bfloat16, and the model has only heard through the rounded ones. Before
    loading they are exact. They are constants, so they are frozen.
    """

    def __init__(self, config: MelConfig) -> None:
        super().__init__()
        self.spectrogram = {"window": mx.array(hann_window(config.n_fft))}
        self.mel_scale = {"fb": mx.array(mel_filterbank(config))}
        self.hop_length = config.hop_length
        self.freeze()

    def __call__(self, audio: mx.array) -> mx.array:
        """Log-mel (channels, frames, n_mels), float32, of `audio` (channels, samples)."""
        return log_mel(audio, self.spectrogram["window"], self.mel_scale["fb"], self.hop_length)


class Vocoder(nn.Module):
    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.head = Head(config)
        self.mel_transform = MelTransform(config.mel)
        #: Whether the head may work in float16; None until music has decided it.
        self.half_precision: bool | None = None

    @property
    def dtype(self) -> mx.Dtype:
        """What the backbone works in; the head has its own, `head.set_dtype`."""
        return self.backbone.norm.weight.dtype

    @property
    def bytes_to_save(self) -> int:
        """What the head's weights may no longer take once music has decided on float16."""
        return bytes_saved([self.head]) if self._is_to_decide() else 0

    def _is_to_decide(self) -> bool:
        return self.half_precision is None and not on_cpu()

    def try_half_precision(self, features: mx.array, pace: Pace | None) -> bool:
        """Let the head's convolutions work in float16 for good, their sums in float32, if that
        changes nothing that is heard in what it makes of `features`; whether it does.

        features: (batch, frames, num_mels), of the backbone; pace: theirs, of whose making the end
        may still be under way. The first music decides (`half_precision`); silence, and what is no
        number, decides nothing.
        """

        def size(x: mx.array) -> float:
            return float(np.array(mx.linalg.norm(x)))

        fits = try_float16(
            [self.head],
            convert=lambda: self.head.set_dtype(mx.float16),
            make=lambda: self.head.ready()(features, pace),
            is_music=lambda wave: _SILENCE * math.sqrt(wave.size) < size(wave) < math.inf,
            is_heard=lambda wave, exact: (
                not size(wave - exact) <= _HALF_PRECISION_ERROR * size(exact)
            ),
        )
        if fits is not None:
            self.half_precision = fits
        return bool(fits)

    def decode(self, mel: mx.array) -> mx.array:
        """Waveforms (batch, frames * hop_length), float32, of log-mels (batch, frames, n_mels)."""
        return self.head(self.backbone(mel.astype(self.dtype)))

    def decode_chunked(self, mel: mx.array, chunk_frames: int = CHUNK_FRAMES) -> mx.array:
        """`decode` in chunks: equal within float error, but its memory does not grow."""
        return mx.concatenate(list(self.decode_chunks(mel, chunk_frames)), axis=_TIME)

    def chunks(self, frames: int, chunk_frames: int = CHUNK_FRAMES) -> list[Tile]:
        """How `decode_chunks` cuts a song of so many frames."""
        return list(tiles(frames, chunk_frames, self.head.reach, self.head.period))

    def decode_chunks(self, mel: mx.array, chunk_frames: int = CHUNK_FRAMES) -> Iterator[mx.array]:
        """Consecutive pieces of `decode`, each started when it is asked for.

        They are about `chunk_frames` * hop_length samples each, computed from as many frames more
        on each side as they see. A piece may still be under way when it is given.
        """
        frames, hop, reach = mel.shape[_TIME], self.config.hop_length, self.backbone.reach
        head, pace, low, high = None, Pace(), 0, 0
        for chunk in self.chunks(frames, chunk_frames):
            if chunk.high > high:
                low, high = chunk.low, max(chunk.high, min(chunk.low + _REACHES * reach, frames))
                seen = Tile.window(low, high, high - low + 2 * reach, frames)
                wide = self.backbone(seen.take(mel, _TIME).astype(self.dtype), pace)
                made = seen.trim(wide, _TIME)
            features = made[:, chunk.low - low : chunk.high - low]
            undecided = self._is_to_decide()
            if undecided:
                self.try_half_precision(middle(features, _TIME, TRIED_FRAMES), pace)
            if head is None or undecided:
                head = self.head.ready()
            audio = chunk.trim(head(features, pace), _TIME, hop)
            mx.async_eval(audio)
            yield audio


def sanitize(tensors: dict[str, mx.array]) -> dict[str, mx.array]:
    """Published tensors to ours: weight norm folded, kernels channels last.

    Both spellings of weight norm are read (`weight_g`, `weight_v`, and torch's newer
    parametrizations), and weights from which it was already removed.
    """
    converted = {}
    for name, tensor in tensors.items():
        layer, spelling = _weight_norm_of(name)
        if spelling is not None:
            if name == layer + spelling[1]:
                folded = _fold_weight_norm(tensors[layer + spelling[0]], tensor)
                converted[f"{layer}.weight"] = _channels_last(f"{layer}.weight", folded)
            elif layer + spelling[1] not in tensors:
                raise KeyError(layer + spelling[1])
        else:
            converted[name] = _channels_last(name, tensor)
    return converted


#: How a layer's gain and direction are called: by `weight_norm` and by its successor.
_WEIGHT_NORMS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


def _weight_norm_of(name: str) -> tuple[str, tuple[str, str] | None]:
    for spelling in _WEIGHT_NORMS:
        for suffix in spelling:
            if name.endswith(suffix):
                return name.removesuffix(suffix), spelling
    return name, None


def _fold_weight_norm(gain: mx.array, direction: mx.array) -> mx.array:
    """gain * direction / |direction|, the norm over all axes but the first; float32."""
    if direction.ndim != 3 or gain.shape != (direction.shape[0], 1, 1):
        raise ValueError(f"weight norm of {gain.shape} gains and {direction.shape} directions")
    direction = direction.astype(mx.float32)
    norm = mx.sqrt(mx.square(direction).sum(axis=(1, 2), keepdims=True))
    return gain.astype(mx.float32) * direction / norm


def _channels_last(name: str, tensor: mx.array) -> mx.array:
    if tensor.ndim != 3:
        return tensor
    if name.startswith("head.ups."):  # (in, out, k)
        return tensor.transpose(1, 2, 0)
    if name.startswith("backbone.channel_layers.") and tensor.shape[2] == 1:
        return tensor.squeeze(2)
    return tensor.transpose(0, 2, 1)
