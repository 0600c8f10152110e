from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from mlx_music_app.library import journal
from mlx_music_app.library.errors import LibraryError
from mlx_music_app.library.journal import NAME, Entry

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def entry(uid: str = "a", notes: str = "") -> Entry:
    return Entry(uid, "x.wav", "Night – 夜", 2, NOW, True, notes, ("t", "u"), "parent")


def test_entries_come_back_and_the_last_counts(tmp_path: Path) -> None:
    assert journal.read(tmp_path) == {}
    journal.append(tmp_path, [entry(notes="line\nbreak"), entry("b")])
    journal.append(tmp_path, [entry(notes="later")])
    assert journal.read(tmp_path) == {"a": entry(notes="later"), "b": entry("b")}


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_was_cut_short_costs_nothing_but_itself(tmp_path: Path, cut: int) -> None:
    journal.append(tmp_path, [entry(), entry("b")])
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-cut])
    journal.append(tmp_path, [entry("c")])
    found = journal.read(tmp_path)
    assert found.keys() == ({"a", "c"} if cut > 1 else {"a", "b", "c"})


def test_rubbish_is_skipped(tmp_path: Path) -> None:
    lines = ["", "[]", "{}", '{"id": 3}', "\x00\xff", '{"id": "z", "file": "f", "title": "t"}']
    (tmp_path / NAME).write_text("\n".join(lines), encoding="latin-1")
    journal.append(tmp_path, [entry()])
    assert journal.read(tmp_path) == {"a": entry()}


def test_it_is_written_anew_when_most_of_it_is_outdated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SURPLUS", 3)
    journal.append(tmp_path, [entry(), entry("b")])
    assert not journal.compact(tmp_path)
    journal.append(tmp_path, [entry(notes=str(n)) for n in range(5)])
    assert journal.compact(tmp_path)
    assert len((tmp_path / NAME).read_text(encoding="utf-8").splitlines()) == 2
    assert journal.read(tmp_path) == {"a": entry(notes="4"), "b": entry("b")}


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot be written"):
        journal.append(tmp_path / "none", [entry()])


def test_names_inside_the_folder_are_relative() -> None:
    assert journal.relative(Path("/m/s/a.wav"), Path("/m")) == "s/a.wav"
    assert journal.relative(Path("/else/a.wav"), Path("/m")) == "/else/a.wav"
