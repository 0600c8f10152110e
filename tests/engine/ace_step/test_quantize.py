from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from mlx_music.ace_step import quantize
from mlx_music.ace_step.components import FOLDERS, NETWORKS, TEXT_ENCODER, TRANSFORMER
from mlx_music.ace_step.quantize import (
    PARTS,
    QuantizedCheckpoint,
    component_bytes,
    folders_of,
    quantize_checkpoint,
)
from mlx_music.ace_step.transformer import Transformer
from mlx_music.ace_step.transformer_inputs import Condition
from mlx_music.errors import Cancelled, CheckpointError, InvalidRequest
from mlx_music.progress import Progress, ProgressEvent
from mlx_music.weights.component_files import ComponentFiles
from mlx_music.weights.loading import load_component, read_config
from mlx_music.weights.lora import AdapterSet
from mlx_music.weights.quantization import (
    PRESETS,
    QuantizationConfig,
    quantize_model,
    quantized_as_stored,
)

#: The tiny model has few sizes that 64 divides; with 32 the feed-forward layers take part.
SMALL_GROUPS = QuantizationConfig(attention=8, feed_forward=4, other=8, group_size=32)


def open_network(checkpoint: Path, folder: str = TRANSFORMER) -> Any:
    made = NETWORKS[folder]
    network = made.build(read_config(checkpoint / folder))
    load_component(
        network,
        checkpoint / folder,
        sanitize=made.sanitize,
        unused=made.unused,
        dtype=mx.float32,
        prepare=quantized_as_stored(checkpoint / folder),
    )
    return network


def parameters(network: nn.Module) -> dict[str, mx.array]:
    return dict(tree_flatten(network.parameters()))


def matrices(network: nn.Module) -> dict[str, Any]:
    kinds = (nn.Linear, nn.Embedding, nn.QuantizedLinear, nn.QuantizedEmbedding)
    return {path: layer for path, layer in network.named_modules() if isinstance(layer, kinds)}


def velocity(network: Transformer) -> mx.array:
    """One transformer call, its condition included."""
    config, key = network.config, mx.random.split(mx.random.key(0), 3)
    condition: Condition = network.encode(
        mx.random.normal((1, 5, config.text_embedding_dim), key=key[0]),
        mx.ones((1, 5), mx.int32),
        mx.random.normal((1, config.speaker_embedding_dim), key=key[1]),
        mx.arange(7)[None],
        mx.ones((1, 7), mx.int32),
    )
    height, channels = config.patch_size[0], config.in_channels
    latents = mx.random.normal((1, height, 9, channels), key=key[2])
    return network.decode(latents, mx.array([500.0]), network.prepare(condition))


def error(actual: mx.array, exact: mx.array) -> float:
    return float(mx.linalg.norm(actual - exact) / mx.linalg.norm(exact))


@pytest.fixture(scope="module")
def quantized(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, QuantizedCheckpoint]:
    folder = tmp_path_factory.mktemp("quantized")
    configs = {**{name: preset() for name, preset in PRESETS.items()}, "small": SMALL_GROUPS}
    return {
        name: quantize_checkpoint(checkpoint, folder / name, config)
        for name, config in configs.items()
    }


# --- what is written


@pytest.mark.parametrize("name", [*PRESETS, "small"])
def test_round_trip(checkpoint: Path, quantized: dict[str, QuantizedCheckpoint], name: str) -> None:
    """What is loaded is, bit for bit, what quantizing in memory gives."""
    config = SMALL_GROUPS if name == "small" else PRESETS[name]()
    in_memory = open_network(checkpoint)
    report = quantize_model(in_memory, config)
    loaded = open_network(quantized[name].folder)
    ours, theirs = parameters(loaded), parameters(in_memory)
    assert ours.keys() == theirs.keys()
    for path, array in ours.items():
        assert array.dtype == theirs[path].dtype
        assert mx.array_equal(array, theirs[path]).item(), path
    assert quantized[name].reports[TRANSFORMER].bits == report.bits
    assert mx.array_equal(velocity(loaded), velocity(in_memory)).item()


@pytest.mark.parametrize("name", [*PRESETS, "small"])
def test_every_matrix_is_quantized_or_reported(
    checkpoint: Path, quantized: dict[str, QuantizedCheckpoint], name: str
) -> None:
    group_size = 32 if name == "small" else 64
    original = matrices(open_network(checkpoint))
    loaded = matrices(open_network(quantized[name].folder))
    report = quantized[name].reports[TRANSFORMER]
    assert original.keys() == loaded.keys() == report.bits.keys() | report.kept.keys()
    for path, layer in loaded.items():
        fits = original[path].weight.shape[1] % group_size == 0
        assert isinstance(layer, nn.QuantizedLinear | nn.QuantizedEmbedding) == fits
        assert (path in report.kept) == (not fits)


