from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_map

from mlx_music.ace_step import dcae
from mlx_music.ace_step.components import _nbytes
from mlx_music.ace_step.dcae import (
    DCAE,
    DCAEConfig,
)
from mlx_music.ace_step.dcae_blocks import UpBlock
from tests.engine.ace_step.paces import CountingPace

RES, VIT = "ResBlock", "EfficientViTBlock"


def _config(*kinds: str, **changes: Any) -> DCAEConfig:
    """A small model with these block types, from the finest level to the deepest."""
    options: dict[str, Any] = {"latent_channels": 4, "attention_head_dim": 4}
    for side in ("encoder", "decoder"):
        options[f"{side}_block_types"] = kinds
        options[f"{side}_block_out_channels"] = (8, 8, 16, 16)[-len(kinds) :]
        options[f"{side}_layers_per_block"] = (1, 2, 1, 2)[-len(kinds) :]
        options[f"{side}_qkv_multiscales"] = ((3,), (), (5,), (3, 5))[-len(kinds) :]
    return DCAEConfig(**(options | changes))


def _model(config: DCAEConfig, far_sighted: bool = False) -> DCAE:
    """With weights that keep signals of order one, so that no fault hides in small numbers.

    `far_sighted` kernels look only at the far ends of their reach in time.
    """
    mx.random.seed(5)

    def lively(weight: mx.array) -> mx.array:
        if weight.ndim == 1:
            return 1 + 0.3 * mx.random.normal(weight.shape)
        fan_in = weight.size // weight.shape[0]
        weight = mx.random.normal(weight.shape) * fan_in**-0.5
        if far_sighted and weight.ndim == 4:
            weight[:, :, 1:-1] = 0
        return weight

    model = DCAE(config)
    model.update(tree_map(lively, model.parameters()))
    mx.eval(model.parameters())
    return model


def _difference(a: mx.array, b: mx.array) -> float:
    assert a.shape == b.shape
    return float(mx.abs(a - b).max() / mx.abs(b).max())


LAYOUTS = {
    "published": (RES, RES, RES, VIT),
    "two attending levels": (RES, RES, VIT, VIT),
    "attention between convolutions": (RES, VIT, RES, RES),
    "attention everywhere": (VIT, VIT),
    "no attention": (RES, RES, RES),
    "one level": (VIT,),
}


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS.keys())
def model(request: pytest.FixtureRequest) -> DCAE:
    return _model(_config(*request.param))


@pytest.mark.parametrize("tile", [1, 5, 11, 100])
def test_tiles_give_what_the_whole_gives(model: DCAE, tile: int) -> None:
    factor = model.decoder.factor
    latents = mx.random.normal((2, 2, 23, 4))
    whole = model.decode(latents, tile=None)
    assert whole.shape == (2, 2 * factor, 23 * factor, 2)
    assert _difference(model.decode(latents, tile), whole) < 2e-5

    encoded = model.encode(whole, tile=None)
    assert encoded.shape == latents.shape
    assert _difference(model.encode(whole, tile), encoded) < 2e-5


@pytest.mark.parametrize("kinds", [(RES, RES, VIT), (RES, RES)])
def test_the_halo_is_just_enough(kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(_config(*kinds), far_sighted=True)
    latents = mx.random.normal((1, 2, 30, 4))
    mel = model.decode(latents, tile=None)
    encoded = model.encode(mel, tile=None)
    assert _difference(model.decode(latents, 10), mel) < 1e-5
    assert _difference(model.encode(mel, 10), encoded) < 1e-5
    for side in (model.encoder, model.decoder):
        too_little = side._halo() - 1
        monkeypatch.setattr(type(side), "_halo", lambda self, halo=too_little: halo)
    assert _difference(model.decode(latents, 10), mel) > 1e-4
    assert _difference(model.encode(mel, 10), encoded) > 1e-4


def test_pieces_come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _model(_config(RES, RES, VIT))
    latents = mx.random.normal((1, 2, 30, 4))
    finished = []
    conv_out = model.decoder.conv_out
    monkeypatch.setattr(
        model.decoder, "conv_out", lambda x: finished.append(x.shape) or conv_out(x)
    )
    pieces = model.decode_tiles(latents, tile=4)
    assert not finished
    lengths = [next(pieces).shape[2]]
    assert len(finished) == 1
    lengths += [piece.shape[2] for piece in pieces]
    assert lengths == [4 * (part.stop - part.start) for part in model.decoder.parts(30, 4)]
    assert sum(lengths) == 4 * 30
    assert len(set(finished)) == 1, "each shape costs a GPU new kernels"


def test_attention_sees_the_whole_song() -> None:
    model = _model(_config(RES, RES, VIT))
    latents = mx.random.normal((1, 2, 60, 4))
    changed = mx.concatenate([latents[:, :, :-1], 3 * latents[:, :, -1:]], axis=2)
    before, after = (model.decode(each, tile=7)[:, :, :8] for each in (latents, changed))
    assert _difference(after, before) > 1e-5


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16])
def test_low_precision_stays_near(dtype: mx.Dtype) -> None:
    model = _model(_config(RES, RES, VIT))
    latents = mx.random.normal((1, 2, 9, 4))
    exact = model.decode(latents)
    encoded = model.encode(exact)
    model.set_dtype(dtype)
    low, coded = model.decode(latents), model.encode(exact)
    assert low.dtype == coded.dtype == model.dtype == dtype
    for actual, expected in ((low, exact), (coded, encoded)):
        error = mx.linalg.norm((actual.astype(mx.float32) - expected).reshape(-1))
        assert error < 0.05 * mx.linalg.norm(expected.reshape(-1))


