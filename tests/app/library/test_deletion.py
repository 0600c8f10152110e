from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from mlx_music import AudioError
from mlx_music_app.library import deletion
from mlx_music_app.library import trash as trash_of_files
from mlx_music_app.library.errors import LibraryError, NoTrash
from mlx_music_app.library.files import move_to_new
from mlx_music_app.library.trash import bring_back, move_to_trash
from tests.app.library.conftest import Home

Trash = Callable[[], list[str]]


def test_to_the_trash_and_back(tmp_path: Path, trash: Trash) -> None:
    path = tmp_path / "a.wav"
    path.write_text("sound")
    trashed = move_to_trash(path)
    assert trash() == ["a.wav"]
    assert not path.exists()
    path.write_text("another")
    assert bring_back(trashed, path).name == "a (2).wav"
    assert (tmp_path / "a (2).wav").read_text() == "sound"
    assert path.read_text() == "another"
    assert not list((tmp_path / "data").rglob("*.trashinfo"))
    with pytest.raises(LibraryError, match="no longer in the trash"):
        bring_back(trashed, path)


def test_where_there_is_no_trash_nothing_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file" / "none"))
    (tmp_path / "file").touch()
    path = tmp_path / "a.wav"
    path.touch()
    if Path("/").stat().st_dev != path.stat().st_dev:
        pytest.skip("another disk has its own trash")
    with pytest.raises(NoTrash, match="was kept"):
        move_to_trash(path)
    assert path.exists()


def test_deleting_and_undoing(home: Home, trash: Trash, qtbot: QtBot) -> None:
    first, second, third = (home.make() for _ in range(3))
    home.library.set_notes(first.id, "n")
    home.library.set_tags(first.id, ["gone", "both"])
    home.library.set_tags(second.id, ["both"])
    assert not home.library.can_undo
    with qtbot.waitSignal(home.library.takesRemoved) as removed:
        home.library.delete([first.id, third.id, 99])
    assert removed.args == [[first.id, third.id]]
    assert home.library.takes() == [second.id]
    assert home.library.take(first.id) is None
    assert home.library.all_tags() == ["both"]
    home.settle()
    assert trash() == [first.path.name, third.path.name]
    assert home.library.can_undo
    with qtbot.waitSignals([home.library.takeAdded] * 2):
        assert sorted(home.library.undo_delete()) == [first.id, third.id]
    home.settle()
    assert trash() == []
    assert len(home.names()) == 3
    found = home.library.take(first.id)
    assert found is not None
    assert (found.notes, found.path, found.path.exists()) == ("n", first.path, True)
    assert not home.library.can_undo
    assert home.library.undo_delete() == []


def test_undoing_before_the_trash_has_it(home: Home, trash: Trash) -> None:
    take = home.make()
    home.library.delete([take.id])
    home.library.undo_delete()
    home.settle()
    assert trash() == []
    assert home.library.take(take.id) == take
    assert take.path.exists()


def test_deletions_are_undone_one_by_one(home: Home, trash: Trash) -> None:
    first, second = home.make(), home.make()
    home.library.delete([first.id])
    home.library.delete([second.id])
    home.settle()
    assert home.library.undo_delete() == [second.id]
    assert home.library.undo_delete() == [first.id]
    home.settle()
    assert len(home.names()) == 2


def test_a_take_whose_place_is_taken_comes_back_beside_it(home: Home, trash: Trash) -> None:
    take = home.make()
    home.library.delete([take.id])
    home.settle()
    take.path.write_text("something else")
    home.library.undo_delete()
    home.settle()
    found = home.library.take(take.id)
    assert found is not None
    assert found.path.name == "Night - 120bpm - take 1 (2).wav"
    assert found.path.exists()
    assert take.path.read_text() == "something else"


