from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_music.errors import CheckpointError
from mlx_music.weights import loading
from mlx_music.weights.loading import LoadReport, evaluate_parameters, load_component, read_config
from mlx_music.weights.misfit import Tensors
from tests.engine.weights.files import entry, ramp, raw_file, write_shards, write_weights


class Block(nn.Module):
    """As published: conv.weight (out, in, kernel) in two tensors of weight norm; proj; table."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, kernel_size=3)
        self.proj = nn.Linear(4, 5, bias=False)
        self.table = mx.zeros((2, 4))


def published() -> dict[str, Any]:
    return {
        "block.conv.weight_g": np.full((6, 1, 1), 2.0, np.float32),
        "block.conv.weight_v": ramp(6, 4, 3),
        "block.conv.bias": ramp(6),
        "block.proj.weight": ramp(5, 4),
        "block.table": ramp(2, 4),
    }


def sanitize(tensors: Tensors) -> Tensors:
    """Fuse weight norm and put the channels last, as a network's own function does."""
    made = {}
    for name, array in tensors.items():
        name = name.removeprefix("block.")
        if name.endswith(".weight_v"):
            layer = name.removesuffix(".weight_v")
            gain = tensors[f"block.{layer}.weight_g"]
            norm = mx.sqrt((array * array).sum(axis=(1, 2), keepdims=True))
            made[f"{layer}.weight"] = (gain * array / norm).transpose(0, 2, 1)
        elif not name.endswith(".weight_g"):
            made[name] = array
    return made


def load(folder: Path, module: nn.Module | None = None, **options: Any) -> nn.Module:
    module = Block() if module is None else module
    load_component(module, folder, **{"sanitize": sanitize, **options})
    return module


def failure(folder: Path, **options: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        load(folder, **options)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert "\n" not in message
    return message


def check_values(module: Block, dtype: mx.Dtype = mx.float32) -> None:
    tensors = published()
    direction = tensors["block.conv.weight_v"]
    norm = np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True))
    fused = (2.0 * direction / norm).transpose(0, 2, 1)
    for array, expected in (
        (module.conv.weight, fused),
        (module.conv.bias, tensors["block.conv.bias"]),
        (module.proj.weight, tensors["block.proj.weight"]),
        (module.table, tensors["block.table"]),
    ):
        assert array.dtype == dtype
        np.testing.assert_allclose(np.array(array.astype(mx.float32)), expected, rtol=1e-2)


def test_loads_a_single_file(tmp_path: Path) -> None:
    write_weights(tmp_path, published())
    check_values(load(tmp_path))


def test_loads_shards(tmp_path: Path) -> None:
    tensors = published()
    first = {"block.conv.weight_g": tensors.pop("block.conv.weight_g")}
    write_shards(tmp_path, [first, tensors])
    check_values(load(tmp_path))


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16, mx.float32])
@pytest.mark.parametrize("evaluate", [False, True])
def test_casts_what_is_floating(tmp_path: Path, dtype: mx.Dtype, evaluate: bool) -> None:
    write_weights(tmp_path, published())
    check_values(load(tmp_path, dtype=dtype, evaluate=evaluate), dtype)


def test_integers_keep_their_dtype(tmp_path: Path) -> None:
    module = nn.Module()
    module.packed = mx.zeros((2, 3), mx.uint32)
    module.scales = mx.zeros((2, 1))
    tensors = {"packed": ramp(2, 3, dtype=np.uint32) + 2**31, "scales": ramp(2, 1)}
    write_weights(tmp_path, tensors)
    load(tmp_path, module, sanitize=lambda w: w, dtype=mx.bfloat16)
    assert (module.packed.dtype, module.scales.dtype) == (mx.uint32, mx.bfloat16)
    np.testing.assert_array_equal(np.array(module.packed), tensors["packed"])


def test_without_dtype_the_files_own_is_kept(tmp_path: Path) -> None:
    module = nn.Module()
    module.half, module.full = mx.zeros(3), mx.zeros(3)
    arrays = {"half": mx.ones(3, mx.bfloat16), "full": mx.ones(3)}
    mx.save_safetensors(str(tmp_path / "model.safetensors"), arrays)
    load(tmp_path, module, sanitize=lambda w: w)
    assert (module.half.dtype, module.full.dtype) == (mx.bfloat16, mx.float32)


def test_report_counts(tmp_path: Path) -> None:
    tensors = published()
    path = write_weights(tmp_path, {**tensors, "extra.a": ramp(100), "extra.b": ramp(10)})
    module = Block()
    report = load_component(
        module,
        tmp_path,
        sanitize=sanitize,
        unused=lambda name: name.startswith("extra."),
        dtype=mx.bfloat16,
    )
    values = sum(array.size for _, array in tree_flatten(module.parameters()))
    assert report == LoadReport(
        source=path,
        tensors=len(tensors),
        file_bytes=sum(array.nbytes for array in tensors.values()),
        skipped_tensors=2,
        skipped_bytes=440,
        parameters=values,
        nbytes=2 * values,
    )