def test_quantized_layers_stay_near() -> None:
    model = _model(
        _config(
            RES,
            VIT,
            attention_head_dim=8,
            encoder_block_out_channels=(32, 64),
            decoder_block_out_channels=(32, 64),
        )
    )
    latents = mx.random.normal((1, 2, 9, 4))
    exact = model.decode(latents)
    nn.quantize(model, group_size=32, bits=8)
    error = mx.linalg.norm((model.decode(latents) - exact).reshape(-1))
    assert 0 < error < 0.05 * mx.linalg.norm(exact.reshape(-1))


def test_a_mel_that_does_not_divide_is_refused() -> None:
    model = _model(_config(RES, RES, VIT))
    for shape in ((1, 8, 9, 2), (1, 9, 8, 2)):
        with pytest.raises(ValueError, match="divide by 4"):
            model.encode(mx.zeros(shape))


def test_music_decides_on_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    mx.random.seed(1)
    model = DCAE(_config(RES, RES, RES, VIT))
    latents = mx.random.normal((1, 4, 20, 4))
    exact = model.decode(latents, 8)
    assert model.decoder.half_precision is None, "a CPU has no use for it"
    assert model.decoder.bytes_to_save == 0
    monkeypatch.setattr(dcae, "on_cpu", lambda: False)
    before, saved = _nbytes(model.decoder), model.decoder.bytes_to_save
    model.decode(0 * latents * mx.nan, 8)
    assert model.decoder.half_precision is None
    model.decode(latents, None)
    assert model.decoder.half_precision is None, "a preview decided"
    low = model.decode(latents, 8)
    assert model.decoder.half_precision is True
    assert model.decoder.up_blocks[0][-1].conv1.weight.dtype == mx.float16
    assert model.decoder.bytes_to_save == 0
    # Norms and biases stay as they are.
    assert 0.9 * saved < before - _nbytes(model.decoder) <= saved
    assert model.dtype == low.dtype == mx.float32
    assert 0 < mx.abs(low - exact).max() < 1e-2
    monkeypatch.setattr(type(model.decoder), "try_half_precision", lambda *_: pytest.fail("again"))
    model.decode(latents, 8)


def test_what_decides_keeps_the_pace_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its own would not know of the steps that are still under way, and without one, all
    of its steps would be at once."""
    paces: list[CountingPace] = []
    monkeypatch.setattr(dcae, "on_cpu", lambda: False)
    monkeypatch.setattr(dcae, "Pace", lambda: paces.append(CountingPace()) or paces[-1])
    model = DCAE(_config(RES, RES, RES, VIT))
    latents = mx.random.normal((1, 4, 20, 4), key=mx.random.key(1))
    for _ in range(2):
        model.decode(latents, 8)
    assert model.decoder.half_precision is True
    deciding, later = paces
    assert deciding.calls > later.calls > 0


def test_silence_does_not_decide_on_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mel is no less far from zero than that of music, but to the other side."""
    monkeypatch.setattr(dcae, "on_cpu", lambda: False)
    model = DCAE(_config(RES, RES, RES, VIT))
    model.decoder.conv_out.bias = mx.full((2,), -20.0)
    model.decode(mx.zeros((1, 4, 20, 4)), 8)
    assert model.decoder.half_precision is None
    assert model.decoder.up_blocks[0][-1].conv1.weight.dtype == mx.float32


def test_half_precision_that_is_interrupted_leaves_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mx.random.seed(1)
    model, calls = DCAE(_config(RES, RES, RES, VIT)), []
    latents = mx.random.normal((1, 4, 20, 4))
    exact, fine = model.decode(latents, 8), type(model.decoder)._fine

    def interrupted(decoder: dcae.Decoder, x: mx.array, pace: object) -> mx.array:
        calls.append(x)
        if len(calls) == 2:
            assert model.decoder.up_blocks[0][-1].conv1.weight.dtype == mx.float16
            raise KeyboardInterrupt
        return fine(decoder, x, pace)

    with monkeypatch.context() as patch:
        patch.setattr(dcae, "on_cpu", lambda: False)
        patch.setattr(type(model.decoder), "_fine", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.decode(latents, 8)
    assert model.decoder.half_precision is None
    assert mx.array_equal(model.decode(latents, 8), exact)


def test_weights_beyond_half_precision_keep_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    mx.random.seed(1)
    model = DCAE(_config(RES, RES, RES, VIT))
    block = model.decoder.up_blocks[0][-1]
    block.conv1.weight, block.conv2.weight = 1e7 * block.conv1.weight, 1e-7 * block.conv2.weight
    latents = mx.random.normal((1, 4, 20, 4))
    exact = model.decode(latents, 8)
    monkeypatch.setattr(dcae, "on_cpu", lambda: False)
    assert mx.array_equal(model.decode(latents, 8), exact)
    assert model.decoder.half_precision is False


@pytest.mark.parametrize("repeats", [1, 2, 3, 4, 6, 8])
def test_a_shortcut_repeats_its_channels_into_space(repeats: int) -> None:
    block, x = UpBlock(8, 2 * repeats), mx.random.normal((2, 3, 5, 8))
    depth = mx.repeat(x, repeats, axis=-1).reshape(2, 3, 5, -1, 2, 2)
    assert block.repeats == repeats
    assert mx.array_equal(block._repeated(x), depth.transpose(0, 1, 4, 2, 5, 3))
