from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map_with_path

from mlx_music.ace_step import activations, convolution, vocoder, vocoder_head
from mlx_music.ace_step.autoencoder import MusicAutoencoder
from mlx_music.ace_step.components import _nbytes
from mlx_music.ace_step.dcae import DCAE, DCAEConfig
from mlx_music.ace_step.vocoder import (
    Backbone,
    DepthwiseConv,
    Vocoder,
    VocoderConfig,
    sanitize,
)
from mlx_music.ace_step.vocoder_head import Head
from mlx_music.errors import CheckpointError
from tests.engine.ace_step.paces import CountingPace

SMALL: dict[str, Any] = {
    "input_channels": 6,
    "n_mels": 6,
    "depths": (1, 2),
    "dims": (8, 12),
    "kernel_sizes": (5,),
    "num_mels": 12,
    "upsample_initial_channel": 16,
    "upsample_rates": (4, 2, 3),
    "upsample_kernel_sizes": (8, 4, 9),
    "resblock_kernel_sizes": (3, 7),
    "resblock_dilation_sizes": ((1, 3, 5), (2, 4)),
    "pre_conv_kernel_size": 5,
    "post_conv_kernel_size": 9,
    "n_fft": 96,
    "win_length": 96,
    "hop_length": 24,
}


@pytest.fixture(scope="module")
def voice() -> Vocoder:
    return _lively(VocoderConfig(**SMALL))


def _lively(config: VocoderConfig) -> Vocoder:
    """With weights that keep signals of order one, so that no fault hides in small numbers."""
    mx.random.seed(11)

    def lively(name: str, weight: mx.array) -> mx.array:
        if name.startswith("mel_transform"):
            return weight
        if weight.ndim == 1:
            return 0.5 + 0.3 * mx.random.normal(weight.shape)
        fan_in = weight.size // weight.shape[0]
        return mx.random.normal(weight.shape) * fan_in**-0.5

    voice = Vocoder(config)
    voice.update(tree_map_with_path(lively, voice.parameters()))
    mx.eval(voice.parameters())
    return voice


def _mel(frames: int) -> mx.array:
    return mx.array(np.random.default_rng(2).standard_normal((2, frames, 6)).astype(np.float32))


@pytest.mark.parametrize("chunk_frames", [1, 7, 30, 64, 100])
def test_chunks_give_what_the_whole_gives(voice: Vocoder, chunk_frames: int) -> None:
    mel = _mel(64)
    whole = voice.decode(mel)
    assert whole.shape == (2, 64 * 24)
    assert whole.dtype == mx.float32
    assert whole.std() > 0.05
    chunked = voice.decode_chunked(mel, chunk_frames)
    assert mx.abs(chunked - whole).max() < 1e-5


