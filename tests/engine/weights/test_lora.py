from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from mlx_music.errors import InvalidRequest
from mlx_music.weights.lora import AdaptedLayer, AdapterSet
from tests.engine.weights.fake_hub import FakeHub
from tests.engine.weights.lora_cases import (
    ALPHA,
    RANK,
    RSLORA,
    Arrays,
    Guard,
    Network,
    adapter,
    close,
    merged,
    network_of,
    normal,
    same_objects,
    write,
)


@pytest.mark.parametrize("weight", [1.0, 0.8, -3, 3.0])
def test_adds_its_factors(tmp_path: Path, network: Network, x: mx.array, weight: float) -> None:
    path, plain = write(tmp_path, adapter()), network(x)
    AdapterSet(network).add(path, weight=weight)
    assert close(network(x), merged(network_of(network), adapter(), weight)(x), 1e-4)
    assert not close(network(x), plain, 1e-2)


def test_a_weight_of_zero_is_without_it(tmp_path: Path, network: Network, x: mx.array) -> None:
    plain = network(x)
    adapters = AdapterSet(network)
    adapters.add(write(tmp_path, adapter()), weight=0.0)
    assert mx.array_equal(network(x), plain)
    assert [name for name, *_ in adapters.active] == [tmp_path.name]


def test_several_at_once_add_up(tmp_path: Path, network: Network, x: mx.array) -> None:
    first = adapter({"embedder": (64, 32), "blocks.0.to_q": (32, 64)})
    second = adapter({"embedder": (64, 32), "blocks.1.to_q": (32, 64)}, rank=2)
    expected = merged(merged(network, first, 0.5), second, -1.5)(x)
    adapters = AdapterSet(network)
    adapters.add(write(tmp_path / "a", first), weight=0.5)
    adapters.add(write(tmp_path / "b", second), weight=-1.5)
    assert close(network(x), expected)
    assert [(a.name, a.weight, a.path.parent) for a in adapters.active] == [
        ("a", 0.5, tmp_path / "a"),
        ("b", -1.5, tmp_path / "b"),
    ]


def test_change_and_remove_in_any_order(tmp_path: Path, network: Network, x: mx.array) -> None:
    layers, plain = dict(network.named_modules()), network(x)
    adapters = AdapterSet(network)
    for name in "abc":
        adapters.add(write(tmp_path / name, adapter(rank=len(name))))
    adapters.set_weight("b", -0.5)
    adapters.remove("a")
    adapters.remove("c")
    assert close(network(x), merged(network_of(network), adapter(rank=1), -0.5)(x))
    adapters.set_weight("b", 0.0)
    assert mx.array_equal(network(x), plain)
    adapters.set_weight("b", 2.0)
    adapters.remove("b")
    assert adapters.active == []
    assert same_objects(network, layers)
    assert mx.array_equal(network(x), plain)


def test_an_adapted_layer_looks_like_its_own(tmp_path: Path, network: Network) -> None:
    weight, bias = network.embedder.weight, network.embedder.bias
    AdapterSet(network).add(write(tmp_path, adapter()))
    assert isinstance(network.embedder, AdaptedLayer)
    assert network.embedder.weight is weight
    assert network.embedder.bias is bias
    assert not hasattr(network.embedder, "nothing")
    # Adapters are no parameters of the network: a count of its bytes does not change.
    names = {name.replace(".base.", ".") for name, _ in tree_flatten(network.parameters())}
    assert names == {name for name, _ in tree_flatten(Network().parameters())}


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16])
def test_computes_in_the_network_s_dtype(
    tmp_path: Path, network: Network, x: mx.array, dtype: mx.Dtype
) -> None:
    expected = merged(network, adapter(), 1.0)(x)
    network.set_dtype(dtype)
    AdapterSet(network).add(write(tmp_path, adapter()))
    out = network(x.astype(dtype))
    assert out.dtype == dtype
    assert close(out.astype(mx.float32), expected, 0.1)
    assert {term.down.dtype for term in network.embedder._terms} == {dtype}


