from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from mlx_music.errors import CheckpointError, InvalidRequest
from mlx_music.weights.quantization import (
    PRESETS,
    QuantizationConfig,
    QuantizationReport,
    kind_of_layer,
    quantize_model,
    quantize_networks,
    quantized_as_stored,
    stored_entry,
)


class Network(nn.Module):
    """Every kind of layer, and two whose input size is no multiple of 64."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, width)
        self.blocks = [Block(width), Block(width)]
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, 3, padding=1)
        self.head = nn.Linear(96, 8)

    def __call__(self, ids: mx.array) -> mx.array:
        x = self.embedding(ids)
        for block in self.blocks:
            x = block(x)
        return self.conv(self.norm(x))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiHeadAttention(width, 2, bias=True)
        self.ff = [nn.Linear(width, 96), nn.Linear(96, width, bias=False)]

    def __call__(self, x: mx.array) -> mx.array:
        x = x + self.self_attn(x, x, x)
        return x + self.ff[1](nn.silu(self.ff[0](x)))


IDS = mx.array([[1, 2, 3, 9]])


def new() -> Network:
    mx.random.seed(0)
    network = Network()
    mx.eval(network.parameters())
    return network


def layers(network: nn.Module) -> dict[str, Any]:
    """Every matrix of the network by its path."""
    kinds = (nn.Linear, nn.Embedding, nn.QuantizedLinear, nn.QuantizedEmbedding)
    return {path: layer for path, layer in network.named_modules() if isinstance(layer, kinds)}


def parameters(network: nn.Module) -> dict[str, mx.array]:
    return dict(tree_flatten(network.parameters()))


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = parameters(one), parameters(other)
    return ours.keys() == theirs.keys() and all(
        array.dtype == theirs[name].dtype and mx.array_equal(array, theirs[name]).item()
        for name, array in ours.items()
    )


# --- in memory


@pytest.mark.parametrize("preset", PRESETS)
def test_every_matrix_is_quantized_or_reported(preset: str) -> None:
    config, network = PRESETS[preset](), new()
    before = layers(network)
    report = quantize_model(network, config)
    after = layers(network)
    assert report.bits.keys() | report.kept.keys() == before.keys() == after.keys()
    for path, layer in after.items():
        inputs = before[path].weight.shape[1]
        assert (path in report.kept) == (inputs % 64 != 0)
        if path in report.bits:
            assert isinstance(layer, nn.QuantizedLinear | nn.QuantizedEmbedding)
            assert (layer.bits, layer.group_size) == (report.bits[path], 64)
        else:
            assert layer is before[path]
            assert f"input size {inputs} is no multiple of 64" in report.kept[path]


@pytest.mark.parametrize(
    ("config", "attention", "feed_forward", "other"),
    [
        (QuantizationConfig.for_speed(), 4, 4, 4),
        (QuantizationConfig.for_balanced(), 8, 4, 8),
        (QuantizationConfig.for_quality(), 8, 8, 8),
        (QuantizationConfig(attention=3, feed_forward=None, other=6), 3, None, 6),
    ],
)
def test_bits_by_kind(
    config: QuantizationConfig, attention: int, feed_forward: int | None, other: int
) -> None:
    report = quantize_model(new(), config)
    assert report.bits["blocks.1.self_attn.query_proj"] == attention
    assert report.bits["blocks.0.self_attn.out_proj"] == attention
    assert report.bits.get("blocks.1.ff.0") == feed_forward
    assert report.bits["embedding"] == other
    if feed_forward is None:
        assert report.kept["blocks.1.ff.0"] == "the configuration keeps this kind of layer"


def test_kinds() -> None:
    for path in ("a.attn.to_q", "a.cross_attn.to_out.0", "encoder.0.SelfAttention.q"):
        assert kind_of_layer(path) == "attention"
    for path in ("a.ff.point_conv.conv", "x.feed_forward.w_1", "mlp.up", "DenseReluDense.wo"):
        assert kind_of_layer(path) == "feed_forward"
    for path in ("proj_in.0", "effects", "offset.lin", "buffer.ffn_like"):
        assert kind_of_layer(path) == "other"


def test_another_classification() -> None:
    config = QuantizationConfig(attention=8, feed_forward=4, other=2)
    report = quantize_model(new(), config, kind_of=lambda path: "feed_forward")
    assert set(report.bits.values()) == {4}


def test_smaller_groups_reach_more_layers() -> None:
    network = new()
    report = quantize_model(network, QuantizationConfig(group_size=32))
    assert not report.kept
    assert network.head.group_size == 32


def test_more_bits_are_closer() -> None:
    exact = new()(IDS)

    def error(config: QuantizationConfig) -> float:
        network = new()
        quantize_model(network, config)
        return float(mx.linalg.norm(network(IDS) - exact) / mx.linalg.norm(exact))

    groups = QuantizationConfig(group_size=32)
    errors = [error(replace(groups, attention=a, feed_forward=f, other=f)) for a, f in
              ((8, 8), (8, 4), (4, 4), (2, 2))]  # fmt: skip
    assert errors == sorted(errors)
    assert 0.0 < errors[0] < 0.02
    assert errors[2] < 0.2 < errors[3]


def test_report_counts_bytes() -> None:
    network = new()
    report = quantize_model(network, QuantizationConfig.for_speed())
    assert report.bytes_before == sum(array.nbytes for array in parameters(new()).values())
    assert report.bytes_after == sum(array.nbytes for array in parameters(network).values())
    # 4 bits, and a float32 scale and offset for each group of 64.
    weights = network.blocks[0].ff[0]
    arrays = (weights.weight, weights.scales, weights.biases)
    assert sum(array.nbytes for array in arrays) == 128 * 96 * (4 + 64 / 64) / 8


def test_scales_keep_the_dtype() -> None:
    network = new()
    network.set_dtype(mx.bfloat16)
    quantize_model(network, QuantizationConfig.for_quality())
    assert network.embedding.scales.dtype == mx.bfloat16
    assert network(IDS).dtype == mx.bfloat16


def test_memory_falls_with_every_layer() -> None:
    """The old weights are let go one by one, so both forms are never there at once."""
    network = nn.Module()
    network.layers = [nn.Linear(512, 1024, bias=False) for _ in range(8)]
    mx.eval(network.parameters())
    layer = 512 * 1024 * 4
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    quantize_model(network, QuantizationConfig.for_quality())
    assert mx.get_peak_memory() - before < layer
    assert mx.get_active_memory() - before < -5 * layer


class Pipeline:
    def __init__(self) -> None:
        self.first, self.second = new(), new()

    def quantize(
        self, config: QuantizationConfig, parts: Sequence[str] | None
    ) -> QuantizationReport:
        networks = {"first": self.first, "second": self.second}
        chosen = networks if parts is None else {part: networks[part] for part in parts}
        return quantize_networks(chosen, config)


def test_pipeline() -> None:
    pipeline = Pipeline()
    report = quantize_model(pipeline, QuantizationConfig.for_speed(), parts=["second"])
    assert not isinstance(pipeline.first.embedding, nn.QuantizedEmbedding)
    assert isinstance(pipeline.second.embedding, nn.QuantizedEmbedding)
    assert all(path.startswith("second.") for path in (*report.bits, *report.kept))
    pipeline = Pipeline()
    report = quantize_model(pipeline, QuantizationConfig.for_speed())
    one = quantize_model(new(), QuantizationConfig.for_speed())
    assert len(report.bits) == 2 * len(one.bits)
    assert report.bytes_after == 2 * one.bytes_after


def test_quantizing_what_is_quantized() -> None:
    pipeline = Pipeline()
    quantize_model(pipeline.second, QuantizationConfig.for_quality())
    before = parameters(pipeline.second)
    with pytest.raises(CheckpointError, match=r"quantized already .* of second has 8 bits"):
        quantize_model(pipeline, QuantizationConfig.for_speed())
    # Neither of the two is touched.
    assert same(pipeline.first, new())
    assert all(array is before[name] for name, array in parameters(pipeline.second).items())
    with pytest.raises(CheckpointError, match="quantized already"):
        quantize_model(pipeline.second, QuantizationConfig.for_speed())


def test_nothing_to_quantize() -> None:
    with pytest.raises(InvalidRequest, match="groups of 128") as caught:
        quantize_model(Network(width=32), QuantizationConfig(group_size=128))
    assert caught.value.field == "group_size"


# --- the configuration


@pytest.mark.parametrize("field", ["attention", "feed_forward", "other", "group_size"])
@pytest.mark.parametrize("value", [1, 7, 16, 0, -4, True, "4", 4.5])
def test_values_that_mlx_does_not_have(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        QuantizationConfig(**{field: value})
    assert caught.value.field == field
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_config_as_json(preset: str) -> None:
    config = replace(PRESETS[preset](), group_size=128, other=None)
    assert QuantizationConfig.from_dict(config.to_dict()) == config
    assert QuantizationConfig.from_dict(stored_entry(config, {"a": 4})) == config


# --- networks for stored weights


def prepared(tmp_path: Path, stored: Any, network: nn.Module | None = None) -> nn.Module:
    network = new() if network is None else network
    quantized_as_stored(tmp_path)(network, {"width": 128, "quantization": stored})
    return network


@pytest.mark.parametrize("preset", PRESETS)
def test_prepared_network_has_the_layers_of_a_quantized_one(tmp_path: Path, preset: str) -> None:
    config, quantized = PRESETS[preset](), new()
    report = quantize_model(quantized, config)
    network = prepared(tmp_path, stored_entry(config, report.bits))
    assert same(network, quantized)
    assert {path: getattr(layer, "bits", None) for path, layer in layers(network).items()} == {
        path: getattr(layer, "bits", None) for path, layer in layers(quantized).items()
    }


def test_ordinary_component_stays_as_it_is(tmp_path: Path) -> None:
    network = new()
    quantized_as_stored(tmp_path)(network, {"width": 128})
    assert same(network, new())


def entry(**changes: Any) -> dict[str, Any]:
    return {**stored_entry(QuantizationConfig(), {"blocks.0.ff.0": 4}), **changes}


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ([4], "affine"),
        (entry(mode="mxfp4"), "affine"),
        ({}, "affine"),
        (entry(group_size=48), "group_size 48"),
        (entry(group_size=None), "group_size None"),
        (entry(layers=None), "lists no layers"),
        (entry(layers=["blocks.0.ff.0"]), "lists no layers"),
        (entry(layers={"blocks.7.ff.0": 4}), "no layer 'blocks.7.ff.0'"),
        (entry(layers={"conv": 4}), "no layer 'conv'"),
        (entry(layers={"head": 4}), "layer 'head' has no groups of 64"),
        (entry(layers={"blocks.0.ff.0": 7}), "'blocks.0.ff.0': 7 bits"),
        (entry(layers={"blocks.0.ff.0": "4"}), "'blocks.0.ff.0': '4' bits"),
    ],
)
def test_entries_that_do_not_suit(tmp_path: Path, stored: Any, words: str) -> None:
    network = new()
    with pytest.raises(CheckpointError) as caught:
        prepared(tmp_path, stored, network)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'config.json'}: 'quantization': ")
    assert words in message
    assert same(network, new())