@pytest.mark.parametrize(("part", "hop", "width"), [("backbone", 1, 6), ("head", 24, 12)])
def test_the_reach_is_what_the_network_sees(
    voice: Vocoder, part: str, hop: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A frame that is not a number spoils exactly the outputs that see it."""
    # Several outputs at once share their inputs, some times zero: no number times zero is none.
    monkeypatch.setattr(convolution, "_steps", lambda *_: 1)
    network = getattr(voice, part)
    frames = 2 * network.reach + 5
    spoilt = mx.array(np.where(np.arange(frames) == frames // 2, np.nan, 0.0).astype(np.float32))
    output = network(mx.broadcast_to(spoilt[None, :, None], (1, frames, width)))
    seen = np.flatnonzero(np.isnan(np.array(output).reshape(frames, hop, -1)).any(axis=(1, 2)))
    assert (seen[0], seen[-1]) == (frames // 2 - network.reach, frames // 2 + network.reach)


def test_chunks_come_one_by_one(voice: Vocoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    original = Backbone.__call__
    monkeypatch.setattr(
        Backbone,
        "__call__",
        lambda self, mel, pace: seen.append(mel.shape[1]) or original(self, mel, pace),
    )
    mel = _mel(200)
    chunks = voice.decode_chunks(mel, chunk_frames=20)
    assert not seen
    lengths = [next(chunks).shape[1]]
    assert len(seen) == 1
    lengths += [chunk.shape[1] for chunk in chunks]
    assert lengths == [24 * (tile.stop - tile.start) for tile in voice.chunks(200, 20)]
    assert sum(lengths) == 200 * 24
    assert len(lengths) == len(seen) > 4
    assert len(set(seen)) == 1, "each shape costs a GPU new kernels"


@pytest.mark.parametrize("frames", [1, 70, 200])
def test_long_kernels_give_what_short_ones_would(frames: int) -> None:
    mx.random.seed(0)
    conv = DepthwiseConv(6, 61)
    x = mx.random.normal((2, frames, 6))
    padded = mx.pad(x, [(0, 0), (30, 30), (0, 0)])
    slow = sum(padded[:, k : k + frames] * conv.weight[:, k, 0] for k in range(61)) + conv.bias
    assert np.allclose(conv(x), slow, atol=1e-5)


def test_chunks_of_a_vocoder_with_long_kernels() -> None:
    voice = _lively(VocoderConfig(**{**SMALL, "kernel_sizes": (61,)}))
    reach = voice.backbone.reach
    mel = _mel(900)
    whole = voice.decode(mel)
    assert 6 * reach < 900, "one window would show nothing"
    assert np.allclose(voice.decode_chunked(mel, 64), whole, atol=1e-4 * np.abs(whole).max())
    # Or what is far away would not be heard, and this test would show nothing either.
    voice.backbone.reach = reach // 3
    assert not np.allclose(voice.decode_chunked(mel, 64), whole, atol=1e-3 * np.abs(whole).max())


def test_channels_of_a_batch_do_not_mix(voice: Vocoder) -> None:
    mel = _mel(20)
    both = voice.decode(mel)
    for channel in range(2):
        alone = voice.decode(mel[channel : channel + 1])
        assert mx.abs(alone - both[channel]).max() < 1e-5


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16])
def test_low_precision_stays_near(dtype: mx.Dtype) -> None:
    mx.random.seed(1)
    voice = Vocoder(VocoderConfig(**SMALL))
    exact = voice.decode(_mel(20))
    voice.set_dtype(dtype)
    assert voice.dtype == dtype
    low = voice.decode_chunked(_mel(20), 8)
    assert low.dtype == mx.float32
    assert mx.linalg.norm(low - exact) < 0.05 * mx.linalg.norm(exact)


def test_quantized_layers_stay_near() -> None:
    mx.random.seed(1)
    voice = Vocoder(VocoderConfig(**SMALL | {"dims": (32, 32), "num_mels": 32}))
    exact = voice.decode(_mel(20))
    nn.quantize(voice, group_size=32, bits=8)
    assert 0 < mx.linalg.norm(voice.decode(_mel(20)) - exact) < 0.05 * mx.linalg.norm(exact)


def test_a_gpu_keeps_kernels_until_weights_change(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (convolution, vocoder_head):
        monkeypatch.setattr(module, "on_cpu", lambda: False)
    head = Vocoder(VocoderConfig(**SMALL)).head
    before = head.ready()
    assert head.ready() is before
    head.conv_pre.weight = 2 * head.conv_pre.weight
    after = head.ready()
    assert after is not before
    assert mx.array_equal(after.conv_pre[0].weight, 2 * before.conv_pre[0].weight)
    assert head.ready() is after


def test_compiled_blocks_give_what_plain_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    head = _lively(VocoderConfig(**SMALL)).head
    features = [mx.random.normal(shape) for shape in ((2, 7, 12), (1, 1, 12), (2, 7, 12))]
    plain = [head(each) for each in features]
    last = head.resblocks[-1].convs2[0]
    own, changed = last.weight, 2 * last.weight
    last.weight = changed
    plain_changed = head(features[0])
    last.weight = own
    for module in (activations, convolution, vocoder_head):
        monkeypatch.setattr(module, "on_cpu", lambda: False)
    for each, expected in zip(features, plain, strict=True):
        assert mx.abs(head(each) - expected).max() < 1e-5
    # A compiled function keeps the weights that it was made with.
    last.weight = changed
    assert mx.abs(head(features[0]) - plain_changed).max() < 1e-5
    assert mx.abs(plain_changed - plain[0]).max() > 1e-3


def test_a_head_in_half_precision() -> None:
    voice = _lively(VocoderConfig(**SMALL))
    exact = voice.decode(_mel(20))
    assert voice.try_half_precision(voice.backbone(_mel(20)), None)
    assert voice.head.conv_pre.weight.dtype == mx.float16
    assert voice.dtype == mx.float32
    low = voice.decode_chunked(_mel(20), 8)
    assert low.dtype == mx.float32
    assert 0 < mx.linalg.norm(low - exact) < 2e-3 * mx.linalg.norm(exact)


def test_weights_beyond_half_precision_keep_their_own() -> None:
    voice = _lively(VocoderConfig(**SMALL))
    voice.head.ups[0].weight = 1e6 * voice.head.ups[0].weight
    voice.head.ups[1].weight = 1e-6 * voice.head.ups[1].weight
    exact = voice.decode(_mel(20))
    assert not voice.try_half_precision(voice.backbone(_mel(20)), None)
    assert voice.half_precision is False
    (note,) = MusicAutoencoder(DCAE(DCAEConfig()), voice).notes
    assert "float32" in note
    assert mx.array_equal(voice.decode(_mel(20)), exact)


def test_half_precision_is_tried_once_and_only_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = _lively(VocoderConfig(**SMALL))
    voice.decode_chunked(_mel(20), 8)
    assert voice.half_precision is None
    assert voice.bytes_to_save == 0
    monkeypatch.setattr(vocoder, "on_cpu", lambda: False)
    before, saved = _nbytes(voice.head), voice.bytes_to_save
    voice.decode_chunked(_mel(20), 8)
    assert voice.half_precision is True
    assert _nbytes(voice.head) == before - saved == saved
    assert voice.bytes_to_save == 0
    monkeypatch.setattr(Vocoder, "try_half_precision", lambda *_: pytest.fail("again"))
    voice.decode_chunked(_mel(20), 8)


def test_what_decides_keeps_the_pace_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its own would not know of the steps that are still under way, and without one, all
    of its steps would be at once."""
    paces: list[CountingPace] = []
    monkeypatch.setattr(vocoder, "on_cpu", lambda: False)
    monkeypatch.setattr(vocoder, "Pace", lambda: paces.append(CountingPace()) or paces[-1])
    voice = _lively(VocoderConfig(**SMALL))
    for _ in range(2):
        voice.decode_chunked(_mel(20), 8)
    assert voice.half_precision is True
    deciding, later = paces
    assert deciding.calls > later.calls > 0


def test_music_that_is_no_number_does_not_decide_on_half_precision() -> None:
    voice = _lively(VocoderConfig(**SMALL))
    assert not voice.try_half_precision(mx.nan * voice.backbone(_mel(20)), None)
    assert voice.half_precision is None
    assert voice.head.conv_pre.weight.dtype == mx.float32


def test_silence_does_not_decide_on_half_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """A song that begins with it is decided by what follows."""
    monkeypatch.setattr(vocoder, "on_cpu", lambda: False)
    voice, ready, loud = _lively(VocoderConfig(**SMALL)), Head.ready, []
    monkeypatch.setattr(
        Head, "ready", lambda self: lambda x, *pace: ready(self)(x, *pace) * (1.0 if loud else 1e-4)
    )
    pieces = voice.decode_chunks(_mel(300), 8)
    next(pieces)
    assert voice.half_precision is None
    assert voice.head.conv_pre.weight.dtype == mx.float32
    loud.append(True)
    next(pieces)
    assert voice.half_precision is True
    assert voice.head.conv_pre.weight.dtype == mx.float16


def test_half_precision_that_is_interrupted_leaves_the_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    voice = _lively(VocoderConfig(**SMALL))
    exact, cast = voice.decode(_mel(20)), voice.head.set_dtype

    def interrupted(dtype: mx.Dtype) -> None:
        cast(dtype)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(voice.head), "set_dtype", lambda self, dtype: interrupted(dtype))
    with pytest.raises(KeyboardInterrupt):
        voice.try_half_precision(voice.backbone(_mel(20)), None)
    assert voice.half_precision is None
    assert mx.array_equal(voice.decode(_mel(20)), exact)