def test_on_a_quantized_network(tmp_path: Path, network: Network, x: mx.array) -> None:
    nn.quantize(network, group_size=32, bits=4)
    layers, plain = dict(network.named_modules()), network(x)
    adapters = AdapterSet(network)
    adapters.add(write(tmp_path, adapter()))
    layer = network.blocks[0].to_q
    assert isinstance(layer.base, nn.QuantizedLinear)
    inputs = mx.random.normal((3, 32))
    change = inputs @ mx.array(normal(RANK, 32)).T @ mx.array(normal(64, RANK)).T
    assert close(layer(inputs), layer.base(inputs) + change)
    adapters.clear()
    assert same_objects(network, layers)
    assert mx.array_equal(network(x), plain)


def test_quantizing_an_adapted_network(tmp_path: Path, network: Network, x: mx.array) -> None:
    adapters = AdapterSet(network)
    adapters.add(write(tmp_path, adapter()))
    before = network(x)
    nn.quantize(network, group_size=32, bits=8)
    assert close(network(x), before, 0.2)
    adapters.clear()
    assert isinstance(network.embedder, nn.QuantizedLinear)
    assert not any(isinstance(layer, AdaptedLayer) for layer in network.modules())


def test_network_that_is_opened_anew(tmp_path: Path, network: Network, x: mx.array) -> None:
    layers, plain = dict(network.named_modules()), network(x)
    adapters = AdapterSet(network)
    adapters.add(write(tmp_path, adapter()), weight=2.0)
    adapted = network(x)
    adapters.detach()
    assert same_objects(network, layers)
    adapters.set_weight(tmp_path.name, 1.0)
    adapters.set_weight(tmp_path.name, 2.0)
    again = network_of(network)
    adapters.attach(again)
    adapters.attach(again)
    assert mx.array_equal(again(x), adapted)
    assert mx.array_equal(network(x), plain)


def test_names(tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    adapters = AdapterSet(network)
    write(tmp_path / "folder", adapter())
    monkeypatch.chdir(tmp_path)
    assert adapters.add("folder").name == "folder"
    adapters.remove("folder")
    assert adapters.add("folder/pytorch_lora_weights.safetensors").name == "folder"
    write(tmp_path / "other", adapter(), "singer.safetensors")
    assert adapters.add(tmp_path / "other" / "singer.safetensors").name == "singer"
    assert adapters.add("other").name == "other"
    assert adapters.add("other", name="mine").name == "mine"
    write(tmp_path / "peft", adapter(), "adapter_model.safetensors")
    assert adapters.add("peft").path == Path("peft/adapter_model.safetensors")


@pytest.mark.parametrize("config", [None, RSLORA])
def test_hub_id(
    hub: FakeHub, tmp_path: Path, network: Network, x: mx.array, config: Arrays | None
) -> None:
    weights = write(tmp_path, adapter(), "adapter_model.safetensors").read_bytes()
    files = {"adapter_model.safetensors": weights, "README.md": b"not needed"}
    if config is not None:
        files["adapter_config.json"] = json.dumps(config).encode()
    hub.add("somebody/a-voice", files)
    adapters, calls = AdapterSet(network), []
    added = adapters.add("somebody/a-voice", progress=lambda done, total: calls.append(done))
    assert added.name == "a-voice"
    assert calls[-1] == len(weights) + (0 if config is None else len(files["adapter_config.json"]))
    scale = 1.0 if config is None else ALPHA / math.sqrt(RANK)
    assert close(network(x), merged(network_of(network), adapter(), scale)(x), 1e-4)
    # The second time the cache has it all.
    requests = len(hub.requests)
    adapters.add("somebody/a-voice", name="again", download=False)
    assert len(hub.requests) == requests


@pytest.mark.parametrize("weight", [3.01, -4, math.nan, math.inf, "1", True, None])
def test_weights_out_of_range(tmp_path: Path, guard: Guard, weight: Any) -> None:
    for call in (
        lambda: guard.adapters.add(tmp_path / "there", name="new", weight=weight),
        lambda: guard.adapters.set_weight("there", weight),
    ):
        with pytest.raises(InvalidRequest, match=r"^weight: .* must be -3 to 3$") as caught:
            call()
        assert caught.value.field == "weight"
        guard.check()


def test_names_that_are_taken_or_unknown(tmp_path: Path, guard: Guard) -> None:
    for call, words in (
        (lambda: guard.adapters.add(tmp_path / "there"), "'there' is in use"),
        (lambda: guard.adapters.add(tmp_path / "there", name=""), "is empty"),
        (lambda: guard.adapters.set_weight("none", 1.0), "there are: 'there'"),
        (lambda: guard.adapters.remove("none"), "there are: 'there'"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            call()
        guard.check()
