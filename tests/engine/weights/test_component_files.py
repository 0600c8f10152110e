from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlx_music.errors import CheckpointError
from mlx_music.weights.component_files import WEIGHT_NAMES, ComponentFiles, weight_alternatives
from tests.engine.weights.files import ramp, write_shards, write_weights

STEMS = ("model", "diffusion_pytorch_model")


@pytest.mark.parametrize("stem", STEMS)
def test_single_file_under_the_usual_names(tmp_path: Path, stem: str) -> None:
    path = write_weights(tmp_path, {"a": ramp(2), "b": ramp(3)}, f"{stem}.safetensors")
    for opened in (ComponentFiles.open(tmp_path), ComponentFiles.open(path)):
        assert opened.source == path
        assert opened.paths == (path,)
        assert set(opened.tensors) == {"a", "b"}
        assert opened.nbytes == path.stat().st_size


@pytest.mark.parametrize("stem", STEMS)
def test_shards_under_the_usual_names(tmp_path: Path, stem: str) -> None:
    index = write_shards(tmp_path, [{"a": ramp(2), "b": ramp(3)}, {"c": ramp(4)}], stem)
    opened = ComponentFiles.open(tmp_path)
    assert opened.source == index
    assert len(opened.paths) == 2
    assert {name: info.path for name, info in opened.tensors.items()} == {
        "a": opened.paths[0],
        "b": opened.paths[0],
        "c": opened.paths[1],
    }
    assert opened.nbytes == sum(path.stat().st_size for path in opened.paths)


def test_other_file_names_can_be_given(tmp_path: Path) -> None:
    path = write_weights(tmp_path, {"a": ramp(2)}, "lora.safetensors")
    assert ComponentFiles.open(path).paths == (path,)


def test_alternatives_name_the_folder() -> None:
    assert weight_alternatives("part") == tuple(f"part/{name}" for name in WEIGHT_NAMES)
    assert weight_alternatives("") == WEIGHT_NAMES


def test_no_folder_and_no_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="part: no such folder"):
        ComponentFiles.open(tmp_path / "part")
    with pytest.raises(CheckpointError, match="no weights in this folder"):
        ComponentFiles.open(tmp_path)


def test_missing_shard(tmp_path: Path) -> None:
    write_shards(tmp_path, [{"a": ramp(2)}, {"b": ramp(2)}], "model")
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002.safetensors: this shard of"):
        ComponentFiles.open(tmp_path)


def test_truncated_shard(tmp_path: Path) -> None:
    write_shards(tmp_path, [{"a": ramp(2)}, {"b": ramp(20)}], "model")
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"00002.safetensors: tensor 'b': .* truncated"):
        ComponentFiles.open(tmp_path)


@pytest.mark.parametrize(
    ("index", "problem"),
    [
        ("{", r"index.json, line 1: not valid JSON"),
        ("[]", "a JSON object is expected"),
        ("{}", "no 'weight_map'"),
        ('{"weight_map": {}}', "no 'weight_map'"),
        ('{"weight_map": {"a": "../../etc/passwd"}}', "tensor 'a': '../../etc/passwd' is not"),
        ('{"weight_map": {"a": "/etc/passwd"}}', "is not a file name"),
        ('{"weight_map": {"a": ""}}', "is not a file name"),
        ('{"weight_map": {"a": 3}}', "is not a file name"),
    ],
)
def test_bad_index(tmp_path: Path, index: str, problem: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(CheckpointError, match=problem):
        ComponentFiles.open(tmp_path)


def test_index_and_shards_must_agree(tmp_path: Path) -> None:
    index = write_shards(tmp_path, [{"a": ramp(2), "x": ramp(1)}, {"b": ramp(2)}])
    table = json.loads(index.read_text())
    second = table["weight_map"]["b"]
    table["weight_map"]["a"] = second
    index.write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match=r"tensor 'a': .* lists it here, but it is missing"):
        ComponentFiles.open(tmp_path)
    table["weight_map"]["a"] = table["weight_map"].pop("x")
    index.write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match=r"tensor 'x': .* does not list it here"):
        ComponentFiles.open(tmp_path)