def _published(old_spelling: bool = True) -> dict[str, mx.array]:
    """A checkpoint of the small model as torch would store it, weight norm included."""
    gain, direction = (
        ("weight_g", "weight_v")
        if old_spelling
        else ("parametrizations.weight.original0", "parametrizations.weight.original1")
    )
    rng = np.random.default_rng(4)
    tensors = {}
    for name, ours in tree_flatten(Vocoder(VocoderConfig(**SMALL)).parameters()):
        layer, _, leaf = name.rpartition(".")
        shape = ours.shape
        if ours.ndim == 3 and layer.startswith("head.ups"):
            shape = (shape[2], shape[0], shape[1])
        elif ours.ndim == 3:
            shape = (shape[0], shape[2], shape[1])
        elif ours.ndim == 2 and "channel_layers" in layer:
            shape = (*shape, 1)
        values = rng.standard_normal(shape).astype(np.float32)
        if layer.startswith("head.") and leaf == "weight":
            tensors[f"{layer}.{gain}"] = mx.array(values[:, :1, :1])
            tensors[f"{layer}.{direction}"] = mx.array(values)
        else:
            tensors[name] = mx.array(values)
    return tensors


@pytest.mark.parametrize("old_spelling", [True, False])
def test_weight_norm_is_folded(old_spelling: bool) -> None:
    published = _published(old_spelling)
    converted = sanitize(published)
    ours = dict(tree_flatten(Vocoder(VocoderConfig(**SMALL)).parameters()))
    assert {n: w.shape for n, w in converted.items()} == {n: w.shape for n, w in ours.items()}

    reference = _published()
    for layer, axes in (("head.ups.0", (1, 2, 0)), ("head.resblocks.1.convs1.0", (0, 2, 1))):
        gain = np.array(reference[f"{layer}.weight_g"])
        direction = np.array(reference[f"{layer}.weight_v"])
        norm = np.linalg.norm(direction.reshape(len(direction), -1), axis=1)[:, None, None]
        expected = (gain * direction / norm).transpose(axes)
        np.testing.assert_allclose(converted[f"{layer}.weight"], expected, rtol=1e-5, atol=1e-6)


