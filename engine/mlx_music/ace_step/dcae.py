"""The deep-compression autoencoder between log-mel spectrograms and latents.

It is diffusers' `AutoencoderDC` (Chen et al., "Deep Compression Autoencoder for Efficient
High-Resolution Diffusion Models", arXiv 2410.10733) seen as an image: height is frequency,
width is time, the two channels are left and right. Arrays are channels last.

Residual blocks are convolutions and see little; EfficientViT blocks attend to the whole song,
but linearly: through one small sum over all positions. So everything here runs in tiles of time
whose results are those of the whole (`tiling`), and memory hardly grows with the length.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_music.ace_step.activations import on_cpu
from mlx_music.ace_step.dcae_blocks import (
    TIME,
    DownBlock,
    EfficientViTBlock,
    ResBlock,
    RMSNorm,
    UpBlock,
    conv3x3,
)
from mlx_music.ace_step.half_precision import bytes_saved, try_float16
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.tiling import Tile, middle, tiles
from mlx_music.errors import CheckpointError
from mlx_music.weights.config import config_from_dict

#: Default tile in latent frames: 8.6 s, a seventh of a minute. At the published size its largest
#: activation, 128 channels at the full mel resolution, takes 56 MB in float32, halo included.
TILE = 93

#: Latent frames of music, 3 s, that decide on it: few, because until then it takes more memory.
TRIED_FRAMES = 32

#: What that may change in a normalised mel, RMS: 0.1 dB, as bfloat16 does, the reference's dtype.
_HALF_PRECISION_ERROR = 0.1 / 20 * math.log(10) / 7

SAMPLE_RATE = 44_100
SAMPLES_PER_LATENT = 4096

# What the reference's `music_dcae_pipeline.py` does around the network.
_MEL_MIN, _MEL_MAX = -11.0, 3.0
_LATENT_SHIFT, _LATENT_SCALE = -1.9091, 0.1786


def normalise_mel(log_mel: mx.array) -> mx.array:
    """Log-mel (natural logarithm) to the -1..1 that the encoder was trained on."""
    return ((log_mel - _MEL_MIN) / (_MEL_MAX - _MEL_MIN) - 0.5) / 0.5


def denormalise_mel(mel: mx.array) -> mx.array:
    """The decoder's output back to log-mel, float32: bfloat16 steps would be audible."""
    return (mel.astype(mx.float32) * 0.5 + 0.5) * (_MEL_MAX - _MEL_MIN) + _MEL_MIN


def scale_latents(latents: mx.array) -> mx.array:
    """The encoder's output to the unit variance that the transformer works in."""
    return (latents - _LATENT_SHIFT) * _LATENT_SCALE


def unscale_latents(latents: mx.array) -> mx.array:
    """The transformer's latents to those that the decoder takes."""
    return latents / _LATENT_SCALE + _LATENT_SHIFT


def frames_of(seconds: float) -> int:
    """Latent frames of so many seconds, towards zero as the model was trained."""
    return int(seconds * SAMPLE_RATE / SAMPLES_PER_LATENT)


def latent_length(samples: int, sample_rate: int) -> int:
    """Whole latent frames in `samples` samples at `sample_rate` Hz."""
    return samples * SAMPLE_RATE // (sample_rate * SAMPLES_PER_LATENT)


