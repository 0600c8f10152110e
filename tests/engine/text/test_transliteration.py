"""Scripts into Latin letters."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlx_music.errors import LyricsError
from mlx_music.text import transliteration
from mlx_music.text.transliteration import UnreadableLine, pinyin, romaja, romaji


def test_each_script() -> None:
    assert pinyin("我的，ok 123") == "wo3de5，ok 123"
    assert romaja("값을 좋아해 ok") == "gabs-eul joh-ahae ok"
    assert romaji("カツカレーを食べた") == "Cutlet curry wo tabeta"


@pytest.mark.parametrize("line", ["あ\u3097", "\ud800"])
def test_unreadable_japanese(line: str) -> None:
    with pytest.raises(UnreadableLine):
        romaji(line)


def test_another_dictionary_changes_nothing(tmp_path: Path) -> None:
    """fugashi takes a full UniDic where there is one; its readings are others."""
    (tmp_path / "unidic.py").write_text("DICDIR = '/nowhere'\nVERSION = 'other'\n")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from mlx_music.text.transliteration import romaji\nprint(romaji('君の声'))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == "Kimi no koe", run.stderr


def test_without_cutlet_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cutlet", None)
    transliteration._katsu.cache_clear()
    with pytest.raises(LyricsError, match=r"mlx-music\[japanese\]"):
        transliteration.romaji("さくら")