def test_what_the_system_refuses_stays(
    home: Home, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    def refuse(path: Path) -> Path:
        raise NoTrash(f"{path}: was kept")

    monkeypatch.setattr(deletion, "move_to_trash", refuse)
    take = home.make()
    with (
        qtbot.waitSignals([home.library.takesRemoved, home.library.takeAdded]),
        qtbot.waitSignal(home.library.takesRefused) as refused,
    ):
        home.library.delete([take.id])
    assert refused.args == [[take.id]]
    home.settle()
    assert home.library.take(take.id) == take
    assert not home.library.can_undo
    assert "was kept" in home.problems[0]


def test_an_emptied_trash_is_said(home: Home, trash: Trash, tmp_path: Path) -> None:
    take = home.make()
    home.library.delete([take.id])
    home.settle()
    for file in (tmp_path / "data" / "Trash" / "files").iterdir():
        file.unlink()
    home.library.undo_delete()
    home.settle()
    found = home.library.take(take.id)
    assert found is not None
    assert found.missing
    assert "no longer in the trash" in home.problems[0]


def test_a_file_that_a_person_puts_back_is_the_same_take(home: Home, trash: Trash) -> None:
    take = home.make()
    home.library.set_tags(take.id, ["x"])
    home.library.delete([take.id])
    home.settle()
    data = Path(take.path.parent.parent.parent / "data" / "Trash" / "files" / take.path.name)
    data.rename(take.path)
    home.library.rescan()
    home.settle()
    found = home.library.take(take.id)
    assert found is not None
    assert found.tags == ("x",)


def test_what_a_crash_left_is_settled(home: Home, trash: Trash) -> None:
    marked, restored = home.make(), home.make()
    home.library.delete([restored.id])
    home.settle()
    catalogue = home.library._keeper._catalogue
    assert catalogue is not None
    from datetime import datetime, timezone

    catalogue.trash([marked.id], datetime.now(timezone.utc))  # and no more
    catalogue.restore([restored.id])  # and no more
    home.reopen()
    assert sorted(home.names()) == ["Night", "Night 2"]
    assert all(t.path.exists() for t in home.library.get_many(home.library.takes()))
    assert trash() == []


def test_numbers_of_deleted_takes_are_not_used_again(home: Home, trash: Trash) -> None:
    home.library.delete([home.make().id])
    home.settle()
    home.reopen()
    assert home.make().path.name == "Night - 120bpm - take 2.wav"


def test_nothing_is_announced_after_closing(
    home: Home, trash: Trash, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    first, second = home.make(), home.make()
    home.library.delete([second.id])
    home.settle()
    monkeypatch.setattr(deletion, "move_to_trash", lambda path: (_ for _ in ()).throw(NoTrash("x")))
    with (
        qtbot.assertNotEmitted(home.library.takeAdded),
        qtbot.assertNotEmitted(home.library.takeChanged),
    ):
        home.library.delete([first.id])
        home.library.close()
        home.settle()
    home.reopen()
    assert home.names() == ["Night"]


def test_what_cannot_come_back_is_tried_again_at_the_next_start(
    home: Home, trash: Trash, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = home.make(), home.make()
    home.library.delete([first.id, second.id])
    home.settle()

    def full(source: Path, target: Path) -> None:
        if target == first.path:
            raise AudioError(f"{target} cannot be written: the disk is full")
        move_to_new(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(trash_of_files, "move_to_new", full)
        home.library.undo_delete()
        home.settle()
    assert len(home.problems) == 1
    assert "the disk is full" in home.problems[0]
    assert f"Trash{os.sep}files{os.sep}{first.path.name}" in home.problems[0]
    assert second.path.exists()
    found = home.library.take(first.id)
    assert found is not None
    assert found.missing
    home.reopen()
    assert first.path.exists()
    assert trash() == []
    found = home.library.take(first.id)
    assert found is not None
    assert not found.missing


def test_a_trash_that_nobody_may_look_into(
    home: Home, trash: Trash, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a Mac without the right to it: the library goes on."""
    take = home.make()
    sound = take.path.read_bytes()
    home.library.delete([take.id])
    home.settle()
    take.path.write_bytes(sound)  # put back by other means
    stat = os.stat

    def forbidding(path: Any, **how: Any) -> os.stat_result:
        if "Trash" in str(path):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(path))
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", forbidding)
    home.reopen()
    assert home.problems == []
    assert home.library.takes() == [take.id]