def test_feed_forward_convolutions_are_reached(quantized: dict[str, QuantizedCheckpoint]) -> None:
    network = open_network(quantized["small"].folder)
    blocks = network.transformer_blocks
    assert blocks
    for block in blocks:
        for layer in (block.ff.inverted_conv.conv, block.ff.point_conv.conv):
            assert isinstance(layer, nn.QuantizedLinear)
            assert layer.bits == 4
        for attention in (block.attn, block.cross_attn):
            projections = (attention.to_q, attention.to_k, attention.to_v, attention.to_out[0])
            assert [layer.bits for layer in projections] == [8] * 4
    for layer in network.lyric_encoder.encoders:
        assert layer.self_attn.linear_pos.bits == 8
        assert layer.feed_forward.w_1.bits == 4


def test_more_bits_are_closer(checkpoint: Path, quantized: dict[str, QuantizedCheckpoint]) -> None:
    exact = velocity(open_network(checkpoint))
    errors = [
        error(velocity(open_network(quantized[name].folder)), exact)
        for name in ("quality", "balanced", "speed")
    ]
    assert 0.0 < errors[0] < errors[1] < errors[2]
    assert errors[0] < 0.03
    assert errors[2] < 0.5


def test_sizes_are_those_of_the_files(
    checkpoint: Path, quantized: dict[str, QuantizedCheckpoint]
) -> None:
    def on_disk(folder: Path) -> int:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

    for result in quantized.values():
        assert sum(result.bytes_before.values()) == on_disk(checkpoint)
        assert sum(result.bytes_after.values()) == on_disk(result.folder)
        assert result.bytes_after == component_bytes(result.folder)
    by_preset = [quantized[name].bytes_after[TRANSFORMER] for name in PRESETS]
    assert by_preset == sorted(by_preset)
    assert by_preset[-1] < component_bytes(checkpoint)[TRANSFORMER]


def test_all_else_is_unchanged(checkpoint: Path, quantized: dict[str, QuantizedCheckpoint]) -> None:
    result = quantized["balanced"].folder
    ours = {file.relative_to(result) for file in result.rglob("*")}
    theirs = {file.relative_to(checkpoint) for file in checkpoint.rglob("*")}
    assert ours == theirs
    for file in ours:
        if file.parts[0] != TRANSFORMER and (result / file).is_file():
            assert (result / file).read_bytes() == (checkpoint / file).read_bytes()
    stored = read_config(result / TRANSFORMER)
    assert stored.pop("quantization")["feed_forward"] == 4
    assert stored == read_config(checkpoint / TRANSFORMER)


def test_dead_weights_are_left_out(quantized: dict[str, QuantizedCheckpoint]) -> None:
    files = ComponentFiles.open(quantized["speed"].folder / TRANSFORMER)
    assert not any(map(NETWORKS[TRANSFORMER].unused, files.tensors))


def test_parts(checkpoint: Path, tmp_path: Path) -> None:
    config = QuantizationConfig(attention=8, feed_forward=8, other=8, group_size=32)
    result = quantize_checkpoint(checkpoint, tmp_path / "out", config, parts=["decoder"])
    assert set(result.reports) == set(PARTS["decoder"])
    assert result.bytes_after[TRANSFORMER] == result.bytes_before[TRANSFORMER]
    for folder in PARTS["decoder"]:
        original = matrices(open_network(checkpoint, folder))
        loaded = matrices(open_network(tmp_path / "out", folder))
        quantizable = [path for path in original if original[path].weight.shape[1] % 32 == 0]
        assert quantizable
        assert all(isinstance(loaded[path], nn.QuantizedLinear) for path in quantizable)
    assert folders_of(None) == [TRANSFORMER]
    assert folders_of(["text_encoder", "text_encoder"]) == [TEXT_ENCODER]
    assert sorted(folders_of(list(PARTS))) == sorted(FOLDERS)


def test_adapter_on_a_quantized_checkpoint(
    quantized: dict[str, QuantizedCheckpoint], reference_folder: Path
) -> None:
    network, made = open_network(quantized["quality"].folder), NETWORKS[TRANSFORMER]
    plain, layers = velocity(network), dict(network.named_modules())
    adapters = AdapterSet(network, sanitize=made.sanitize, unused=made.unused)
    adapters.add(reference_folder / "goldens" / "lora.safetensors", name="voice")
    assert error(velocity(network), plain) > 0.05
    adapters.remove("voice")
    assert mx.array_equal(velocity(network), plain).item()
    assert all(module is layers[path] for path, module in network.named_modules())