def test_unused_tensors_are_never_read(tmp_path: Path) -> None:
    """The unused tensor is a hole of 1 TB: reading any part of it would show in memory."""
    size = 1 << 40
    header = {
        "used": entry("F32", (4,), (0, 16)),
        "unused": entry("U8", (1 << 20, 1 << 20), (16, 16 + size)),
    }
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw_file(header, np.ones(4, np.float32).tobytes()))
    try:
        os.truncate(path, path.stat().st_size + size)
    except OSError:
        pytest.skip("this file system has no files of this size")
    module = nn.Module()
    module.used = mx.zeros(4)
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    load(
        tmp_path, module, sanitize=lambda w: w, unused=lambda name: name == "unused", evaluate=True
    )
    assert module.used.tolist() == [1, 1, 1, 1]
    assert mx.get_peak_memory() - before < 1 << 16


def test_nothing_is_read_before_evaluation(tmp_path: Path) -> None:
    path = write_weights(tmp_path, {"used": np.zeros(4, np.float32)})
    module = nn.Module()
    module.used = mx.zeros(4)
    load(tmp_path, module, sanitize=lambda w: w)
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(np.float32(7).tobytes())
    assert module.used.tolist() == [0, 0, 0, 7]


def test_casting_while_evaluating_does_not_keep_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, size = 16, 1 << 16
    monkeypatch.setattr(loading, "_EVALUATED_AT_ONCE", 4 * size)
    write_weights(tmp_path, {f"w{i}": np.ones(size, np.float32) for i in range(count)})
    module = nn.Module()
    for i in range(count):
        module[f"w{i}"] = mx.zeros(size)
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    report = load_component(
        module, tmp_path, sanitize=lambda w: w, dtype=mx.bfloat16, evaluate=True
    )
    peak = mx.get_peak_memory() - before
    assert report.nbytes == 2 * count * size
    # The sum of the two is what evaluating all at once takes.
    assert peak < 0.6 * (report.nbytes + report.file_bytes)


@pytest.mark.skipif(
    tuple(int(part) for part in mx.__version__.split(".")[:3]) < (0, 32, 4),
    reason="MLX before 0.32.4 does not report a failed read",
)
def test_file_that_shrinks_while_it_is_open(tmp_path: Path) -> None:
    path = write_weights(tmp_path, {"used": ramp(4000)})
    module = nn.Module()
    module.used = mx.zeros(4000)
    load(tmp_path, module, sanitize=lambda w: w)
    os.truncate(path, 200)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: reading the weights failed"):
        evaluate_parameters(module, path)


def test_missing_tensor(tmp_path: Path) -> None:
    tensors = published()
    del tensors["block.table"]
    path = write_weights(tmp_path, tensors)
    message = failure(tmp_path)
    assert message.startswith(f"{path}: tensor missing: 'table'; ")
    assert "mlx-music download" in message


def test_missing_tensor_that_sanitize_indexes(tmp_path: Path) -> None:
    tensors = published()
    del tensors["block.conv.weight_g"]
    write_weights(tmp_path, tensors)
    assert "tensor 'block.conv.weight_g' is missing" in failure(tmp_path)


def test_unused_tensors_do_not_reach_sanitize(tmp_path: Path) -> None:
    write_weights(tmp_path, published())
    assert "tensor missing: 'proj.weight';" in failure(tmp_path, unused=lambda name: "proj" in name)


def test_surplus_tensor_by_its_published_name(tmp_path: Path) -> None:
    write_weights(tmp_path, {**published(), "block.other.weight": ramp(2)})
    assert "tensor unknown to this model: 'block.other.weight'" in failure(tmp_path)


def test_many_are_cut_and_counted(tmp_path: Path) -> None:
    write_weights(tmp_path, {f"block.x{i}": ramp(2) for i in range(9)})
    message = failure(tmp_path)
    assert "4 tensors missing: " in message
    assert "9 tensors unknown to this model: 'block.x0', 'block.x1', 'block.x2', ..." in message
    assert "x3" not in message


def test_wrong_shape(tmp_path: Path) -> None:
    write_weights(tmp_path, {**published(), "block.table": ramp(3, 4)})
    expected = "of the wrong shape: 'block.table' (3, 4) as 'table' (3, 4), not (2, 4)"
    assert expected in failure(tmp_path)


def test_wrong_shape_beside_fused_tensors_names_only_itself(tmp_path: Path) -> None:
    write_weights(tmp_path, {**published(), "block.conv.bias": ramp(7)})
    expected = "of the wrong shape: 'block.conv.bias' (7,) as 'conv.bias' (7,), not (6,)"
    assert expected in failure(tmp_path)


def test_wrong_shape_names_every_tensor_that_was_fused(tmp_path: Path) -> None:
    def fuse(tensors: Tensors) -> Tensors:
        return {"table": mx.concatenate([tensors["in.a"], tensors["in.b"]])}

    module = nn.Module()
    module.table = mx.zeros((4, 4))
    write_weights(tmp_path, {"in.a": ramp(2, 4), "in.b": ramp(3, 4)})
    message = failure(tmp_path, module=module, sanitize=fuse)
    assert "'in.a' (2, 4) + 'in.b' (3, 4) as 'table' (5, 4), not (4, 4)" in message


