"""How large each network of Sketch is: the published configs, in small."""

from __future__ import annotations

from typing import Any

#: The longest song, in seconds, and its latent frames.
MAX_SECONDS = 30.0
MAX_FRAMES = 323

_SCALES: list[list[int]] = [[], [], [5], [5]]
_KINDS = ["ResBlock", "ResBlock", "ResBlock", "EfficientViTBlock"]

DCAE: dict[str, Any] = {
    "_class_name": "AutoencoderDC",
    "in_channels": 2,
    "latent_channels": 8,
    "attention_head_dim": 32,
    "encoder_block_types": _KINDS,
    "decoder_block_types": _KINDS,
    "encoder_block_out_channels": [32, 64, 128, 128],
    "decoder_block_out_channels": [32, 64, 128, 128],
    "encoder_layers_per_block": [1, 1, 1, 1],
    "decoder_layers_per_block": [1, 1, 1, 2],
    "encoder_qkv_multiscales": _SCALES,
    "decoder_qkv_multiscales": _SCALES,
    "downsample_block_type": "Conv",
    "upsample_block_type": "interpolate",
    "decoder_norm_types": "rms_norm",
    "decoder_act_fns": "silu",
}

VOCODER: dict[str, Any] = {
    "_class_name": "ADaMoSHiFiGANV1",
    "input_channels": 128,
    "depths": [1, 1, 2, 2],
    "dims": [96, 128, 144, 144],
    # Two seconds on each side, all blocks together: what a held note sounds like depends on when
    # it began (see `train_vocoder`).
    "kernel_sizes": [61],
    "num_mels": 144,
    "upsample_initial_channel": 256,
    "upsample_rates": [4, 4, 8, 4],
    "upsample_kernel_sizes": [8, 8, 16, 8],
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3, 9]],
    "pre_conv_kernel_size": 5,
    "post_conv_kernel_size": 7,
    "use_template": False,
    "sampling_rate": 44_100,
    "n_fft": 2048,
    "win_length": 2048,
    "hop_length": 512,
    "f_min": 40,
    "f_max": 16_000,
    "n_mels": 128,
}

TEXT_ENCODER: dict[str, Any] = {
    "architectures": ["UMT5EncoderModel"],
    "model_type": "umt5",
    "vocab_size": 1024,
    "d_model": 128,
    "d_kv": 32,
    "d_ff": 192,
    "num_layers": 4,
    "num_heads": 4,
    "relative_attention_num_buckets": 32,
    "relative_attention_max_distance": 128,
    "layer_norm_epsilon": 1e-6,
    "feed_forward_proj": "gated-gelu",
    "dense_act_fn": "gelu_new",
    "is_gated_act": True,
    "dropout_rate": 0.0,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
    "tie_word_embeddings": False,
}

TRANSFORMER: dict[str, Any] = {
    "_class_name": "ACEStepTransformer2DModel",
    "in_channels": 8,
    "out_channels": 8,
    "num_layers": 7,
    "inner_dim": 224,
    "attention_head_dim": 32,
    "num_attention_heads": 7,
    "mlp_ratio": 2.5,
    "patch_size": [16, 1],
    "max_height": 16,
    "max_width": 32_768,
    "max_position": 32_768,
    # Waves of 6 to 700 frames: with the published 1,000,000 most of a small head's sixteen would be
    # far longer than a song, and tell nothing of where a beat is.
    "rope_theta": 150.0,
    "speaker_embedding_dim": 8,
    "text_embedding_dim": TEXT_ENCODER["d_model"],
    # Sketch does not sing: a lyric encoder is part of the layout, and no lyric reaches it.
    "lyric_encoder_vocab_size": 8,
    "lyric_hidden_size": 8,
    "lyric_encoder": {
        "output_size": 8,
        "attention_heads": 2,
        "linear_units": 8,
        "num_blocks": 1,
    },
}
