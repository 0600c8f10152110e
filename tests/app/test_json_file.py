"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlx_music_app.json_file import read_json, write_json
from mlx_music_app.models.registry import Registry


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file.json"
    values = {"half a character": "\ud83d", "a name of a file": os.fsdecode(b"/m\xfcsic")}
    write_json(values, file)
    assert read_json(file) == values
    assert [path.name for path in file.parent.iterdir()] == ["file.json"]


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file.json").mkdir()
    with pytest.raises(OSError, match=r"file\.json"):
        write_json({}, tmp_path / "file.json")
    assert [path.name for path in tmp_path.iterdir()] == ["file.json"]


def test_damage_is_a_value_error(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    for text in ("{", "[" * 100_000):
        file.write_text(text)
        with pytest.raises(ValueError):  # noqa: PT011
            read_json(file)


def test_models_in_folders_of_any_name_are_remembered(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(b"/m\xfcsic/model"))
    Registry(tmp_path / "models.json").add_folder(folder)
    assert Registry(tmp_path / "models.json").known.folders == (str(folder),)
