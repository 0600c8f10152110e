from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from mlx_music.cli.text import (
    count_in_words,
    file_stem,
    length_in_words,
    one_line,
    read_text,
    size_in_words,
)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("[verse]\nGrüße\n", "[verse]\nGrüße"),
        ("\ufeffone\r\n\r\ntwo\r\n", "one\n\ntwo"),
        ("one\rtwo", "one\ntwo"),
        ("\n\n  indented\n", "  indented"),
        ("", ""),
    ],
)
def test_files_are_read_as_people_write_them(raw: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_bytes(raw.encode())
    assert read_text(f"@{tmp_path / 'words.txt'}") == text


def test_text_stands_for_itself() -> None:
    assert read_text("a\nb @c -") == "a\nb @c -"


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Öl\r\nrot\n".encode())))
    assert read_text("-") == "Öl\nrot"


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"ID3\nabc\n\xff\xfe")
    with pytest.raises(ValueError, match=r"song\.mp3 is not UTF-8 text \(line 3\)"):
        read_text(f"@{tmp_path / 'song.mp3'}")
    with pytest.raises(ValueError, match="cannot be read: "):
        read_text(f"@{tmp_path}")
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read_text("@nosuch.txt")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        read_text("caf\udce9")


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [
        ("Warm lo-fi Hip Hop", "warm-lo-fi-hip-hop"),
        ("../../etc/passwd", "etc-passwd"),
        ("Café del Mar, 120 bpm!", "cafe-del-mar-120-bpm"),
        ("静かなピアノ", "music"),
        ("x" * 200, "x" * 48),
        ("word " * 40, "-".join(["word"] * 9)),
    ],
)
def test_file_names_recall_the_prompt(prompt: str, stem: str) -> None:
    assert file_stem(prompt) == stem


def test_numbers_in_words() -> None:
    assert [
        size_in_words(n) for n in (0, 999, 1000, 99_400, 99_600, 999_400_000, 7_700_000_000)
    ] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "99.4 kB",
        "100 kB",
        "999 MB",
        "7.7 GB",
    ]
    assert [count_in_words(n) for n in (12, 2_820_000, 3_310_000_000)] == ["12", "2.82 M", "3.31 B"]
    assert [length_in_words(s) for s in (0.4, 59.6, 185, 3723)] == [
        "0:00",
        "1:00",
        "3:05",
        "1:02:03",
    ]


def test_one_line() -> None:
    assert one_line("a\nb\x1b[0m ü\udcff") == "a\\nb\\x1b[0m ü\\udcff"
