"""Floating-point operations of each network, counted from its shapes.

A multiplication and the addition that follows are two. Counted are matrix products, convolutions
and attention, for which a device has its matrix units, as the networks are defined. Activations,
norms and rotary tables are not counted, nor what an implementation does more (overlaps between
pieces) or less (taps that meet the same value) than the definition. So a rate tells how fast a
device does what the model asks for, and is comparable between implementations.

Configs are those of `ace_step`, or anything with the same fields.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlx_music.ace_step.dcae import DCAEConfig
    from mlx_music.ace_step.lyric_encoder import LyricEncoderConfig
    from mlx_music.ace_step.text_encoder import TextEncoderConfig
    from mlx_music.ace_step.transformer import TransformerConfig
    from mlx_music.ace_step.vocoder import VocoderConfig

#: Width of the sinusoid of a timestep; channels of the first patch convolution per latent channel.
_TIMESTEP_CHANNELS = 256
_PATCH_WIDTH = 256

#: Of the vocoder's and the autoencoder's blocks; no config has them.
_STEM_KERNEL = 7
_MLP_RATIO = 4
_GLU_EXPANSION = 4


def product(rows: int, inputs: int, outputs: int) -> int:
    """A (rows, inputs) matrix times an (inputs, outputs) one. A convolution is one, too: its
    inputs are channels times taps, of a depthwise one only taps."""
    return 2 * rows * inputs * outputs


def text_encoder(config: TextEncoderConfig, tokens: int) -> int:
    """One pass of UMT5 over a prompt."""
    inner = config.num_heads * config.d_kv
    projections = 4 * product(tokens, config.d_model, inner)
    attention = 2 * product(tokens, inner, tokens)
    feed_forward = 3 * product(tokens, config.d_model, config.d_ff)
    return config.num_layers * (projections + attention + feed_forward)


def lyric_encoder(config: LyricEncoderConfig, inputs: int, tokens: int) -> int:
    """One pass over lyrics whose embeddings have `inputs` features."""
    size, distances = config.output_size, 2 * tokens - 1
    projections = 4 * product(tokens, size, size) + product(distances, size, size)
    scores = product(tokens, size, tokens) + product(tokens, size, distances)
    values = product(tokens, tokens, size)
    feed_forward = 2 * product(tokens, size, config.linear_units)
    layer = projections + scores + values + feed_forward
    return product(tokens, inputs, size) + config.num_blocks * layer


def condition(config: TransformerConfig, prompt_tokens: int, lyric_tokens: int) -> int:
    """The condition of one pass: speaker, prompt and lyrics."""
    dim, lyrics = config.inner_dim, config.lyric_encoder
    return (
        product(1, config.speaker_embedding_dim, dim)
        + product(prompt_tokens, config.text_embedding_dim, dim)
        + lyric_encoder(lyrics, config.lyric_hidden_size, lyric_tokens)
        + product(lyric_tokens, lyrics.output_size, dim)
    )


def cross_keys_values(config: TransformerConfig, condition_tokens: int) -> int:
    """Keys and values of every block for a condition."""
    dim = config.inner_dim
    return config.num_layers * 2 * product(condition_tokens, dim, dim)


def transformer_call(config: TransformerConfig, frames: int, condition_tokens: int) -> int:
    """One velocity, of one item, with the condition's keys and values given."""
    dim, hidden = config.inner_dim, config.hidden_dim
    patch = math.prod(config.patch_size)
    embedded = config.in_channels * _PATCH_WIDTH
    ends = (
        product(1, _TIMESTEP_CHANNELS, dim)
        + product(1, dim, dim)
        + product(1, dim, 6 * dim)
        + product(frames, patch * config.in_channels, embedded)
        + product(frames, embedded, dim)
        + product(frames, dim, patch * config.out_channels)
    )
    # Sums over frames of key times value and of keys; each query reads both.
    linear_attention = 2 * product(frames, config.attention_head_dim, dim) + product(frames, dim, 1)
    self_attention = 4 * product(frames, dim, dim) + linear_attention
    cross_attention = 2 * product(frames, dim, dim) + 2 * product(frames, dim, condition_tokens)
    feed_forward = (
        product(frames, dim, 2 * hidden)
        + product(frames, 3, 2 * hidden)
        + product(frames, hidden, dim)
    )
    return ends + config.num_layers * (self_attention + cross_attention + feed_forward)


def dcae_decode(config: DCAEConfig, frames: int, height: int) -> int:
    """Latents (height, frames) to the mel of both channels."""
    channels = config.decoder_block_out_channels
    deepest = len(channels) - 1
    count = _conv3x3(height * frames, config.latent_channels, channels[deepest])
    for level, width in enumerate(channels):
        positions = height * frames * 4 ** (deepest - level)
        if config.decoder_block_types[level] == "ResBlock":
            block = 2 * _conv3x3(positions, width, width)
        else:
            scales = config.decoder_qkv_multiscales[level]
            block = _efficient_vit(positions, width, config.attention_head_dim, scales)
        count += config.decoder_layers_per_block[level] * block
        if level < deepest:
            count += _conv3x3(positions, channels[level + 1], width)
    return count + _conv3x3(height * frames * 4**deepest, channels[0], config.in_channels)


def vocoder_decode(config: VocoderConfig, mel_frames: int, channels: int = 2) -> int:
    """Log-mels of `mel_frames` frames to sound, for so many channels of sound."""
    return channels * (_backbone(config, mel_frames) + _head(config, mel_frames))


def _conv3x3(positions: int, inputs: int, outputs: int) -> int:
    return product(positions, 9 * inputs, outputs)


def _efficient_vit(positions: int, width: int, head_dim: int, scales: tuple[int, ...]) -> int:
    inner = width // head_dim * head_dim
    multiscale = sum(
        product(positions, kernel * kernel, 3 * inner) + product(positions, head_dim, 3 * inner)
        for kernel in scales
    )
    features = inner * (1 + len(scales))
    # Values have one column more, which sums the weights.
    linear_attention = 2 * product(positions, features, head_dim + 1)
    attention = (
        product(positions, width, 3 * inner)
        + multiscale
        + linear_attention
        + product(positions, features, width)
    )
    hidden = _GLU_EXPANSION * width
    feed_forward = (
        product(positions, width, 2 * hidden)
        + product(positions, 9, 2 * hidden)
        + product(positions, hidden, width)
    )
    return attention + feed_forward


def _backbone(config: VocoderConfig, frames: int) -> int:
    dims, (kernel,) = config.dims, config.kernel_sizes
    count = product(frames, _STEM_KERNEL * config.input_channels, dims[0])
    count += sum(product(frames, narrow, wide) for narrow, wide in pairwise(dims))
    for width, depth in zip(dims, config.depths, strict=True):
        mlp = 2 * product(frames, width, _MLP_RATIO * width)
        count += depth * (product(frames, kernel, width) + mlp)
    return count


def _head(config: VocoderConfig, frames: int) -> int:
    width, length = config.upsample_initial_channel, frames
    count = product(length, config.pre_conv_kernel_size * config.num_mels, width)
    ups = zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True)
    for rate, kernel in ups:
        count += product(length, kernel * width, width // 2)
        width, length = width // 2, length * rate
        for size, dilations in zip(
            config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True
        ):
            count += len(dilations) * 2 * product(length, size * width, width)
    return count + product(length, config.post_conv_kernel_size * width, 1)
