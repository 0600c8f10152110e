"""A small network, adapters for it, and damaged ones, for the tests of LoRA."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten
from safetensors.numpy import save_file

from mlx_music.errors import CheckpointError
from mlx_music.weights.lora import AdapterSet

RANK = 4
ALPHA = 8.0
RSLORA = {"r": RANK, "lora_alpha": ALPHA, "use_rslora": True}
Arrays = dict[str, Any]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedder = nn.Linear(64, 32)
        self.blocks = [Block(), Block()]
        self.norm = nn.LayerNorm(32)

    @classmethod
    def evaluated(cls) -> Network:
        mx.random.seed(0)
        network = cls()
        mx.eval(network.parameters())
        return network

    def __call__(self, x: mx.array) -> mx.array:
        x = self.embedder(x)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.to_q = nn.Linear(32, 64)
        self.to_out = [nn.Linear(64, 32, bias=False)]
        self.depth = nn.Conv1d(32, 32, 3, padding=1, groups=32)

    def __call__(self, x: mx.array) -> mx.array:
        return x + self.depth(self.to_out[0](nn.silu(self.to_q(x))))


LAYERS = {
    "embedder": (64, 32),
    "blocks.0.to_q": (32, 64),
    "blocks.0.to_out.0": (64, 32),
    "blocks.1.to_q": (32, 64),
    "blocks.1.to_out.0": (64, 32),
}


def normal(*shape: int) -> Any:
    return np.random.default_rng(math.prod(shape)).standard_normal(shape).astype(np.float32) / 8


def adapter(
    layers: Mapping[str, tuple[int, int]] = LAYERS,
    *,
    rank: int = RANK,
    down: str = "lora_A.weight",
    up: str = "lora_B.weight",
    prefix: str = "",
    alpha: float | None = None,
) -> Arrays:
    arrays = {}
    for layer, (inputs, outputs) in layers.items():
        arrays[f"{prefix}{layer}.{down}"] = normal(rank, inputs)
        arrays[f"{prefix}{layer}.{up}"] = normal(outputs, rank)
        if alpha is not None:
            arrays[f"{prefix}{layer}.alpha"] = np.array(alpha, np.float32)
    return arrays


def write(
    folder: Path,
    arrays: Arrays,
    name: str = "pytorch_lora_weights.safetensors",
    metadata: dict[str, str] | None = None,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(arrays, str(folder / name), metadata)
    return folder / name


def merged(network: Network, arrays: Arrays, scale: float) -> Network:
    """Another network, whose own weights have the adapter in them."""
    other = Network()
    other.update(network.parameters())
    weights = dict(tree_flatten(network.parameters()))
    for layer in LAYERS:
        if f"{layer}.lora_A.weight" in arrays:
            product = arrays[f"{layer}.lora_B.weight"] @ arrays[f"{layer}.lora_A.weight"]
            change = mx.array(scale * product)
            other.load_weights([(f"{layer}.weight", weights[f"{layer}.weight"] + change)], False)
    return other


def close(actual: mx.array, expected: mx.array, tolerance: float = 1e-5) -> bool:
    assert actual.shape == expected.shape
    return float(mx.abs(actual - expected).max()) < tolerance


def same_objects(network: nn.Module, layers: Mapping[str, nn.Module]) -> bool:
    return {name: id(layer) for name, layer in network.named_modules()} == {
        name: id(layer) for name, layer in layers.items()
    }


def network_of(network: Network) -> Network:
    """The network without its adapters, as another object."""
    other = Network()
    plain = {
        name.replace(".base.", "."): array for name, array in tree_flatten(network.parameters())
    }
    other.load_weights(list(plain.items()))
    return other


class Guard:
    """An adapter set with one adapter; afterwards it and the network must be as they were."""

    def __init__(self, tmp_path: Path, network: Network, x: mx.array) -> None:
        self.adapters = AdapterSet(network)
        self.adapters.add(write(tmp_path / "there", adapter()))
        self._network, self._x = network, x
        self._before = (self.adapters.active, network(x))
        self._layers = dict(network.named_modules())

    def refuses(self, path: Any, **options: Any) -> str:
        with pytest.raises(CheckpointError) as caught:
            self.adapters.add(path, **options)
        self.check()
        message = str(caught.value)
        assert "\n" not in message
        return message

    def check(self) -> None:
        active, out = self._before
        assert self.adapters.active == active
        assert same_objects(self._network, self._layers)
        assert mx.array_equal(self._network(self._x), out)


def bad(name: str) -> Arrays:
    """An adapter with one fault; those that are only said in a word are put in its place."""
    arrays = adapter()
    a, b = "blocks.1.to_q.lora_A.weight", "blocks.1.to_q.lora_B.weight"
    if name == "A without B":
        del arrays[b]
    elif name == "B without A":
        del arrays[a]
    elif name == "ranks":
        arrays[b] = normal(64, RANK + 1)
    elif name == "inputs":
        arrays[a] = normal(RANK, 48)
    elif name == "outputs":
        arrays[b] = normal(65, RANK)
    elif name == "kernel":
        arrays[a] = normal(RANK, 32, 3)
    elif name == "vector":
        arrays[a] = normal(32)
    elif name == "no rank":
        arrays[a], arrays[b] = normal(0, 32), normal(64, 0)
    elif name == "integers":
        arrays[a] = np.ones((RANK, 32), np.int32)
    elif name == "NaN":
        arrays[b] = np.full((64, RANK), np.nan, np.float32)
    elif name == "infinite":
        arrays[a] = np.full((RANK, 32), np.inf, np.float32)
    elif name == "other layer":
        arrays["blocks.2.to_q.lora_A.weight"] = normal(RANK, 32)
        arrays["blocks.2.to_q.lora_B.weight"] = normal(64, RANK)
    elif name == "convolution":
        arrays["blocks.1.depth.lora_A.weight"] = normal(RANK, 1, 3)
        arrays["blocks.1.depth.lora_B.weight"] = normal(32, RANK, 1)
    elif name == "twice":
        arrays["transformer." + a], arrays["transformer." + b] = arrays[a], arrays[b]
    elif name == "two adapters":
        arrays["blocks.1.to_q.lora_A.other.weight"] = arrays[a]
    elif name == "DoRA":
        arrays["blocks.1.to_q.lora_magnitude_vector"] = normal(64)
    elif name == "bias":
        arrays["blocks.1.to_q.lora_B.bias"] = normal(64)
    elif name == "base weight":
        arrays["blocks.1.to_q.weight"] = normal(64, 32)
    return arrays
