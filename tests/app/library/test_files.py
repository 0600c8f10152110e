from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mlx_music import AudioError, GenerationRequest
from mlx_music.audio.tags import read_tags
from mlx_music_app.library.files import (
    EXPORTS,
    TakeFiles,
    free_name,
    move_to_new,
    music_files,
    remove_unfinished,
)
from mlx_music_app.library.identity import read_facts, read_uid
from tests.app.library.conftest import RATE, output, sound

FOLK = GenerationRequest(prompt="folk, 120 bpm")


@pytest.fixture
def files(tmp_path: Path) -> TakeFiles:
    return TakeFiles(tmp_path / "music")


def test_names_count_on_per_title(files: TakeFiles) -> None:
    assert files.reserve("Night", FOLK).name == "Night - 120bpm - take 1.wav"
    assert files.reserve("night", FOLK).name == "night - 120bpm - take 2.wav"
    assert files.reserve("Night", GenerationRequest(prompt="x")).name == "Night - take 3.wav"
    assert files.reserve("Day", FOLK).name == "Day - 120bpm - take 1.wav"
    assert files.reserve("", FOLK).name == "Folk - 120bpm - take 1.wav"


def test_names_on_the_disk_are_taken_whatever_their_case_and_ending(files: TakeFiles) -> None:
    files.folder.mkdir()
    (files.folder / "NIGHT - 120bpm - take 7.flac").touch()
    assert files.reserve("Night", FOLK).name == "Night - 120bpm - take 8.wav"
    assert files.reserve("Night", FOLK, 7).name == "Night - 120bpm - take 9.wav"
    assert files.reserve("Night", FOLK, 3).name == "Night - 120bpm - take 3.wav"


def test_a_name_that_was_given_back_is_given_out_again(files: TakeFiles) -> None:
    first = files.reserve("Night", FOLK)
    files.release(first)
    assert files.reserve("Night", FOLK) == first


def test_a_deleted_takes_number_is_not_used_again(files: TakeFiles) -> None:
    first = files.save(output(), "Night")
    first.unlink()
    assert files.save(output(), "Night").name == "Night - 120bpm - take 2.wav"
    files.count_from("Night", 9)
    assert files.save(output(), "Night").name == "Night - 120bpm - take 10.wav"


def test_many_threads_get_many_names(files: TakeFiles) -> None:
    files.folder.mkdir()
    names: list[Path] = []
    threads = [
        threading.Thread(target=lambda: names.extend(files.reserve("N", FOLK) for _ in range(20)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({name.name.casefold() for name in names}) == 160


def test_a_take_is_24_bit_and_says_who_it_is(files: TakeFiles) -> None:
    files.parent_uid = {7: "the-parent"}.get
    music = output(seed=5)
    path = files.save(music, "Nacht – drei", parent=7)
    assert path.name == "Nacht - drei - 120bpm - take 1.wav"
    assert soundfile.info(path).subtype == "PCM_24"
    np.testing.assert_array_equal(soundfile.read(path, dtype="float32")[0].T, music.audio)
    facts = read_facts(path)
    assert facts is not None
    assert facts.request == music.request
    assert (facts.model, facts.audio.sample_rate) == ("sketch", RATE)
    assert (facts.identity.title, facts.identity.number) == ("Nacht – drei", 1)
    assert facts.identity.parent == "the-parent"
    assert facts.identity.created is not None
    assert read_uid(path) == facts.identity.uid
    tags = read_tags(path)
    assert tags is not None
    assert tags.fields["title"] == "Nacht – drei"


def test_a_file_of_the_command_line_is_known_by_its_content(tmp_path: Path) -> None:
    path = output().save(tmp_path / "a.wav")
    copy = tmp_path / "b.wav"
    copy.write_bytes(path.read_bytes())
    other = output(seed=1).save(tmp_path / "c.wav")
    assert read_uid(path) == read_uid(copy) != read_uid(other)


def test_a_foreign_file_is_nobody(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sound().T, RATE)
    assert read_uid(tmp_path / "a.wav") is None
    assert read_facts(tmp_path / "a.wav") is None


def test_what_another_process_wrote_meanwhile_is_not_replaced(
    files: TakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlx_music_app.library import files as module

    write = module.write_audio
    intruder = files.folder / "Night - 120bpm - take 1.wav"

    def late(path: Path, *args: object, **named: object) -> Path:
        if not intruder.exists():
            files.folder.mkdir(exist_ok=True)
            intruder.write_text("somebody else's")
        return write(path, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "write_audio", late)
    assert files.save(output(), "Night").name == "Night - 120bpm - take 2.wav"
    assert intruder.read_text() == "somebody else's"


def test_a_folder_that_cannot_be_written_is_said_and_its_name_given_back(tmp_path: Path) -> None:
    (tmp_path / "music").touch()
    files = TakeFiles(tmp_path / "music" / "inside")
    with pytest.raises(AudioError, match="inside"):
        files.save(output(), "Night")


def test_files_are_found_below_the_folder_but_not_among_the_exports(tmp_path: Path) -> None:
    for name in ("a.wav", "sub/b.FLAC", ".hidden.wav", "notes.txt", f"{EXPORTS}/c.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert {entry.name for entry in music_files(tmp_path)} == {"a.wav", "b.FLAC"}
    assert not list(music_files(tmp_path / "none"))


def test_only_abandoned_halves_are_removed(tmp_path: Path) -> None:
    old = [".mlx-music-0123456789abcdef.wav", f"{EXPORTS}/.mlx-music-0123456789abcdef.mp3"]
    old += ["Night - take 1.wav"]  # empty: the place that a disk without links was held by
    kept = [".mlx-music-fedcba9876543210.wav", ".mlx-music-journal.jsonl", "Empty.wav"]
    (tmp_path / EXPORTS).mkdir()
    for name in old + kept:
        (tmp_path / name).touch()
    for name in [*old, ".mlx-music-journal.jsonl", "Empty.wav"]:
        os.utime(tmp_path / name, (1, 1))
    assert len(remove_unfinished(tmp_path)) == len(old)
    assert not any((tmp_path / name).exists() for name in old)
    assert all((tmp_path / name).exists() for name in kept)


@pytest.mark.parametrize("links", [True, False])
def test_moving_never_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuse(*_: object, **__: object) -> None:
            raise OSError(1, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    source, target = tmp_path / "a", tmp_path / "folder" / "b"
    source.write_text("a")
    move_to_new(source, target)
    assert (target.read_text(), source.exists()) == ("a", False)
    source.write_text("other")
    with pytest.raises(FileExistsError):
        move_to_new(source, target)
    assert (target.read_text(), source.read_text()) == ("a", "other")
    assert free_name(target).name == "b (2)"


def test_the_request_in_the_tags_is_plain_to_other_readers(files: TakeFiles) -> None:
    tags = read_tags(files.save(output(seed=3), "Night"))
    assert tags is not None
    assert json.loads(tags.request_json)["request"]["seed"] == 3
