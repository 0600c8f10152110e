"""The official PyTorch modules: their classes out of a checkout, and their published configs."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

_ONLY_FOR_AUDIO = ("librosa", "torchaudio")

MEL_BINS = 128

#: The published configs, as the official classes take them; the lyric encoder has no choice.
TRANSFORMER: dict[str, Any] = {
    "in_channels": 8,
    "out_channels": 8,
    "num_layers": 24,
    "inner_dim": 2560,
    "attention_head_dim": 128,
    "num_attention_heads": 20,
    "mlp_ratio": 2.5,
    "patch_size": [16, 1],
    "max_height": 16,
    "max_width": 32_768,
    "max_position": 32_768,
    "rope_theta": 1_000_000.0,
    "speaker_embedding_dim": 512,
    "text_embedding_dim": 768,
    "lyric_encoder_vocab_size": 6693,
    "lyric_hidden_size": 1024,
    "ssl_names": ["mert", "m-hubert"],
    "ssl_encoder_depths": [8, 8],
    "ssl_latent_dims": [1024, 768],
}
LYRIC_ENCODER = SimpleNamespace(
    output_size=1024, attention_heads=16, linear_units=4096, num_blocks=6
)
DCAE: dict[str, Any] = {
    "in_channels": 2,
    "latent_channels": 8,
    "attention_head_dim": 32,
    "encoder_block_types": ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"],
    "decoder_block_types": ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"],
    "encoder_block_out_channels": [128, 256, 512, 1024],
    "decoder_block_out_channels": [128, 256, 512, 1024],
    "encoder_layers_per_block": [2, 2, 3, 3],
    "decoder_layers_per_block": [3, 3, 3, 3],
    "encoder_qkv_multiscales": [[], [], [5], [5]],
    "decoder_qkv_multiscales": [[], [], [5], [5]],
    "downsample_block_type": "Conv",
    "upsample_block_type": "interpolate",
    "decoder_norm_types": "rms_norm",
    "decoder_act_fns": "silu",
}
VOCODER: dict[str, Any] = {
    "input_channels": MEL_BINS,
    "depths": [3, 3, 9, 3],
    "dims": [128, 256, 384, 512],
    "kernel_sizes": [7],
    "num_mels": 512,
    "upsample_initial_channel": 1024,
    "upsample_rates": [4, 4, 2, 2, 2, 2, 2],
    "upsample_kernel_sizes": [8, 8, 4, 4, 4, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11, 13],
    "resblock_dilation_sizes": [[1, 3, 5]] * 4,
    "pre_conv_kernel_size": 13,
    "post_conv_kernel_size": 13,
}
TEXT_ENCODER: dict[str, Any] = {
    "vocab_size": 256_384,
    "d_model": 768,
    "d_kv": 64,
    "d_ff": 2048,
    "num_layers": 12,
    "num_heads": 12,
    "feed_forward_proj": "gated-gelu",
    "is_encoder_decoder": True,
}

#: What `--small` has instead, to see that the program runs.
SMALL_TRANSFORMER = {"num_layers": 2, "inner_dim": 64, "attention_head_dim": 32} | {
    "num_attention_heads": 2,
    "ssl_encoder_depths": [0, 0],
    "ssl_latent_dims": [8, 8],
}
SMALL_DCAE = {"attention_head_dim": 8} | {
    f"{side}_{name}": value
    for side in ("encoder", "decoder")
    for name, value in (("block_out_channels", [16, 16, 32, 32]), ("layers_per_block", [1] * 4))
}
SMALL_VOCODER = {"depths": [1] * 4, "dims": [16, 24, 32, 48], "num_mels": 48} | {
    "upsample_initial_channel": 128
}
SMALL_TEXT_ENCODER = {"vocab_size": 64, "num_layers": 2}


def import_official(source: Path) -> SimpleNamespace:
    """The official classes from a checkout, without the packages that only read audio."""
    if not (source / "acestep").is_dir():
        raise SystemExit(f"{source}: no checkout of ACE-Step (it has no folder acestep)")
    stand_ins = {name: ModuleType(name) for name in _ONLY_FOR_AUDIO if find_spec(name) is None}
    if "torchaudio" in stand_ins:
        # Part of the mel spectrogram, which encoding needs and decoding does not.
        transforms = ModuleType("torchaudio.transforms")
        transforms.MelScale = lambda *args, **kwargs: torch.nn.Identity()
        stand_ins[transforms.__name__] = transforms
    sys.modules.update(stand_ins)
    sys.path.insert(0, str(source))
    transformer = importlib.import_module("acestep.models.ace_step_transformer")
    vocoder = importlib.import_module("acestep.music_dcae.music_vocoder")
    for name in stand_ins:  # nobody else shall take them for the packages
        del sys.modules[name]
    return SimpleNamespace(
        transformer=transformer.ACEStepTransformer2DModel, vocoder=vocoder.ADaMoSHiFiGANV1
    )
