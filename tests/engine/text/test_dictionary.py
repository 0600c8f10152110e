"""The Japanese dictionary: in its package, or packed as the built app has it."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlx_music import resources
from mlx_music.errors import LyricsError
from mlx_music.text import dictionary
from mlx_music.text.dictionary import dictionary_folder


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dictionary that is packed, beside a package without one."""
    package = SimpleNamespace(DICDIR=str(tmp_path / "package" / "dicdir"), VERSION="2.1")
    monkeypatch.setitem(sys.modules, "unidic_lite", package)
    (tmp_path / "resources").mkdir()
    monkeypatch.setenv(resources.VARIABLE, str(tmp_path / "resources"))
    monkeypatch.setenv(dictionary.VARIABLE, str(tmp_path / "cache"))
    path = tmp_path / "resources" / dictionary.PACKED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sys.dic", "words")
        archive.writestr("mecabrc", "")
    return path


def test_as_it_is_installed() -> None:
    folder = dictionary_folder()
    assert (folder.name, (folder / "sys.dic").is_file()) == ("dicdir", True)


def test_unpacked_once(packed: Path, tmp_path: Path) -> None:
    folder = dictionary_folder()
    assert folder == tmp_path / "cache" / "unidic-lite-2.1"
    assert sorted(path.name for path in folder.iterdir()) == ["mecabrc", "sys.dic"]
    (folder / "mark").touch()
    assert dictionary_folder() == folder
    assert (folder / "mark").exists()
    assert list(folder.parent.iterdir()) == [folder]


def test_a_copy_that_lost_its_words_is_made_again(packed: Path) -> None:
    folder = dictionary_folder()
    (folder / "sys.dic").unlink()
    assert (dictionary_folder() / "sys.dic").read_text() == "words"


def test_damaged(packed: Path, tmp_path: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:-40])
    with pytest.raises(LyricsError, match="is damaged"):
        dictionary_folder()
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_room_for_it(packed: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(LyricsError, match="cannot be unpacked there"):
        dictionary_folder()


def test_missing(packed: Path) -> None:
    packed.unlink()
    with pytest.raises(LyricsError, match="missing from this copy"):
        dictionary_folder()
