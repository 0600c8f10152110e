"""The formulas against other counts: what is asked of MLX or PyTorch, and sizes of weights.

The audio networks are not run here: they do the same in ways that take other numbers of steps.
"""

from __future__ import annotations

import dataclasses
import math

# First, so that it chooses the BLAS.
import mlx_music  # noqa: F401  # isort: skip
import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from mlx_music import Progress
from mlx_music.ace_step import lyric_encoder, text_encoder
from mlx_music.ace_step.components import NETWORKS
from mlx_music.ace_step.dcae import DCAEConfig
from mlx_music.ace_step.published import DCAE_FOLDER, TEXT_ENCODER, TRANSFORMER, VOCODER
from mlx_music.ace_step.text_encoder import TextEncoder, TextEncoderConfig
from mlx_music.ace_step.transformer import Transformer, TransformerConfig
from mlx_music.ace_step.vocoder import Vocoder, VocoderConfig
from mlx_music.benchmark import flops
from mlx_music.benchmark.sizes import PUBLISHED, SMALL, Options, Sizes
from mlx_music.benchmark.stages import Stages, song_requests
from mlx_music.benchmark.subject import open_subject
from tests.engine.benchmark.counting import counted_flops

SIZES = pytest.mark.parametrize("sizes", [SMALL, PUBLISHED], ids=lambda sizes: sizes.name)

#: What is computed for a run as a whole is no part of a call any more.
TABLES = 0.02


def test_the_count_itself() -> None:
    x, matrix = mx.zeros((3, 10, 6)), mx.zeros((6, 4))
    assert counted_flops(lambda: x @ matrix) == 2 * 3 * 10 * 6 * 4
    assert counted_flops(lambda: [mx.addmm(mx.zeros(4), x, matrix), x + 1]) == 2 * 3 * 10 * 6 * 4
    grouped = mx.zeros((6, 5, 1))
    assert counted_flops(lambda: mx.conv1d(x, grouped, padding=2, groups=6)) == 2 * 3 * 10 * 6 * 5
    heads = x[:, None]
    attention = counted_flops(
        lambda: mx.fast.scaled_dot_product_attention(heads, heads, heads, scale=1.0)
    )
    assert attention == 2 * 2 * 3 * 10 * 10 * 6


@SIZES
def test_text_encoder(sizes: Sizes) -> None:
    config = TextEncoderConfig.from_dict(sizes.config(TEXT_ENCODER))
    encoder, ids = TextEncoder(config), mx.zeros((1, 37), dtype=mx.int32)
    counted = counted_flops(lambda: encoder(ids, mx.ones_like(ids)))
    assert flops.text_encoder(config, 37) == counted


@SIZES
def test_condition(sizes: Sizes) -> None:
    config = TransformerConfig.from_dict(sizes.config(TRANSFORMER))
    transformer = Transformer(config)
    text = mx.zeros((1, 11, config.text_embedding_dim))
    ids = mx.zeros((1, 23), dtype=mx.int32)
    speaker = mx.zeros((1, config.speaker_embedding_dim))
    counted = counted_flops(
        lambda: transformer.encode(text, mx.ones((1, 11)), speaker, ids, mx.ones_like(ids)).states
    )
    assert flops.condition(config, 11, 23) == counted


@SIZES
@pytest.mark.parametrize("frames", [48, 129])
def test_dcae_against_diffusers(sizes: Sizes, frames: int) -> None:
    torch = pytest.importorskip("torch")
    autoencoders = pytest.importorskip("diffusers").AutoencoderDC
    from torch.utils.flop_counter import FlopCounterMode

    config = DCAEConfig.from_dict(sizes.config(DCAE_FOLDER))
    # Theirs takes one for all levels.
    one = {"decoder_norm_types": "rms_norm", "decoder_act_fns": "silu"}
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        theirs = autoencoders(**dataclasses.asdict(config) | one)
        theirs.decoder(torch.zeros(1, config.latent_channels, 16, frames))
    assert flops.dcae_decode(config, frames, 16) == pytest.approx(counter.get_total_flops())


