"""Rows of a table that stays in its file are those of the table in memory."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_music.errors import CheckpointError
from mlx_music.weights.loading import load_component
from mlx_music.weights.quantization import (
    QuantizationConfig,
    quantize_model,
    quantized_as_stored,
)
from mlx_music.weights.quantized_files import QuantizedComponent
from mlx_music.weights.table_on_disk import EmbeddingOnDisk
from tests.engine.weights.test_quantized_files import write_component, write_shards

ROWS, COLUMNS = 40, 64
IDS = mx.array([[3, 39, 0, 3], [7, 7, 12, 38]])


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = {"shared": nn.Embedding(ROWS, COLUMNS)}
        self.linear = nn.Linear(COLUMNS, 8, bias=False)

    def __call__(self, ids: mx.array) -> mx.array:
        return self.inner["shared"](ids)


PATH = "inner.shared"


def sanitize(tensors: dict[str, mx.array]) -> dict[str, mx.array]:
    return {name.replace("tied.", "inner.shared."): array for name, array in tensors.items()}


def published(dtype: mx.Dtype = mx.float32) -> dict[str, mx.array]:
    table, matrix = (mx.random.key(seed) for seed in (1, 2))
    return {
        "tied.weight": mx.random.normal((ROWS, COLUMNS), key=table).astype(dtype),
        "linear.weight": mx.random.normal((8, COLUMNS), key=matrix).astype(dtype),
    }


def load(folder: Path, *, on_disk: bool = True, dtype: mx.Dtype | None = mx.float32) -> Network:
    network = Network()
    load_component(
        network,
        folder,
        sanitize=sanitize,
        dtype=dtype,
        prepare=quantized_as_stored(folder),
        on_disk=(PATH,) if on_disk else (),
    )
    return network


def check_equal(folder: Path, **options: Any) -> None:
    ours, whole = load(folder, **options), load(folder, on_disk=False, **options)
    assert isinstance(ours.inner["shared"], EmbeddingOnDisk)
    rows, expected = ours(IDS), whole(IDS)
    assert (rows.dtype, rows.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(*(np.array(x.view(mx.uint8)) for x in (rows, expected)))


@pytest.mark.parametrize("stored", [mx.float32, mx.float16, mx.bfloat16])
@pytest.mark.parametrize("dtype", [None, mx.float32, mx.bfloat16])
def test_rows_are_the_tables(tmp_path: Path, stored: mx.Dtype, dtype: mx.Dtype | None) -> None:
    check_equal(write_component(tmp_path / "a", published(stored)), dtype=dtype)


def test_a_table_in_a_shard(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    check_equal(write_shards(folder, published()))


def test_it_is_no_parameter(tmp_path: Path) -> None:
    network = load(write_component(tmp_path / "a", published()))
    assert [name for name, _ in tree_flatten(network.parameters())] == ["linear.weight"]


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("stored", [mx.float32, mx.float16])
def test_quantized_in_the_file(tmp_path: Path, bits: int, stored: mx.Dtype) -> None:
    folder = write_component(tmp_path / "a", published(stored))
    config = QuantizationConfig(bits, bits, bits)
    component = QuantizedComponent.of(Network(), folder, config, sanitize=sanitize)
    (tmp_path / "b").mkdir()
    component.write(tmp_path / "b")
    check_equal(tmp_path / "b")
    with pytest.raises(CheckpointError, match="quantized already"):
        quantize_model(load(tmp_path / "b"), config)


@pytest.mark.parametrize("bits", [4, 8])
def test_quantized_in_memory(tmp_path: Path, bits: int) -> None:
    folder = write_component(tmp_path / "a", published())
    config = QuantizationConfig(bits, bits, bits)
    ours, whole = load(folder), load(folder, on_disk=False)
    reports = [quantize_model(network, config) for network in (ours, whole)]
    assert reports[0].bits == reports[1].bits == {PATH: bits, "linear": bits}
    np.testing.assert_array_equal(np.array(ours(IDS)), np.array(whole(IDS)))
    with pytest.raises(CheckpointError, match="quantized already"):
        quantize_model(ours, config)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("missing", "missing: 'inner.shared.weight'"),
        ("surplus", "unknown"),
        ("shape", "wrong shape"),
    ],
)
def test_loading_is_as_strict(tmp_path: Path, change: str, problem: str) -> None:
    tensors = published()
    if change == "missing":
        del tensors["tied.weight"]
    elif change == "surplus":
        tensors["tied.bias"] = mx.zeros((3,))
    else:
        tensors["tied.weight"] = mx.zeros((ROWS + 1, COLUMNS))
    with pytest.raises(CheckpointError, match=problem):
        load(write_component(tmp_path / "a", tensors))


def test_only_embeddings_that_are_in_the_file_as_they_are(tmp_path: Path) -> None:
    folder = write_component(tmp_path / "a", published())
    with pytest.raises(ValueError, match="is no embedding"):
        load_component(Network(), folder, sanitize=sanitize, on_disk=("linear",))

    def scaled(tensors: dict[str, mx.array]) -> dict[str, mx.array]:
        return {name: 2 * array for name, array in sanitize(tensors).items()}

    with pytest.raises(ValueError, match="not in the file"):
        load_component(Network(), folder, sanitize=scaled, on_disk=(PATH,))


def test_a_row_that_is_not_there(tmp_path: Path) -> None:
    network = load(write_component(tmp_path / "a", published()))
    with pytest.raises(CheckpointError, match="has 40 rows, and row 40 is asked for"):
        network(mx.array([[1, 40]]))


def test_a_file_that_was_cut(tmp_path: Path) -> None:
    folder = write_component(tmp_path / "a", published())
    network = load(folder)
    os.truncate(folder / "model.safetensors", 600)
    with pytest.raises(CheckpointError, match="shorter"):
        network(IDS)


def test_a_model_outlives_its_folder_and_its_file_is_closed_with_it(tmp_path: Path) -> None:
    folder = write_component(tmp_path / "a", published())
    network = load(folder)
    before = np.array(network(IDS))
    descriptor = network.inner["shared"].weight._file
    shutil.rmtree(folder)
    np.testing.assert_array_equal(np.array(network(IDS)), before)
    del network
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