def test_weights_without_weight_norm_are_read_too() -> None:
    published = _published()
    plain = {"head.conv_pre.weight": published["head.conv_pre.weight_v"]}
    assert mx.array_equal(
        sanitize(plain)["head.conv_pre.weight"],
        published["head.conv_pre.weight_v"].transpose(0, 2, 1),
    )


@pytest.mark.parametrize("old_spelling", [True, False])
@pytest.mark.parametrize("which", [0, 1])
def test_half_a_weight_norm_is_a_missing_tensor(which: int, old_spelling: bool) -> None:
    tensors = _published(old_spelling)
    lost = sorted(n for n in tensors if n.startswith("head.ups.1.") and "weight" in n)[which]
    del tensors[lost]
    with pytest.raises(KeyError) as missing:
        sanitize(tensors)
    assert missing.value.args == (lost,)


def test_gains_that_would_broadcast_are_refused() -> None:
    tensors = _published()
    tensors["head.ups.1.weight_g"] = mx.ones((1, 1, 1))
    with pytest.raises(ValueError, match="weight norm"):
        sanitize(tensors)


def test_mel_tables_are_constants(voice: Vocoder) -> None:
    names = dict(tree_flatten(voice.parameters()))
    assert names["mel_transform.spectrogram.window"].shape == (96,)
    assert names["mel_transform.mel_scale.fb"].shape == (49, 6)
    trained = dict(tree_flatten(voice.trainable_parameters()))
    assert not any(name.startswith("mel_transform") for name in trained)
    assert voice.mel_transform(mx.zeros((2, 240))).shape == (2, 10, 6)


def test_config_reads_json_and_ignores_what_it_does_not_know() -> None:
    data = {"_class_name": "ADaMoSHiFiGANV1", "drop_path_rate": 0.0, "dims": [8, 16, 32, 512]}
    config = VocoderConfig.from_dict(data)
    assert config.dims == (8, 16, 32, 512)
    assert config.input_channels == config.n_mels == 128
    assert config.mel.hop_length == config.hop_length


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("use_template", True),
        ("kernel_sizes", (3, 7)),
        ("kernel_sizes", (6,)),
        ("depths", (1, 2, 3)),
        ("num_mels", 13),
        ("win_length", 48),
        ("hop_length", 32),
        ("upsample_rates", ()),
        ("upsample_rates", (4, 2, 3, 1)),
        ("upsample_kernel_sizes", (7, 4, 7)),
        ("upsample_kernel_sizes", (2, 4, 7)),
        ("upsample_initial_channel", 4),
        ("resblock_kernel_sizes", (3, 8)),
        ("resblock_dilation_sizes", ((1,),)),
        ("pre_conv_kernel_size", 4),
        ("post_conv_kernel_size", 8),
    ],
)
def test_unsupported_options_are_named(option: str, value: Any) -> None:
    with pytest.raises(CheckpointError, match=f"music_vocoder config: {option}"):
        VocoderConfig.from_dict(SMALL | {option: value})
