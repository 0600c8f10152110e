"""The transformer's blocks as a run calls them. Here no GPU is needed: what a GPU is given is
compiled for whatever device there is."""

from __future__ import annotations

from threading import Thread

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from mlx_music.ace_step import accelerated, block_calls
from mlx_music.ace_step.block_calls import Portions
from mlx_music.ace_step.conditioning import ConditionedModel
from mlx_music.ace_step.lyric_encoder import LyricEncoderConfig
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.transformer import Transformer, TransformerConfig
from mlx_music.ace_step.transformer_inputs import Condition
from mlx_music.sampling.loop import CONDITIONAL, UNCONDITIONAL
from mlx_music.weights.lora import AdaptedLayer
from tests.parity.conftest import relative_error

CONFIG = TransformerConfig(
    num_layers=3,
    # Widths that kernels divide.
    num_attention_heads=4,
    attention_head_dim=64,
    mlp_ratio=2.0,
    speaker_embedding_dim=8,
    text_embedding_dim=16,
    lyric_encoder_vocab_size=8,
    lyric_hidden_size=16,
    lyric_encoder=LyricEncoderConfig(
        output_size=16, attention_heads=2, linear_units=32, num_blocks=1
    ),
)
BOTH = (CONDITIONAL, UNCONDITIONAL)


@pytest.fixture
def transformer() -> Transformer:
    mx.random.seed(3)
    made = Transformer(CONFIG)
    for block in made.transformer_blocks:
        block.scale_shift_table = mx.random.normal(block.scale_shift_table.shape)
    mx.eval(made.parameters())
    return made


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_calls, "on_cpu", lambda: False)


def velocity(transformer: Transformer, passes: tuple[str, ...] = BOTH, frames: int = 5) -> mx.array:
    """Of a run that begins now."""
    states = np.random.default_rng(0).standard_normal((2, 4, CONFIG.inner_dim)).astype(np.float32)
    conditions = {
        name: Condition(mx.array(states[place : place + 1]), mx.ones((1, 4)), scale)
        for place, (name, scale) in enumerate(zip(BOTH, (None, mx.array([0.5])), strict=True))
    }
    latents = np.random.default_rng(1).standard_normal((1, 16, frames, 8)).astype(np.float32)
    made = ConditionedModel(transformer, conditions, [900.0])(mx.array(latents), 900.0, passes)
    return mx.concatenate(made)