def test_sharded_source(checkpoint: Path, tmp_path: Path) -> None:
    source = shutil.copytree(checkpoint, tmp_path / "source")
    folder = source / TRANSFORMER
    whole = next(folder.glob("*.safetensors"))
    tensors = mx.load(str(whole))
    names, stem = sorted(tensors), whole.name.removesuffix(".safetensors")
    weight_map = {name: f"{stem}-{i % 3}.safetensors" for i, name in enumerate(names)}
    for shard in set(weight_map.values()):
        part = {name: tensors[name] for name in names if weight_map[name] == shard}
        mx.save_safetensors(str(folder / shard), part)
    (folder / f"{whole.name}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    del tensors
    whole.unlink()
    quantize_checkpoint(source, tmp_path / "out", SMALL_GROUPS)
    assert {file.name for file in (tmp_path / "out" / TRANSFORMER).iterdir()} == {
        "config.json",
        whole.name,
    }
    assert open_network(tmp_path / "out").transformer_blocks[0].attn.to_q.bits == 8


def test_from_the_links_of_a_cache(checkpoint: Path, tmp_path: Path) -> None:
    """The hub's cache is a folder of links; the new checkpoint does not depend on it."""
    source = tmp_path / "snapshot"
    for file in checkpoint.rglob("*"):
        if file.is_file():
            link = source / file.relative_to(checkpoint)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    quantize_checkpoint(source, tmp_path / "out", SMALL_GROUPS)
    assert not any(file.is_symlink() for file in (tmp_path / "out").rglob("*"))


def test_progress(checkpoint: Path, tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    quantize_checkpoint(
        checkpoint, tmp_path / "out", SMALL_GROUPS, progress=Progress(events.append)
    )
    assert {event.stage for event in events} == {"quantize"}
    assert [event.step for event in events] == list(range(events[0].total + 1))


# --- nothing is left behind


def check_nothing_written(tmp_path: Path) -> None:
    assert [file.name for file in tmp_path.iterdir()] == []


def refused(source: Path, destination: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        quantize_checkpoint(source, destination, SMALL_GROUPS)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_quantizing_what_is_quantized(
    quantized: dict[str, QuantizedCheckpoint], tmp_path: Path
) -> None:
    message = refused(quantized["speed"].folder, tmp_path / "out")
    assert f"{quantized['speed'].folder / TRANSFORMER}: this checkpoint is quantized" in message
    check_nothing_written(tmp_path)


def test_destination_exists(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert refused(checkpoint, tmp_path / "out") == (
        f"{tmp_path / 'out'}: exists; give another name, or remove it"
    )
    (tmp_path / "file").write_text("mine")
    assert "exists" in refused(checkpoint, tmp_path / "file")
    assert "exists" in refused(checkpoint, checkpoint)
    assert (tmp_path / "file").read_text() == "mine"
    assert list((tmp_path / "out").iterdir()) == []


def test_destination_in_a_file(checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    assert str(file / "out") in refused(checkpoint, file / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_destination_that_appears_meanwhile(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    progress = Progress(lambda event: out.mkdir(exist_ok=True))
    with pytest.raises(CheckpointError, match=r"out: cannot be written: File exists"):
        quantize_checkpoint(checkpoint, out, SMALL_GROUPS, progress=progress)
    assert [file.name for file in tmp_path.rglob("*")] == ["out"]


def test_no_space(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    assert "GB to write, but the disk has 0.0 GB free" in refused(checkpoint, tmp_path / "out")
    check_nothing_written(tmp_path)


def test_disk_gets_full(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    message = refused(checkpoint, tmp_path / "out")
    assert message == f"{tmp_path / 'out'}: cannot be written: the disk is full"
    check_nothing_written(tmp_path)


def test_disk_without_hard_links(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*args: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(quantize, "_LINKED_FROM", 0)
    result = quantize_checkpoint(checkpoint, tmp_path / "out", SMALL_GROUPS)
    assert result.bytes_after[TEXT_ENCODER] == result.bytes_before[TEXT_ENCODER]


def test_cancelled(checkpoint: Path, tmp_path: Path) -> None:
    progress = Progress(lambda event: progress.cancel() if event.step == 3 else None)
    with pytest.raises(Cancelled):
        quantize_checkpoint(checkpoint, tmp_path / "out", SMALL_GROUPS, progress=progress)
    check_nothing_written(tmp_path)


def test_incomplete_source(checkpoint: Path, tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "none", tmp_path / "out")
    source = shutil.copytree(checkpoint, tmp_path / "source")
    shutil.rmtree(source / TEXT_ENCODER)
    assert "umt5-base" in refused(source, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["source"]


def test_truncated_source(checkpoint: Path, tmp_path: Path) -> None:
    source = shutil.copytree(checkpoint, tmp_path / "source")
    weights = next((source / TRANSFORMER).glob("*.safetensors"))
    os.truncate(weights, weights.stat().st_size - 100)
    assert "truncated" in refused(source, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("parts", [["vocals"], []])
def test_unknown_parts(checkpoint: Path, tmp_path: Path, parts: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="transformer, text_encoder, decoder") as caught:
        quantize_checkpoint(checkpoint, tmp_path / "out", SMALL_GROUPS, parts=parts)
    assert caught.value.field == "parts"
    check_nothing_written(tmp_path)
