"""The transformer and its condition encoder, stage by stage."""

from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_music.ace_step.components import Components
from mlx_music.ace_step.erg import ERG_TAU
from mlx_music.ace_step.transformer import Transformer
from mlx_music.ace_step.transformer_inputs import Condition
from tests.parity.conftest import Reference, relative_error

TOLERANCE = 1e-4


class Encoded:
    """The inputs of `encode`, as every golden of it takes them."""

    def __init__(self, reference: Reference, transformer: Transformer) -> None:
        stages = reference.stages
        self.transformer = transformer
        self.text = mx.array(stages["text.hidden"])
        self.weak_text = mx.array(stages["text.hidden_null_erg"])
        self.speaker = mx.array(stages["encode.speaker"])
        self.lyrics = mx.array(stages["lyric.ids"])

    def __call__(
        self, text: mx.array, speaker: mx.array, lyrics: mx.array, *, weaken: bool = False
    ) -> Condition:
        return self.transformer.encode(
            text,
            mx.ones(text.shape[:2], dtype=mx.int32),
            speaker,
            lyrics,
            mx.ones(lyrics.shape, dtype=mx.int32),
            weaken_lyrics=weaken,
        )


@pytest.fixture
def encode(reference: Reference, components: Components) -> Encoded:
    return Encoded(reference, components.transformer)


def test_condition(reference: Reference, encode: Encoded) -> None:
    condition = encode(encode.text, encode.speaker, encode.lyrics)
    assert relative_error(condition.states, reference.stages["encode.states"]) < TOLERANCE
    assert relative_error(condition.mask, reference.stages["encode.mask"]) == 0.0


def test_null_condition(reference: Reference, encode: Encoded) -> None:
    null = encode(
        mx.zeros_like(encode.text), mx.zeros_like(encode.speaker), mx.zeros_like(encode.lyrics)
    )
    assert relative_error(null.states, reference.stages["encode.states_null"]) < TOLERANCE


def test_weakened_condition(reference: Reference, encode: Encoded) -> None:
    null = encode(encode.weak_text, mx.zeros_like(encode.speaker), encode.lyrics, weaken=True)
    assert relative_error(null.states, reference.stages["encode.states_null_erg"]) < TOLERANCE


def test_condition_of_a_padded_batch(reference: Reference, encode: Encoded) -> None:
    stages = reference.stages
    text = mx.concatenate([encode.text] * 2)
    condition = encode.transformer.encode(
        text,
        mx.ones(text.shape[:2], dtype=mx.int32),
        mx.concatenate([encode.speaker] * 2),
        mx.array(stages["encode.batch_lyric_ids"]),
        mx.array(stages["encode.batch_lyric_mask"]),
    )
    assert relative_error(condition.states, stages["encode.batch_states"]) < TOLERANCE
    assert relative_error(condition.mask, stages["encode.batch_mask"]) == 0.0


@pytest.fixture
def batch_condition(reference: Reference) -> Condition:
    stages = reference.stages
    return Condition(mx.array(stages["encode.batch_states"]), mx.array(stages["encode.batch_mask"]))


def test_embeddings_and_blocks(
    reference: Reference, components: Components, batch_condition: Condition
) -> None:
    transformer, stages = components.transformer, reference.stages
    embedded = transformer.timestep_embedder(mx.array(stages["decode.timestep"]), mx.float32)
    assert relative_error(embedded, stages["decode.temb"]) < TOLERANCE
    tokens = transformer.proj_in(mx.array(stages["decode.x"]).transpose(0, 2, 3, 1))
    assert relative_error(tokens, stages["decode.patch_embed"]) < TOLERANCE
    prepared = transformer.prepare(batch_condition)
    modulation = transformer.timesteps(mx.array(stages["decode.timestep"])).all()
    rope = transformer.rope(tokens.shape[1])
    probes = [name for name in stages if name.startswith("decode.block")]
    assert probes
    for name in probes:
        count = int(name.removeprefix("decode.block")) + 1
        calls = transformer.settle(())[:count]
        x = transformer.run_blocks(tokens, modulation, rope, prepared, calls)
        assert relative_error(x, stages[name]) < TOLERANCE


@pytest.mark.parametrize("golden", ["decode.out", "decode.out_erg"])
def test_velocity(
    reference: Reference, components: Components, batch_condition: Condition, golden: str
) -> None:
    transformer, stages = components.transformer, reference.stages
    scale = mx.full((2,), ERG_TAU) if golden.endswith("erg") else None
    condition = Condition(batch_condition.states, batch_condition.mask, scale)
    velocity = transformer.decode(
        mx.array(stages["decode.x"]).transpose(0, 2, 3, 1),
        mx.array(stages["decode.timestep"]),
        transformer.prepare(condition),
    )
    assert relative_error(velocity.transpose(0, 3, 1, 2), stages[golden]) < TOLERANCE


def test_weakened_and_plain_items_in_one_batch(
    reference: Reference, components: Components, batch_condition: Condition
) -> None:
    """What a guided step does: one call, whose second half alone has flattened attention."""
    transformer, stages = components.transformer, reference.stages
    plain = batch_condition
    weak = Condition(plain.states, plain.mask, mx.full((2,), ERG_TAU))
    x = mx.concatenate([mx.array(stages["decode.x"]).transpose(0, 2, 3, 1)] * 2)
    t = mx.concatenate([mx.array(stages["decode.timestep"])] * 2)
    velocity = transformer.decode(x, t, transformer.prepare(Condition.stack([plain, weak])))
    first, second = mx.split(velocity.transpose(0, 3, 1, 2), 2)
    assert relative_error(first, stages["decode.out"]) < TOLERANCE
    assert relative_error(second, stages["decode.out_erg"]) < TOLERANCE
