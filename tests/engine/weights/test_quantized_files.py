from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_music.errors import CheckpointError, InvalidRequest
from mlx_music.weights.loading import load_component
from mlx_music.weights.misfit import Tensors
from mlx_music.weights.quantization import (
    PRESETS,
    QuantizationConfig,
    quantize_model,
    quantized_as_stored,
)
from mlx_music.weights.quantized_files import QuantizedComponent
from mlx_music.weights.safetensors_file import read_header
from tests.engine.weights.files import raw_file


class Network(nn.Module):
    """As published: `point.weight` is a convolution of kernel 1, `conv.weight` channels first."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Embedding(12, 64)
        self.attn = nn.Linear(64, 10)
        self.ff = nn.Linear(128, 6, bias=False)
        self.conv = nn.Conv1d(6, 6, 3)
        self.small = nn.Linear(48, 5)


def sanitize(tensors: Tensors) -> Tensors:
    made = {}
    for name, array in tensors.items():
        if name == "tied.weight":
            name = "shared.weight"
        elif name == "ff.weight" and array.ndim == 3:
            array = array.squeeze(-1)
        elif name.startswith("conv.weight_"):
            if name == "conv.weight_v":
                made["conv.weight"] = (tensors["conv.weight_g"] * array).transpose(0, 2, 1)
            continue
        made[name] = array
    return made


def is_unused(name: str) -> bool:
    return name.startswith("dead.")


def published(dtype: mx.Dtype) -> Tensors:
    key = mx.random.key(7)
    shapes = {
        "shared.weight": (12, 64),
        "attn.weight": (10, 64),
        "attn.bias": (10,),
        "ff.weight": (6, 128, 1),
        "conv.weight_v": (6, 6, 3),
        "conv.weight_g": (6, 1, 1),
        "conv.bias": (6,),
        "small.weight": (5, 48),
        "small.bias": (5,),
        "dead.weight": (100, 64),
    }
    keys = mx.random.split(key, len(shapes))
    return {
        name: mx.random.normal(shape, dtype=dtype, key=k)
        for (name, shape), k in zip(shapes.items(), keys, strict=True)
    }


def write_component(folder: Path, tensors: Tensors, name: str = "model.safetensors") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(folder / name), tensors, metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({"width": 64, "name": "é"}))
    return folder


def write_shards(folder: Path, tensors: Tensors) -> Path:
    weight_map = {}
    for number, name in enumerate(tensors):
        shard = f"model-{number:05d}.safetensors"
        write_component(folder, {name: tensors[name]}, shard)
        weight_map[name] = shard
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def planned(folder: Path, config: QuantizationConfig | None = None) -> QuantizedComponent:
    config = QuantizationConfig.for_balanced() if config is None else config
    return QuantizedComponent.of(Network(), folder, config, sanitize=sanitize, unused=is_unused)


def write(component: QuantizedComponent, folder: Path, **options: Any) -> Path:
    folder.mkdir()
    component.write(folder, **options)
    return folder


def load(folder: Path, dtype: mx.Dtype | None = None) -> Network:
    network = Network()
    load_component(
        network,
        folder,
        sanitize=sanitize,
        unused=is_unused,
        dtype=dtype,
        prepare=quantized_as_stored(folder),
    )
    return network


def parameters(network: nn.Module) -> dict[str, mx.array]:
    return dict(tree_flatten(network.parameters()))


def check_same(one: nn.Module, other: nn.Module) -> None:
    ours, theirs = parameters(one), parameters(other)
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        assert array.dtype == theirs[name].dtype
        assert mx.array_equal(array, theirs[name]).item(), name


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16, mx.float16])
@pytest.mark.parametrize("preset", PRESETS)
def test_same_as_quantized_in_memory(tmp_path: Path, preset: str, dtype: mx.Dtype) -> None:
    source = write_component(tmp_path / "source", published(dtype))
    config = PRESETS[preset]()
    in_memory = load(source)
    report = quantize_model(in_memory, config)
    component = planned(source, config)
    (tmp_path / "out").mkdir()
    assert component.write(tmp_path / "out").bits == report.bits
    check_same(load(tmp_path / "out"), in_memory)
    assert set(report.bits) == {"shared", "attn", "ff"}
    assert set(report.kept) == {"small"}


def test_compute_dtype_is_chosen_when_loading(tmp_path: Path) -> None:
    source = write_component(tmp_path / "source", published(mx.bfloat16))
    network = load(write(planned(source), tmp_path / "out"), mx.float32)
    assert network.attn.scales.dtype == network.conv.bias.dtype == mx.float32
    assert network.attn.weight.dtype == mx.uint32


def test_file(tmp_path: Path) -> None:
    """Kept tensors are the published ones, byte for byte; dead ones are gone; sizes are true."""
    tensors = published(mx.bfloat16)
    source = write_component(tmp_path / "source", tensors)
    component, steps = planned(source), []
    out = write(component, tmp_path / "out", on_step=lambda: steps.append(1))
    header = read_header(out / "model.safetensors")
    assert header.size == component.nbytes
    assert len(steps) == component.steps == len(header.tensors)
    assert header.metadata == {"format": "pt"}
    assert min(info.start for info in header.tensors.values()) % 8 == 0
    original = read_header(source / "model.safetensors")
    kept = set(tensors) - {"shared.weight", "attn.weight", "ff.weight", "dead.weight"}
    for name in kept:
        one, other = header.tensors[name], original.tensors[name]
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        raw, whole = (info.path.read_bytes() for info in (one, other))
        assert raw[one.start :][: one.nbytes] == whole[other.start :][: other.nbytes]
    quantized = {f"{layer}.{leaf}" for layer in ("shared", "attn", "ff")
                 for leaf in ("weight", "scales", "biases")}  # fmt: skip
    assert set(header.tensors) == kept | quantized
    assert header.tensors["ff.weight"].shape == (6, 128 * 4 // 32)
    assert header.tensors["attn.weight"].shape == (10, 64 * 8 // 32)
    assert header.tensors["attn.scales"].dtype == "BF16"


def test_config(tmp_path: Path) -> None:
    source = write_component(tmp_path / "source", published(mx.float32))
    out = write(planned(source), tmp_path / "out")
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    stored = config.pop("quantization")
    assert config == {"width": 64, "name": "é"}
    assert stored["layers"] == {"shared": 8, "attn": 8, "ff": 4}
    assert QuantizationConfig.from_dict(stored) == QuantizationConfig.for_balanced()


def test_shards_become_one_file(tmp_path: Path) -> None:
    whole = write_component(tmp_path / "whole", published(mx.float32))
    shards = write_shards(tmp_path / "shards", published(mx.float32))
    one, other = write(planned(whole), tmp_path / "a"), write(planned(shards), tmp_path / "b")
    assert {file.name for file in other.iterdir()} == {"config.json", "model.safetensors"}
    check_same(load(one), load(other))


def test_tied_weights_are_written_once(tmp_path: Path) -> None:
    tensors = published(mx.float32)
    tensors["tied.weight"] = tensors["shared.weight"]
    source = write_component(tmp_path / "source", tensors)
    out = write(planned(source), tmp_path / "out")
    header = read_header(out / "model.safetensors")
    assert "tied.weight" not in header.tensors
    assert load(out).shared.bits == 8


# --- memory

MEASURED = """
import json, resource, sys
from pathlib import Path
import mlx.core as mx
import mlx.nn as nn
from mlx_music.weights.quantization import QuantizationConfig
from mlx_music.weights.quantized_files import QuantizedComponent

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

