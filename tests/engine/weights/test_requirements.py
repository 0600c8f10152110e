from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlx_music.errors import CheckpointError
from mlx_music.weights.component_files import weight_alternatives
from mlx_music.weights.requirements import missing_files, select_files

REQUIRED = ["a/config.json", weight_alternatives("a")]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_missing_files(tmp_path: Path) -> None:
    assert missing_files(tmp_path, REQUIRED) == ["a/config.json", "a/model.safetensors"]
    touch(tmp_path, "a/config.json", "a/diffusion_pytorch_model.safetensors")
    assert missing_files(tmp_path, REQUIRED) == []
    assert missing_files(tmp_path, []) == []


def test_a_folder_does_not_count_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "a" / "config.json").mkdir(parents=True)
    assert missing_files(tmp_path, ["a/config.json"]) == ["a/config.json"]


@pytest.mark.parametrize("folder", ["", "a"])
def test_shards_are_required_with_their_index(tmp_path: Path, folder: str) -> None:
    home = tmp_path / folder
    touch(home, "one.safetensors")
    (home / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"x": "one.safetensors", "y": "two.safetensors"}})
    )
    missing = missing_files(tmp_path, [weight_alternatives(folder)])
    assert missing == [f"{folder}/two.safetensors".lstrip("/")]


def test_unreadable_index(tmp_path: Path) -> None:
    touch(tmp_path, "model.safetensors.index.json")
    with pytest.raises(CheckpointError, match=r"index\.json, line 1"):
        missing_files(tmp_path, [weight_alternatives("")])


def test_select_takes_the_first_alternative() -> None:
    single, index = "a/model.safetensors", "a/model.safetensors.index.json"
    shards = [f"a/model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    assert select_files({index, single, *shards, "a/config.json"}, REQUIRED) == (
        ["a/config.json", single],
        [],
    )
    assert select_files({index, *shards, "b/model-1.safetensors"}, REQUIRED) == (
        [index, *shards],
        ["a/config.json"],
    )


def test_select_lists_a_file_once() -> None:
    assert select_files({"x"}, ["x", ("y", "x")]) == (["x"], [])
