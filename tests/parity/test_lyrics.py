"""Lyrics into ids, equal to the official implementation's for every golden lyric.

The goldens (`lyric_tokens.json`) lie beside the size folder that `--reference` names, or beside the
default one. So does the vocabulary (`lyric_vocab.json`), or else it is found as users find it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlx_music.ace_step.lyrics import LyricTokenizer, ids_of
from mlx_music.ace_step.vocabulary import find_vocabulary
from mlx_music.errors import LyricsError
from mlx_music.text.detection import detect

GOLDENS = "lyric_tokens.json"
DEFAULT = Path(__file__).resolve().parent / "reference"


def _goldens(config: pytest.Config) -> dict[str, dict[str, Any]]:
    folders = (Path(config.getoption("--reference")).resolve().parent, DEFAULT)
    path = next(folder / GOLDENS for folder in folders if (folder / GOLDENS).is_file())
    lyrics: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return lyrics


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "golden" in metafunc.fixturenames:
        goldens = _goldens(metafunc.config)
        metafunc.parametrize("golden", goldens.values(), ids=goldens.keys())


@pytest.fixture(scope="module")
def tokenizer(reference_folder: Path) -> LyricTokenizer:
    beside = reference_folder.parent / "lyric_vocab.json"
    if beside.is_file():
        return LyricTokenizer(beside)
    try:
        return LyricTokenizer(find_vocabulary())
    except LyricsError as error:
        pytest.skip(f"needs the published lyric vocabulary: {error}")


def test_ids(golden: dict[str, Any], tokenizer: LyricTokenizer) -> None:
    assert tokenizer.encode(golden["lyrics"]) == golden["ids"]


def test_lines_are_the_same_ids(golden: dict[str, Any], tokenizer: LyricTokenizer) -> None:
    lines = tokenizer.encode_lines(golden["lyrics"])
    assert [line.text for line in lines] == golden["lyrics"].split("\n")
    assert ids_of(lines) == golden["ids"]


def test_languages(golden: dict[str, Any]) -> None:
    lines = [line.strip() for line in golden["lyrics"].split("\n")]
    assert [detect(line) if line else "" for line in lines] == golden["languages"]