count, rows, columns = map(int, sys.argv[3:])
def unchanged(tensors):
    return tensors

network = nn.Module()
network.layers = [nn.Linear(columns, rows, bias=False) for _ in range(count)]
mx.eval(mx.quantize(mx.ones((64, 64)), 64, 4))
before = peak()
QuantizedComponent.of(
    network, Path(sys.argv[1]), QuantizationConfig.for_speed(), sanitize=unchanged
).write(Path(sys.argv[2]))
print(json.dumps([before, peak()]))
"""


def test_memory_is_that_of_one_tensor(tmp_path: Path) -> None:
    """A component of 384 MB, in layers of 8 MB; the file is a hole, so it costs no disk."""
    count, rows, columns = 48, 1024, 4096
    nbytes = rows * columns * 2
    header = {
        f"layers.{i}.weight": {
            "dtype": "BF16",
            "shape": (rows, columns),
            "data_offsets": (i * nbytes, (i + 1) * nbytes),
        }
        for i in range(count)
    }
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    (source / "config.json").write_text("{}")
    path = source / "model.safetensors"
    path.write_bytes(raw_file(header))
    os.truncate(path, path.stat().st_size + count * nbytes)
    sizes = map(str, (count, rows, columns))
    engine = Path(__file__).parents[3] / "engine"
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(source), str(out), *sizes],
        env={**os.environ, "PYTHONPATH": str(engine)},
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = json.loads(done.stdout)
    assert after - before < 8 * nbytes
    assert after - before < 0.2 * count * nbytes
    assert (out / "model.safetensors").stat().st_size > count * nbytes // 4


# --- bad input


def failure(folder: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        planned(folder)
    message = str(caught.value)
    assert str(folder) in message
    assert "\n" not in message
    return message


def test_quantizing_what_is_quantized(tmp_path: Path) -> None:
    source = write_component(tmp_path / "source", published(mx.float32))
    out = write(planned(source), tmp_path / "out")
    assert "quantized already" in failure(out)


def test_source_of_another_model(tmp_path: Path) -> None:
    tensors = published(mx.float32)
    del tensors["attn.bias"]
    assert "'attn.bias'" in failure(write_component(tmp_path / "source", tensors))
    tensors = {**published(mx.float32), "surplus": mx.zeros(2)}
    assert "'surplus'" in failure(write_component(tmp_path / "other", tensors))


def test_weights_that_are_no_floats(tmp_path: Path) -> None:
    tensors = {**published(mx.float32), "attn.weight": mx.ones((10, 64), mx.int32)}
    message = failure(write_component(tmp_path / "source", tensors))
    assert "tensor 'attn.weight': weights of dtype I32 cannot be quantized" in message


def test_nothing_to_quantize(tmp_path: Path) -> None:
    source = write_component(tmp_path / "source", published(mx.float32))
    config = QuantizationConfig(attention=None, feed_forward=None, other=None)
    with pytest.raises(InvalidRequest, match="of source"):
        planned(source, config)


@pytest.mark.parametrize("tensor", ["attn.weight", "small.weight"])
def test_source_that_shrinks_meanwhile(tmp_path: Path, tensor: str) -> None:
    tensors = published(mx.float32)
    # MLX writes in an order of its own, and the last tensor is the one that is cut.
    order = [name for name in tensors if name != tensor] + [tensor]
    source = write_shards(tmp_path / "source", {name: tensors[name] for name in order})
    component = planned(source)
    shard = source / f"model-{len(order) - 1:05d}.safetensors"
    os.truncate(shard, shard.stat().st_size - 16)
    (tmp_path / "out").mkdir()
    with pytest.raises(CheckpointError, match=r"source.*(reading the weights failed|shorter)"):
        component.write(tmp_path / "out")


def test_bytes_of_a_layer(tmp_path: Path) -> None:
    """The report counts true bytes: 4 bits a weight and two 16-bit numbers for 64 weights."""
    tensors = {"ff.weight": mx.ones((6, 128), mx.bfloat16)}
    network = nn.Module()
    network.ff = nn.Linear(128, 6, bias=False)
    source = write_component(tmp_path / "source", tensors)
    component = QuantizedComponent.of(
        network, source, QuantizationConfig.for_speed(), sanitize=lambda w: w
    )
    (tmp_path / "out").mkdir()
    report = component.write(tmp_path / "out")
    assert report.bytes_before == 6 * 128 * 2
    assert report.bytes_after == 6 * 128 * 4.5 / 8
    stored = np.frombuffer((tmp_path / "out" / "model.safetensors").read_bytes(), np.uint8)
    assert stored.size == component.nbytes