@pytest.mark.usefixtures("compiling")
@pytest.mark.parametrize("passes", [BOTH[:1], BOTH])
def test_compiled_blocks_give_what_plain_ones_do(
    transformer: Transformer, passes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [velocity(transformer, passes, frames) for frames in (5, 9, 5)]
    assert transformer._compiled is not None
    monkeypatch.setattr(block_calls, "on_cpu", lambda: True)
    for ours, frames in zip(made, (5, 9, 5), strict=True):
        assert relative_error(ours, velocity(transformer, passes, frames)) < 1e-5


@pytest.mark.usefixtures("compiling")
def test_they_are_made_once_for_weights_that_stay(transformer: Transformer) -> None:
    before = velocity(transformer)
    made = transformer._compiled
    velocity(transformer)
    assert transformer._compiled is made

    velocity(transformer, frames=6)
    assert transformer._compiled is not made, "MLX would keep what it compiled for every length"
    made = transformer._compiled
    thread = Thread(target=transformer.settle, args=(made.lengths,))
    thread.start()
    thread.join()
    assert transformer._compiled is not made, "MLX compiles for one thread"
    assert relative_error(velocity(transformer), before) == 0.0
    made = transformer._compiled

    layer = transformer.transformer_blocks[1].ff.point_conv.conv
    layer.weight = 2 * layer.weight
    after = velocity(transformer)
    assert transformer._compiled is not made
    assert relative_error(after, before) > 1e-3

    made = transformer._compiled
    transformer.transformer_blocks[2].attn.to_out[0] = nn.QuantizedLinear(256, 256, group_size=32)
    velocity(transformer)
    assert transformer._compiled is not made


@pytest.mark.usefixtures("compiling")
def test_an_adapter_whose_weight_may_change_is_not_compiled_in(transformer: Transformer) -> None:
    before = velocity(transformer)
    attention = transformer.transformer_blocks[0].cross_attn
    attention.to_q = AdaptedLayer(attention.to_q)
    assert relative_error(velocity(transformer), before) < 1e-5
    assert transformer._compiled is None
    attention.to_q = attention.to_q.base
    velocity(transformer)
    assert transformer._compiled is not None


@pytest.mark.usefixtures("compiling")
def test_what_was_made_can_be_let_go(transformer: Transformer) -> None:
    velocity(transformer)
    transformer.unsettle()
    assert transformer._compiled is None
    assert transformer.transformer_blocks[0].attn._joined is None


def test_a_cpu_is_given_the_blocks_as_they_are(transformer: Transformer) -> None:
    velocity(transformer)
    assert transformer._compiled is None


def test_kernels_are_proved_before_a_trace_and_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    operation = accelerated._by_kernel(lambda x: x + x, lambda x: 2 * x + 0, lambda _: True)
    with accelerated.traced():
        assert operation(mx.ones(3)).tolist() == [2, 2, 2]
    compared = []
    monkeypatch.setattr(accelerated, "agree", lambda *_: compared.append(1) or True)
    operation(mx.ones(3))
    assert compared == [1]
    with accelerated.traced():
        operation(mx.ones(3))
    assert compared == [1]


@pytest.mark.usefixtures("compiling")
@pytest.mark.parametrize(("megabytes", "halves"), [(1.0, 6), (3.3, 2), (6.6, 1), (26.0, 1)])
def test_portions_grow_smaller_as_songs_grow_longer(
    megabytes: float, halves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes of x: of a second, of a minute, of a guided one, of four guided minutes."""
    started: list[tuple[object, ...]] = []
    waited: list[tuple[object, ...]] = []
    monkeypatch.setattr(mx, "async_eval", lambda *arrays: started.append(arrays))
    monkeypatch.setattr(mx, "eval", lambda *arrays: waited.append(arrays))
    portions = Portions(mx.zeros(int(megabytes * 250_000)), Pace())
    for half in range(12):
        portions.add(half)  # type: ignore[arg-type]
    assert started == [(half,) for half in range(12) if (half + 1) % halves == 0]
    assert waited == started[:-1]


@pytest.mark.usefixtures("compiling")
def test_a_run_keeps_its_pace_from_step_to_step(
    transformer: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block_calls, "_PORTION", 1)
    started: list[tuple[mx.array, ...]] = []
    waited: list[tuple[mx.array, ...]] = []
    start, wait = mx.async_eval, mx.eval
    condition = Condition(mx.random.normal((1, 4, CONFIG.inner_dim)), mx.ones((1, 4)))
    run = ConditionedModel(transformer, {CONDITIONAL: condition}, [900.0, 500.0])
    latents = mx.random.normal((1, 16, 5, 8))
    first_step = run(latents, 900.0, (CONDITIONAL,))
    monkeypatch.setattr(mx, "async_eval", lambda *x: started.append(x) or start(*x))
    monkeypatch.setattr(mx, "eval", lambda *x: waited.append(x) or wait(*x))
    run(latents, 500.0, (CONDITIONAL,))
    assert len(started) == 2 * CONFIG.num_layers
    assert len(waited[0]) == 2, "what the last block of the first step made"
    assert waited[1:] == started[:-1]
    assert np.isfinite(np.array(first_step[0])).all()


@pytest.mark.usefixtures("compiling")
def test_passes_of_a_long_song_are_made_one_after_another(
    transformer: Transformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    original = Transformer.velocity

    def counted(self: Transformer, latents: mx.array, *others: object) -> mx.array:
        batches.append(latents.shape[0])
        return original(self, latents, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(Transformer, "velocity", counted)
    together = velocity(transformer)
    half = block_calls._ARRAYS_PER_HALF * 5 * CONFIG.inner_dim * 4  # of the 5 frames of one pass
    monkeypatch.setattr(block_calls, "_PORTION", half)
    still_together = velocity(transformer)
    monkeypatch.setattr(block_calls, "_PORTION", half - 1)
    assert relative_error(velocity(transformer), together) < 1e-5
    assert relative_error(still_together, together) == 0.0
    assert batches == [2, 2, 1, 1]