@SIZES
@pytest.mark.parametrize("channels", [1, 2])
def test_vocoder_against_its_weights(sizes: Sizes, channels: int) -> None:
    """Everything is a convolution: each weight is used once per position that it is applied at."""
    config = VocoderConfig.from_dict(sizes.config(VOCODER))
    frames, count = 100, 0
    lengths = [frames]
    for rate in config.upsample_rates:
        lengths.append(lengths[-1] * rate)
    positions = {"backbone": frames, "conv_pre": frames, "conv_post": lengths[-1]}
    for name, array in tree_flatten(Vocoder(config).trainable_parameters()):
        part, _, rest = name.removeprefix("head.").partition(".")
        if part == "ups":  # a transposed one is applied at its inputs
            applied = lengths[int(rest.partition(".")[0])]
        elif part == "resblocks":
            level = int(rest.partition(".")[0]) // len(config.resblock_kernel_sizes)
            applied = lengths[level + 1]
        else:
            applied = positions[part]
        count += 2 * applied * array.size * (array.ndim > 1)
    assert flops.vocoder_decode(config, frames, channels) == channels * count


@pytest.mark.parametrize("group", ["text", "condition", "transformer"])
def test_stages_say_what_they_compute(group: str) -> None:
    model = open_subject(Options(sizes="small", dtype="float32"))
    stages = Stages(model, song_requests(model, Options(sizes="small")), Progress())
    names = []
    components = model.components
    text, lyrics = components.text_encoder.config, components.transformer.config.lyric_encoder
    inputs = components.transformer.config.lyric_hidden_size
    # Passes are one until guidance parts them, and are defined as several.
    shared = {
        "text encoder": flops.text_encoder(
            dataclasses.replace(text, num_layers=text_encoder.ERG_BLOCKS.start),
            stages.prompt_tokens,
        ),
        "condition": flops.lyric_encoder(
            dataclasses.replace(lyrics, num_blocks=lyric_encoder.ERG_LAYERS.start),
            *(inputs, stages.lyric_tokens),
        ),
    }
    for stage in stages.of(group):
        mx.eval(stage.call())  # what is kept from then on is no part of it
        counted = counted_flops(stage.call) + shared.get(stage.name, 0)
        assert stage.flops == pytest.approx(counted, rel=TABLES), stage.name
        names.append(stage.name)
    assert (
        names
        == {
            "text": ["text encoder"],
            "condition": ["condition", "cross keys, values"],
            "transformer": [
                "transformer 1 s",
                "guided pair 1 s",
                "transformer 4 s",
                "guided pair 4 s",
            ],
        }[group]
    )


def test_a_call_at_the_published_sizes() -> None:
    """By hand: 24 blocks of so many 2560 x 2560 matrices, and attention to 445 keys and values."""
    matrices = 4 + 2 + 2 * 2.5 + 2.5  # self-attention, cross-attention, feed-forward
    a_frame = 24 * (2 * 2560 * 2560 * matrices + 2 * 2 * 2560 * 445)
    total = flops.transformer_call(TransformerConfig(), 646, 445)
    assert total == pytest.approx(646 * a_frame, rel=0.02)


def test_the_defaults_are_the_published_sizes() -> None:
    """Values that influence the output in the published files; the vocoder's without the gains
    of weight norm, which are folded."""
    published = {
        TRANSFORMER: 2_588_427_392,
        TEXT_ENCODER: 281_861_376,
        DCAE_FOLDER: 156_812_426,
        VOCODER: 103_110_945,
    }
    assert PUBLISHED.configs == {}
    for name, count in published.items():
        arrays = tree_flatten(NETWORKS[name].build({}).parameters())
        assert sum(math.prod(array.shape) for _, array in arrays) == count
