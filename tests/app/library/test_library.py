from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import soundfile
from PySide6.QtCore import QObject, Slot
from pytestqt.qtbot import QtBot

from mlx_music import AudioError
from mlx_music_app.library import journal
from mlx_music_app.library.errors import LibraryError, NewerLibrary
from mlx_music_app.library.files import EXPORTS
from mlx_music_app.library.peaks import Peaks
from tests.app.library.conftest import RATE, Home, made, output, rows, sound


class Listener(QObject):
    """Remembers what a signal brought."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    @Slot(object)
    def hear(self, what: object) -> None:
        self.heard.append(what)


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*.wav")}


# What is made


def test_a_take_is_there_at_once_and_after_a_restart(home: Home, qtbot: QtBot) -> None:
    with qtbot.waitSignal(home.library.takeAdded) as added:
        take = home.make(lyrics="sun and moon")
    assert added.args == [take.id]
    assert (take.name, take.number, take.missing) == ("Night", 1, False)
    assert take.path.name == "Night - 120bpm - take 1.wav"
    assert home.make().name == "Night 2"
    assert home.library.takes("moon") == [take.id]
    before = home.library.get_many(home.library.takes())
    home.reopen()
    assert home.library.get_many(home.library.takes()) == before
    assert home.problems == []


def test_changes_stay_and_files_are_never_touched(home: Home, qtbot: QtBot) -> None:
    take = home.make()
    before = files(home.folder)
    with qtbot.waitSignals([home.library.takeChanged] * 4):
        home.library.rename(take.id, "  Dawn   chorus ")
        home.library.set_favourite(take.id, True)
        home.library.set_notes(take.id, "the good one\n")
        home.library.set_tags(take.id, ["x", " y  z ", "x", ""])
    home.reopen()
    found = home.library.take(take.id)
    assert found is not None
    assert (found.title, found.favourite, found.notes) == ("Dawn chorus", True, "the good one\n")
    assert found.tags == ("x", "y z")
    assert home.library.all_tags() == ["x", "y z"]
    assert home.library.takes(favourites=True) == home.library.takes(tag="y z") == [take.id]
    home.settle()
    assert files(home.folder) == before


def test_a_renamed_take_keeps_its_number_from_the_next(home: Home) -> None:
    take = home.make()
    home.library.rename(take.id, "Dawn")
    assert home.make("Dawn").name == "Dawn 2"
    assert home.make("Night").name == "Night 2"


def test_a_title_is_needed(home: Home) -> None:
    take = home.make()
    with pytest.raises(LibraryError, match="title"):
        home.library.rename(take.id, "  ")
    with pytest.raises(LibraryError, match="no longer"):
        home.library.rename(99, "x")


def test_families(home: Home) -> None:
    root = home.make()
    child = home.make("Dawn", parent=root.id)
    grandchild = home.make("Noon", parent=child.id)
    assert child.parent == root.id
    expected = ["Night", "Dawn", "Noon"]
    for take in (root, child, grandchild):
        assert [one.title for one in home.library.family(take.id)] == expected


def test_a_take_whose_file_cannot_be_read_is_still_recorded(home: Home) -> None:
    music = output()
    take = home.library.add(made(home.folder / "gone.wav", music, "Night"))
    assert home.library.take(take.id) is not None
    home.reopen()
    found = home.library.take(take.id)
    assert found is not None
    assert found.missing


# What a crash leaves


def test_a_take_that_was_written_but_not_recorded_is_found(home: Home) -> None:
    parent = home.make()
    home.library.files.save(output(seed=7), "Dawn", parent=parent.id)
    home.reopen()
    assert sorted(home.names()) == ["Dawn", "Night"]
    found = home.library.get_many(home.library.takes("dawn"))[0]
    assert found.parent == parent.id
    assert found.request.seed == 7
    home.reopen()
    assert len(home.names()) == 2


def test_halves_of_files_are_cleaned_up(home: Home) -> None:
    take = home.make()
    half = home.folder / ".mlx-music-0123456789abcdef.wav"
    half.write_bytes(b"RIFF")
    os.utime(half, (1, 1))
    home.reopen()
    assert not half.exists()
    assert take.path.exists()


@pytest.mark.parametrize("damage", ["lost", "no database", "zeros", "page"])
def test_a_lost_or_damaged_catalogue_comes_back_with_all_that_a_person_added(
    home: Home, damage: str
) -> None:
    root = home.make(lyrics="la la")
    child = home.make("Dawn", parent=root.id)
    home.library.rename(root.id, "Evening")
    home.library.set_tags(root.id, ["x"])
    home.library.set_notes(child.id, "noted")
    home.library.set_favourite(child.id, True)
    home.settle()
    before = {
        t.uid: (t.title, t.number, t.tags, t.notes, t.favourite, t.request, t.created)
        for t in home.library.get_many(home.library.takes())
    }
    home.library.close()
    data = home.database.read_bytes()
    if damage == "lost":
        home.lose_database()
    elif damage == "no database":
        home.database.write_bytes(b"rubbish" * 1000)
    elif damage == "zeros":
        home.database.write_bytes(data[:2048] + bytes(len(data) - 2048))
    else:
        home.database.write_bytes(data[: len(data) // 2])
    home.reopen()
    home.settle()
    found = home.library.get_many(home.library.takes())
    after = {
        t.uid: (t.title, t.number, t.tags, t.notes, t.favourite, t.request, t.created)
        for t in found
    }
    assert after == before
    assert [t.title for t in home.library.family(found[0].id)] == ["Evening", "Dawn"]
    kept = list(home.database.parent.glob("library damaged *.sqlite3"))
    assert len(kept) == (0 if damage == "lost" else 1)
    assert len(home.problems) == len(kept)
    assert all("kept as library damaged" in problem for problem in home.problems)


def test_damage_that_shows_while_the_app_runs(home: Home, qtbot: QtBot) -> None:
    home.make()
    home.settle()
    catalogue = home.library._keeper._catalogue
    assert catalogue is not None
    catalogue.checkpoint()
    size = home.database.stat().st_size
    with open(home.database, "r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (size - 4096))
    home.library._cache.clear()
    home.library.rescan()
    for _ in range(3):
        home.library.takes()
        home.settle()
    assert home.names() == ["Night"]


def test_a_newer_catalogue_is_said_and_left_alone(home: Home) -> None:
    home.make()
    home.library.close()
    rows(home.database, "PRAGMA user_version = 99")
    before = home.database.read_bytes()
    with pytest.raises(NewerLibrary):
        home.library.open()
    assert home.database.read_bytes() == before
    assert not home.library.is_open


def test_without_the_journal_the_tags_say_what_they_can(home: Home) -> None:
    root = home.make()
    home.make("Dawn", parent=root.id)
    home.settle()
    home.lose_database()
    (home.folder / journal.NAME).unlink()
    home.reopen()
    assert sorted(home.names()) == ["Dawn", "Night"]
    dawn = home.library.get_many(home.library.takes("dawn"))[0]
    assert len(home.library.family(dawn.id)) == 2


# Files that come, go and move


def test_files_of_the_command_line_are_taken_in(home: Home) -> None:
    output(seed=3).save(home.folder / "ballad.flac")
    soundfile.write(home.folder / "drums.wav", sound().T, RATE)  # not ours
    (home.folder / EXPORTS).mkdir()
    output(seed=4).save(home.folder / EXPORTS / "part.wav")
    home.library.rescan()
    home.settle()
    assert home.names() == ["ballad"]
    assert home.problems == []


def test_a_damaged_file_of_ours_is_said_once(home: Home) -> None:
    path = output().save(home.folder / "x.wav")
    path.write_bytes(path.read_bytes()[:300])
    (home.folder / "y.flac").write_bytes(b"fLaC" + bytes(100))
    home.reopen()
    assert home.problems == []  # they may still be being copied
    for file in home.folder.iterdir():
        os.utime(file, (1, 1))
    home.reopen()
    assert len(home.problems) == 1
    home.reopen()
    assert len(home.problems) == 1
    assert home.names() == []


def test_a_file_that_went_is_missing_and_that_came_back_is_not(home: Home) -> None:
    take = home.make()
    data = take.path.read_bytes()
    take.path.unlink()
    home.library.rescan()
    home.settle()
    found = home.library.take(take.id)
    assert found is not None
    assert found.missing
    take.path.write_bytes(data)
    home.library.rescan()
    home.settle()
    assert home.library.take(take.id) == take


def test_a_file_that_was_moved_inside_the_folder_is_found(home: Home) -> None:
    take = home.make()
    home.library.set_notes(take.id, "n")
    place = home.folder / "best" / "renamed.wav"
    place.parent.mkdir()
    take.path.rename(place)
    home.library.rescan()
    home.settle()
    found = home.library.take(take.id)
    assert found is not None
    assert (found.path, found.missing, found.notes) == (place, False, "n")
    assert len(home.names()) == 1


def test_a_copy_is_no_second_take(home: Home) -> None:
    take = home.make()
    (home.folder / "copy.wav").write_bytes(take.path.read_bytes())
    home.reopen()
    home.library.rebuild()
    home.settle()
    assert home.names() == ["Night"]
    found = home.library.take(take.id)
    assert found is not None
    assert found.path == take.path


def test_a_missing_take_is_located_and_another_is_refused(home: Home, tmp_path: Path) -> None:
    take, other = home.make(), home.make()
    place = tmp_path / "elsewhere.wav"
    take.path.rename(place)
    home.library.rescan()
    home.settle()
    with pytest.raises(LibraryError, match="is not the file of Night"):
        home.library.locate(take.id, other.path)
    home.library.locate(take.id, place)
    home.reopen()
    found = home.library.take(take.id)
    assert found is not None
    assert (found.path, found.missing) == (place, False)
    # And it is known there even if the catalogue is lost.
    home.settle()
    home.lose_database()
    home.reopen()
    assert sorted(home.names()) == ["Night", "Night 2"]


def test_another_music_folder(home: Home, tmp_path: Path) -> None:
    take = home.make()
    home.preferences.set("music_folder", str(tmp_path / "new"))
    home.settle()
    new = home.make()
    assert new.path.parent == tmp_path / "new"
    assert new.number == 2
    home.settle()
    assert len(journal.read(tmp_path / "new")) == 2
    # The person moves the old takes over.
    take.path.rename(tmp_path / "new" / take.path.name)
    home.library.rescan()
    home.settle()
    assert [t.missing for t in home.library.get_many(home.library.takes())] == [False, False]


def test_a_file_from_elsewhere_is_copied_in(home: Home, tmp_path: Path) -> None:
    source = output(seed=9).save(tmp_path / "gift.wav")
    take = home.library.import_file(source)
    assert take.path.parent == home.folder
    assert take.path.read_bytes() == source.read_bytes()
    assert (take.title, take.request.seed) == ("gift", 9)
    assert home.library.import_file(source) == take
    inside = output(seed=10).save(home.folder / "here.wav")
    assert home.library.import_file(inside).path == inside
    soundfile.write(tmp_path / "foreign.wav", sound().T, RATE)
    with pytest.raises(AudioError, match="reference instead"):
        home.library.import_file(tmp_path / "foreign.wav")
    assert len(home.names()) == 2


def test_a_missing_take_comes_back_by_importing_its_file(home: Home, tmp_path: Path) -> None:
    take = home.make()
    backup = tmp_path / "backup.wav"
    take.path.rename(backup)
    home.library.rescan()
    home.settle()
    found = home.library.import_file(backup)
    assert (found.id, found.missing) == (take.id, False)
    assert found.path.parent == home.folder


def test_rebuilding_keeps_ids_and_what_was_added(home: Home, qtbot: QtBot) -> None:
    takes = [home.make() for _ in range(3)]
    home.library.set_notes(takes[0].id, "n")
    before = home.library.get_many(home.library.takes())
    with qtbot.waitSignal(home.library.scanFinished):
        home.library.rebuild()
    home.settle()
    assert home.library.get_many(home.library.takes()) == before


def test_much_at_once_is_announced_as_one(home: Home, qtbot: QtBot) -> None:
    for seed in range(60):
        output(10, seed).save(home.folder / f"{seed}.wav")
    with qtbot.waitSignals([home.library.reset, home.library.scanProgress]):
        home.library.rescan()
    assert len(home.library.takes()) == 60


# Others


def test_peaks_arrive_on_the_main_thread(home: Home) -> None:
    take, listener = home.make(), Listener()
    home.library.peaks(take, listener.hear)
    home.settle()
    assert isinstance(listener.heard[0], Peaks)
    assert listener.heard[0].path == take.path
    take.path.unlink()
    home.library.peaks(take, listener.hear, listener.hear)
    home.settle()
    assert isinstance(listener.heard[1], AudioError)


def test_a_closed_library_says_so(home: Home) -> None:
    home.library.close()
    with pytest.raises(LibraryError, match="not open"):
        home.library.takes()
    home.library.close()
