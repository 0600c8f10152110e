"""A whole file or none, and one line that says why."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from mlx_music.audio.atomic import check_target, write_whole
from mlx_music.errors import AudioError

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX")


def refused(path: str | Path, match: str, **options: bool) -> None:
    """Both the check and the writing refuse `path`, in one line that names it."""
    for call in (check_target, lambda p, **o: write_whole(p, b"x", **o)):
        with pytest.raises(AudioError, match=match) as caught:
            call(path, **options)
        assert "\n" not in str(caught.value)
        assert Path(path).name[:20] in str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_it_writes_and_creates_folders(tmp_path):
    path = tmp_path / "new" / "deep" / "نغمة 🎵.bin"
    assert check_target(path) == path.resolve()
    assert names(tmp_path) == [], "a check creates nothing"
    write_whole(path, b"abc")
    assert path.read_bytes() == b"abc"
    assert names(path.parent) == [path.name]


def test_a_disk_without_room_is_found_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9e9, 9e9, 700_000))
    with pytest.raises(AudioError, match=r"0\.7 MB left, and this takes about 2\.9 MB"):
        check_target(tmp_path / "new" / "a.wav", size=2_880_000)
    check_target(tmp_path / "new" / "a.wav", size=700_000)
    check_target(tmp_path / "new" / "a.wav")


@posix
def test_a_new_file_has_the_usual_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_an_existing_file_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    refused(path, "--force")
    assert path.read_bytes() == b"old"
    write_whole(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.wav"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    sync = os.fsync

    def appear(descriptor: int) -> None:
        path.write_bytes(b"other")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(AudioError, match="--force"):
        write_whole(path, b"mine")
    assert path.read_bytes() == b"other"
    assert names(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("taken", [False, True])
def test_without_hard_links(tmp_path, monkeypatch, taken):
    """exFAT and some network volumes."""
    path = tmp_path / "a.wav"

    def no_links(*_: object) -> None:
        if taken:
            path.write_bytes(b"other")
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(os, "link", no_links)
    if taken:
        with pytest.raises(AudioError, match="--force"):
            write_whole(path, b"mine")
    else:
        write_whole(path, b"mine")
    assert path.read_bytes() == (b"other" if taken else b"mine")
    assert names(tmp_path) == ["a.wav"]


def test_without_hard_links_a_failed_renaming_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "link", fail)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(AudioError, match="Input/output error"):
        write_whole(tmp_path / "a.wav", b"mine")
    assert names(tmp_path) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_failing_disk_leaves_what_was_there(tmp_path, monkeypatch, code, overwrite):
    path = tmp_path / "a.wav"
    if overwrite:
        path.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AudioError, match=r"a\.wav cannot be written: ") as caught:
        write_whole(path, b"new", overwrite=overwrite)
    assert ("disk is full" in str(caught.value)) == (code == errno.ENOSPC)
    assert names(tmp_path) == (["a.wav"] if overwrite else [])
    assert not overwrite or path.read_bytes() == b"old"


@posix
def test_a_write_that_stops_in_the_middle(tmp_path):
    """A true short write: the system's limit on the size of files."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(AudioError, match="cannot be written"):
            write_whole(tmp_path / "a.wav", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(tmp_path) == []


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a.wav", b"mine")
    assert names(tmp_path) == []


def test_folders_and_files_in_the_way(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    refused(tmp_path / "folder", "is a folder")
    refused(tmp_path / "folder", "is a folder", overwrite=True)
    refused(tmp_path / "file" / "a.wav", "a file, not a folder")
    refused(tmp_path / "file" / "deep" / "a.wav", "a file, not a folder")


def test_impossible_names(tmp_path):
    refused(tmp_path / ("a" * 300 + ".wav"), "name is too long")
    write_whole(tmp_path / ("a" * 251 + ".wav"), b"x")
    with pytest.raises(AudioError, match="not a possible file name"):
        write_whole(f"{tmp_path}/a\0b.wav", b"x")
    with pytest.raises(AudioError, match="not a possible file name"):
        write_whole(f"{tmp_path}/\ud800.wav", b"x")
    with pytest.raises(AudioError) as caught:
        check_target(f"{tmp_path}/{'b' * 300}\n.wav")
    assert "\n" not in str(caught.value)


@posix
def test_links_are_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("target")
    refused(link, "--force")
    write_whole(link, b"new", overwrite=True)
    assert link.is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(AudioError):
        write_whole(tmp_path / "loop", b"x", overwrite=True)


@posix
def test_only_ordinary_files_are_replaced(tmp_path):
    """Or `--force --output /dev/null`, as root, would replace the device."""
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "cannot be written", overwrite=True)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path.resolve())
    refused(tmp_path / "a.wav", "permission denied")
    refused(tmp_path / "new" / "a.wav", "permission denied")


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        refused(tmp_path / "a.wav", "permission denied")
    finally:
        tmp_path.chmod(0o700)