@dataclass(frozen=True)
class DCAEConfig:
    """`music_dcae_f8c8/config.json`; levels go from the finest to the deepest.

    The defaults are the published model's. Raises CheckpointError for options of
    `AutoencoderDC` that no ACE-Step model uses.
    """

    in_channels: int = 2
    latent_channels: int = 8
    attention_head_dim: int = 32
    encoder_block_types: tuple[str, ...] = ("ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock")
    decoder_block_types: tuple[str, ...] = ("ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock")
    encoder_block_out_channels: tuple[int, ...] = (128, 256, 512, 1024)
    decoder_block_out_channels: tuple[int, ...] = (128, 256, 512, 1024)
    encoder_layers_per_block: tuple[int, ...] = (2, 2, 3, 3)
    decoder_layers_per_block: tuple[int, ...] = (3, 3, 3, 3)
    encoder_qkv_multiscales: tuple[tuple[int, ...], ...] = ((), (), (5,), (5,))
    decoder_qkv_multiscales: tuple[tuple[int, ...], ...] = ((), (), (5,), (5,))
    downsample_block_type: str = "Conv"
    upsample_block_type: str = "interpolate"
    decoder_norm_types: tuple[str, ...] = ("rms_norm",)
    decoder_act_fns: tuple[str, ...] = ("silu",)
    decoder_conv_act_fn: str = "relu"
    encoder_out_shortcut: bool = True
    decoder_in_shortcut: bool = True

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DCAEConfig:
        """From the parsed JSON; keys that say nothing about the network are ignored."""
        values = dict(data)
        levels = len(values.get("encoder_block_out_channels", cls.encoder_block_out_channels))
        for name in ("encoder_block_types", "decoder_block_types"):
            if isinstance(values.get(name), str):
                values[name] = (values[name],) * levels
        for name in ("decoder_norm_types", "decoder_act_fns"):
            if isinstance(values.get(name), str):
                values[name] = (values[name],)
        return config_from_dict(cls, values)

    def __post_init__(self) -> None:
        self._check_options()
        for side in ("encoder", "decoder"):
            self._check_side(side)
        if len(self.encoder_block_out_channels) != len(self.decoder_block_out_channels):
            raise _unsupported("decoder_block_out_channels", self.decoder_block_out_channels)

    def _check_options(self) -> None:
        supported: dict[str, tuple[Any, ...]] = {
            "downsample_block_type": ("Conv",),
            "upsample_block_type": ("interpolate",),
            "decoder_conv_act_fn": ("relu",),
            "encoder_out_shortcut": (True,),
            "decoder_in_shortcut": (True,),
            "decoder_norm_types": ("rms_norm",),
            "decoder_act_fns": ("silu",),
            "encoder_block_types": ("ResBlock", "EfficientViTBlock"),
            "decoder_block_types": ("ResBlock", "EfficientViTBlock"),
        }
        for name, values in supported.items():
            given = getattr(self, name)
            if any(
                item not in values for item in (given if isinstance(given, tuple) else (given,))
            ):
                raise _unsupported(name, given)

    def _check_side(self, side: str) -> None:
        channels = getattr(self, f"{side}_block_out_channels")
        layers = getattr(self, f"{side}_layers_per_block")
        for option in ("block_types", "layers_per_block", "qkv_multiscales"):
            given = getattr(self, f"{side}_{option}")
            if len(given) != len(channels):
                raise _unsupported(f"{side}_{option}", given, f"{len(channels)} levels")
        scales = getattr(self, f"{side}_qkv_multiscales")
        if any(kernel < 3 or kernel % 2 == 0 for kernel in chain(*scales)):
            raise _unsupported(f"{side}_qkv_multiscales", scales, "odd kernels from 3")
        if not channels or min(layers) < 1:
            raise _unsupported(f"{side}_layers_per_block", layers, "at least one layer a level")
        fits = all(4 * fine % deep == 0 for fine, deep in pairwise(channels))
        if not fits or channels[-1] % self.latent_channels:
            raise _unsupported(
                f"{side}_block_out_channels", channels, "shortcuts need whole groups"
            )


def _unsupported(name: str, value: Any, why: str = "") -> CheckpointError:
    reason = f" ({why})" if why else ""
    return CheckpointError(f"music_dcae config: {name} {value!r} is not supported{reason}")


def _block(kind: str, channels: int, head_dim: int, scales: tuple[int, ...]) -> nn.Module:
    if kind == "ResBlock":
        return ResBlock(channels)
    return EfficientViTBlock(channels, head_dim, scales)


def _run(
    blocks: Iterable[nn.Module], x: mx.array, pace: Pace | None, tile: int | None = None
) -> mx.array:
    """x after all `blocks`; a layer or half of one at a time at a `pace`."""
    for block in blocks:
        layers = block.layers(tile) if isinstance(block, EfficientViTBlock) else [block]
        for layer in layers:
            x = layer(x, pace) if isinstance(layer, ResBlock) else layer(x)
            if pace is not None:
                pace(x)
    return x


def _rms(x: mx.array) -> float:
    return float(np.array(mx.sqrt(mx.square(x).mean())))


def _local_levels(kinds: tuple[str, ...]) -> int:
    """How many levels, from the finest, are convolutions only: what lies deeper sees it all."""
    return kinds.index("EfficientViTBlock") if "EfficientViTBlock" in kinds else len(kinds)