def test_wrong_shape_without_conversion(tmp_path: Path) -> None:
    module = nn.Module()
    module.table = mx.zeros((2, 4))
    write_weights(tmp_path, {"table": ramp(3, 4)})
    message = failure(tmp_path, module=module, sanitize=lambda w: w)
    assert "wrong shape: 'table' (3, 4), not (2, 4)" in message


def test_wrong_shape_of_weight_norm_by_its_published_name(tmp_path: Path) -> None:
    write_weights(tmp_path, {**published(), "block.conv.weight_v": ramp(6, 4, 5)})
    message = failure(tmp_path)
    assert "'block.conv.weight_v' (6, 4, 5) as 'conv.weight' (6, 5, 4), not (6, 3, 4)" in message
    assert "bias" not in message


def test_shape_that_sanitize_cannot_take(tmp_path: Path) -> None:
    write_weights(tmp_path, {**published(), "block.conv.weight_v": ramp(6, 12)})
    message = failure(tmp_path)
    assert "tensor 'block.conv.weight_" in message
    assert "which this model cannot use" in message


def test_fault_of_sanitize_itself_is_no_checkpoint_error(tmp_path: Path) -> None:
    write_weights(tmp_path, published())

    def faulty(tensors: Tensors) -> Tensors:
        if len(tensors) == len(published()):
            raise ValueError("a fault of the program")
        return tensors

    with pytest.raises(ValueError, match="a fault of the program"):
        load(tmp_path, sanitize=faulty)

    def pops_twice(tensors: Tensors) -> Tensors:
        tensors.pop("block.table")
        tensors.pop("block.table")
        return tensors

    with pytest.raises(KeyError):
        load(tmp_path, sanitize=pops_twice)


@pytest.mark.parametrize("dtype", ["F64", "F8_E4M3", "F8_E5M2"])
def test_dtype_that_mlx_lacks(tmp_path: Path, dtype: str) -> None:
    size = 8 if dtype == "F64" else 1
    content = raw_file({"a": entry(dtype, (1,), (0, size))}, bytes(size))
    (tmp_path / "model.safetensors").write_bytes(content)
    assert f"tensor 'a': MLX has no dtype {dtype}" in failure(tmp_path)


def test_unused_tensor_of_such_a_dtype(tmp_path: Path) -> None:
    content = raw_file(
        {"a": entry("F64", (1,), (0, 8)), "b": entry("F32", (1,), (8, 12))}, bytes(12)
    )
    (tmp_path / "model.safetensors").write_bytes(content)
    message = failure(tmp_path, unused=lambda name: name == "a")
    assert "MLX cannot open it" in message


def test_damaged_file_and_missing_folder(tmp_path: Path) -> None:
    path = write_weights(tmp_path, published())
    path.write_bytes(path.read_bytes()[:-3])
    assert "truncated" in failure(tmp_path)
    assert "no such folder" in failure(tmp_path / "absent")


def test_failed_load_leaves_the_module_alone(tmp_path: Path) -> None:
    write_weights(tmp_path, published())
    module = load(tmp_path)
    write_weights(tmp_path / "wrong", {**published(), "block.table": ramp(3, 4)})
    with pytest.raises(CheckpointError):
        load(tmp_path / "wrong", module)
    assert isinstance(module, Block)
    check_values(module)


def test_prepare_changes_the_module_before_names_are_compared(tmp_path: Path) -> None:
    source = nn.Module()
    source.proj = nn.Linear(64, 32)
    nn.quantize(source, group_size=32, bits=4)
    weights: dict[str, mx.array] = dict(tree_flatten(source.parameters()))
    mx.save_safetensors(str(tmp_path / "model.safetensors"), weights)
    (tmp_path / "config.json").write_text(
        json.dumps({"quantization": {"group_size": 32, "bits": 4}})
    )

    def prepare(module: nn.Module, config: Mapping[str, Any]) -> None:
        if "quantization" in config:
            nn.quantize(module, **config["quantization"])

    module = nn.Module()
    module.proj = nn.Linear(64, 32)
    load(tmp_path, module, sanitize=lambda w: w, prepare=prepare, dtype=mx.bfloat16)
    assert isinstance(module.proj, nn.QuantizedLinear)
    assert mx.array_equal(module.proj.weight, source.proj.weight)
    assert module.proj.scales.dtype == mx.bfloat16


def test_prepare_needs_a_config(tmp_path: Path) -> None:
    write_weights(tmp_path, published())
    message = failure(tmp_path, prepare=lambda module, config: None)
    assert "config.json: no such file" in message


def test_read_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"width": 12}')
    assert read_config(tmp_path) == {"width": 12}
    (tmp_path / "config.json").write_text('{"width": 12,}')
    with pytest.raises(CheckpointError, match=r"config\.json, line 1: not valid JSON"):
        read_config(tmp_path)
