from __future__ import annotations

from pathlib import Path

import pytest

from mlx_music.errors import CheckpointError
from mlx_music.weights.json_file import read_json_object


def test_reads_an_object(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"wide": 3, "name": "é"}', encoding="utf-8")
    assert read_json_object(path) == {"wide": 3, "name": "é"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", r"config.json, line 1: not valid JSON"),
        (b'{\n "a": 1,\n "b": }', r"config.json, line 3: not valid JSON"),
        (b'{\n "a": "\xff"}', r"config.json, line 2: not UTF-8"),
        (b"[1, 2]", r"config.json, line 1: a JSON object is expected, not list"),
        (b"[" * 200_000, r"config.json: not usable JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", r"config.json: not usable JSON"),
    ],
)
def test_names_file_and_line(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=problem) as caught:
        read_json_object(path)
    assert "\n" not in str(caught.value)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: no such file"):
        read_json_object(tmp_path / "config.json")