class Encoder(nn.Module):
    """Mel (batch, bins, frames, in_channels) to latents; its fine levels come first."""

    def __init__(self, config: DCAEConfig) -> None:
        super().__init__()
        channels = config.encoder_block_out_channels
        kinds = config.encoder_block_types
        self.conv_in = conv3x3(config.in_channels, channels[0])
        self.down_blocks: list[list[nn.Module]] = []
        for level, width in enumerate(channels):
            head_dim, scales = config.attention_head_dim, config.encoder_qkv_multiscales[level]
            layers = range(config.encoder_layers_per_block[level])
            blocks = [_block(kinds[level], width, head_dim, scales) for _ in layers]
            if level + 1 < len(channels):
                blocks.append(DownBlock(width, channels[level + 1]))
            self.down_blocks.append(blocks)
        self.conv_out = conv3x3(channels[-1], config.latent_channels)

        self._local = _local_levels(kinds)
        self.factor = 2 ** (len(channels) - 1)
        self._seam = 2 ** max(0, len(channels) - 1 - self._local)

    def __call__(self, mel: mx.array, tile: int | None = None) -> mx.array:
        halo, parts, pace = self._halo(), [], None if tile is None else Pace()
        for part in tiles(mel.shape[TIME] // self.factor, tile, halo):
            x = self.conv_in(part.take(mel, TIME, self.factor))
            x = _run(chain(*self.down_blocks[: self._local]), x, pace)
            parts.append(part.trim(x, TIME, self._seam))
        x = mx.concatenate(parts, axis=TIME)
        x = _run(chain(*self.down_blocks[self._local :]), x, pace, tile)
        latents: mx.array = self.conv_out(x)
        return latents + x.reshape(*latents.shape, -1).mean(axis=-1)

    def _halo(self) -> int:
        """Latent frames that a tile must see on each side to be exact."""
        spoilt = 1  # conv_in
        for block in chain(*self.down_blocks[: self._local]):
            spoilt = block.spread(spoilt)
        return -(-spoilt // self._seam)


class Decoder(nn.Module):
    """Latents to mel (batch, bins, frames, in_channels); its fine levels come last."""

    def __init__(self, config: DCAEConfig) -> None:
        super().__init__()
        channels = config.decoder_block_out_channels
        kinds = config.decoder_block_types
        self.conv_in = conv3x3(config.latent_channels, channels[-1])
        self.up_blocks: list[list[nn.Module]] = []
        for level, width in enumerate(channels):
            head_dim, scales = config.attention_head_dim, config.decoder_qkv_multiscales[level]
            layers = range(config.decoder_layers_per_block[level])
            blocks = [_block(kinds[level], width, head_dim, scales) for _ in layers]
            if level + 1 < len(channels):
                blocks.insert(0, UpBlock(channels[level + 1], width))
            self.up_blocks.append(blocks)
        self.norm_out = RMSNorm(channels[0])
        self.conv_out = conv3x3(channels[0], config.in_channels)

        self._local = _local_levels(kinds)
        self.factor = 2 ** (len(channels) - 1)
        self._seam = 2 ** max(0, len(channels) - 1 - self._local)
        self._repeats = channels[-1] // config.latent_channels
        #: Whether the convolutions of fine levels may work in float16; None until music has
        #: decided it.
        self.half_precision: bool | None = None

    @property
    def bytes_to_save(self) -> int:
        """What the fine levels' weights may no longer take once music has decided on float16."""
        return bytes_saved(self._fine_blocks) if self._is_to_decide() else 0

    def try_half_precision(self, x: mx.array, pace: Pace | None) -> bool:
        """Let the convolutions of the fine levels work in float16 for good, their sums in float32,
        if that changes nothing that is heard in the mel that they make of `x`; whether it does.

        x: a piece of what the deep levels give; pace: that of the piece, of whose making the end
        may still be under way. As with `Vocoder`, the first music decides.
        """
        blocks = [block for block in self._fine_blocks if isinstance(block, ResBlock | UpBlock)]

        def convert() -> None:
            for block in blocks:
                block.convolve_in(mx.float16)

        fits = try_float16(
            blocks,
            convert,
            make=lambda: self._fine(x, pace),
            # The mel of silence is not zero, but all of it lies below the middle.
            is_music=lambda mel: math.isfinite(_rms(mel)) and bool((mel > 0).any()),
            is_heard=lambda mel, exact: not _rms(mel - exact) <= _HALF_PRECISION_ERROR,
        )
        if fits is not None:
            self.half_precision = fits
        return bool(fits)

    @property
    def _fine_blocks(self) -> list[nn.Module]:
        return list(chain(*reversed(self.up_blocks[: self._local])))

    def _fine(self, x: mx.array, pace: Pace | None) -> mx.array:
        """The mel of a piece, from what the deep levels give."""
        x = _run(self._fine_blocks, x, pace)
        mel: mx.array = self.conv_out(self.norm_out.relu(x))
        return mel

    def pieces(self, latents: mx.array, tile: int | None = None) -> Iterator[mx.array]:
        """The mel in consecutive pieces of about `tile` latent frames' time, each started when
        asked for."""
        pace = None if tile is None else Pace()
        # Not kept under a name: what is wide and of the whole song is let go of at once.
        whole = _run(
            chain(*reversed(self.up_blocks[self._local :])),
            self.conv_in(latents) + mx.repeat(latents, self._repeats, axis=-1),
            pace,
            tile,
        )
        for part in self.parts(latents.shape[TIME], tile):
            x = part.take(whole, TIME, self._seam)
            # Without tiles it is a window of a preview, and no music yet.
            if tile is not None and self._is_to_decide():
                self.try_half_precision(middle(x, TIME, TRIED_FRAMES * self._seam), pace)
            mel = part.trim(self._fine(x, pace), TIME, self.factor)
            if tile is not None:
                mx.async_eval(mel)
            yield mel

    def _is_to_decide(self) -> bool:
        if self.half_precision is not None or on_cpu():
            return False
        return bool(self.conv_out.weight.dtype == mx.float32)

    def parts(self, frames: int, tile: int | None) -> list[Tile]:
        """The latent frames, of so many, that each of the `pieces` is of."""
        return list(tiles(frames, tile, self._halo()))

    def _halo(self) -> int:
        """Latent frames that a tile must see on each side to be exact."""
        spoilt = 0
        for block in chain(*reversed(self.up_blocks[: self._local])):
            spoilt = block.spread(spoilt)
        return -(-(spoilt + 1) // self.factor)  # one more for conv_out


class DCAE(nn.Module):
    """The autoencoder. Arrays are (batch, height, time, channels), in the weights' dtype."""

    def __init__(self, config: DCAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    @property
    def dtype(self) -> mx.Dtype:
        return self.decoder.conv_in.weight.dtype

    def encode(self, mel: mx.array, tile: int | None = TILE) -> mx.array:
        """Latents (batch, bins/8, frames/8, latent_channels) of a normalised mel.

        `mel` is (batch, bins, frames, channels), both sizes multiples of `encoder.factor` (8);
        else ValueError. `tile` is how many latent frames are worked on at once; None: all.
        """
        factor = self.encoder.factor
        if mel.shape[1] % factor or mel.shape[TIME] % factor:
            raise ValueError(f"mel of shape {mel.shape}: height and time must divide by {factor}")
        return self.encoder(mel.astype(self.dtype), tile)

    def decode(self, latents: mx.array, tile: int | None = TILE) -> mx.array:
        """Normalised mel (batch, 8*height, 8*frames, in_channels) of unscaled `latents`.

        `latents` is (batch, height, frames, latent_channels). `tile` is how many latent frames
        are worked on at once; None: all. The result is the same within float error.
        """
        return mx.concatenate(list(self.decode_tiles(latents, tile)), axis=TIME)

    def decode_tiles(self, latents: mx.array, tile: int | None = TILE) -> Iterator[mx.array]:
        """`decode` in consecutive pieces along time (`decoder.parts`), started when asked for.

        The deepest levels, which see the whole song, are computed before the first piece. A piece
        may still be under way when it is given.
        """
        return self.decoder.pieces(latents.astype(self.dtype), tile)


def sanitize(tensors: dict[str, mx.array]) -> dict[str, mx.array]:
    """Published tensors to ours: kernels channels last, 1x1 ones as plain matrices."""
    converted = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 4 and tensor.shape[2:] == (1, 1):
            tensor = tensor.squeeze((2, 3))
        elif tensor.ndim == 4:
            tensor = tensor.transpose(0, 2, 3, 1)
        converted[name] = tensor
    return converted
