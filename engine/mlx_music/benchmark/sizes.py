"""What is measured: the sizes of the networks, and of the music that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mlx_music.ace_step.published import DCAE_FOLDER, TEXT_ENCODER, TRANSFORMER, VOCODER

#: Parts of a measurement, in their order.
GROUPS = ("startup", "text", "condition", "transformer", "decode", "song")

#: Runs of each stage that count.
REPEATS = 10


@dataclass(frozen=True)
class Sizes:
    """A model without weights, and the song that it is measured with.

    configs: `config.json` of each component; what is left out is as published. durations in
    seconds. The prompt's tokens, those of the lyrics and one of the speaker are the condition.
    """

    name: str
    configs: Mapping[str, Mapping[str, Any]]
    durations: tuple[float, ...]
    steps: int
    prompt_tokens: int
    lyric_tokens: int

    def config(self, component: str) -> Mapping[str, Any]:
        """What `config.json` of a component says beside the published values."""
        return self.configs.get(component, {})


#: ACE-Step v1, with a condition of 445 tokens, which is a minute of song.
PUBLISHED = Sizes(
    name="published",
    configs={},
    durations=(60.0, 240.0),
    steps=27,
    prompt_tokens=44,
    lyric_tokens=400,
)

#: The same architecture, narrow, and just deep enough for entropy rectifying guidance.
SMALL = Sizes(
    name="small",
    configs={
        TRANSFORMER: {
            "num_layers": 16,
            "num_attention_heads": 2,
            "attention_head_dim": 32,
            "speaker_embedding_dim": 16,
            "text_embedding_dim": 64,
            "lyric_encoder_vocab_size": 64,
            "lyric_hidden_size": 32,
            "lyric_encoder": {
                "output_size": 32,
                "attention_heads": 4,
                "linear_units": 64,
                "num_blocks": 5,
            },
        },
        TEXT_ENCODER: {
            "vocab_size": 64,
            "d_model": 64,
            "d_kv": 16,
            "d_ff": 128,
            "num_layers": 9,
            "num_heads": 4,
        },
        DCAE_FOLDER: {
            "attention_head_dim": 8,
            "encoder_block_out_channels": (16, 16, 32, 32),
            "decoder_block_out_channels": (16, 16, 32, 32),
            "encoder_layers_per_block": (1, 1, 1, 1),
            "decoder_layers_per_block": (1, 1, 1, 1),
        },
        VOCODER: {
            "depths": (1, 1, 1, 1),
            "dims": (16, 24, 32, 48),
            "num_mels": 48,
            "upsample_initial_channel": 32,
            "upsample_rates": (4, 4, 8, 4),
            "upsample_kernel_sizes": (8, 8, 16, 8),
            "resblock_kernel_sizes": (3, 7),
            "resblock_dilation_sizes": ((1, 3), (1, 5)),
            "pre_conv_kernel_size": 5,
            "post_conv_kernel_size": 5,
        },
    },
    durations=(1.0, 4.0),
    steps=4,
    prompt_tokens=8,
    lyric_tokens=20,
)

SIZES: Mapping[str, Sizes] = {sizes.name: sizes for sizes in (PUBLISHED, SMALL)}


@dataclass(frozen=True)
class Options:
    """What to measure, and how often.

    model: a folder, a hub id or a built-in model, or None for random weights of `sizes`.
    durations: seconds; () is those of the sizes, as far as the model makes them. steps: None is
    that of the sizes. quantize: a preset, of `parts`. dtype, memory_limit (GB), revision,
    download: as for `ACEStep.from_pretrained`.
    """

    sizes: str = PUBLISHED.name
    model: str | None = None
    revision: str | None = None
    download: bool = True
    dtype: str | None = None
    memory_limit: float | None = None
    quantize: str | None = None
    parts: tuple[str, ...] | None = None
    durations: tuple[float, ...] = ()
    steps: int | None = None
    repeats: int = REPEATS
    groups: tuple[str, ...] = GROUPS

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, for `from_dict` in another process."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Options:
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        return cls(**plain)
