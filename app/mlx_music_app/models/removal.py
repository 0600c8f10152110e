"""Take a model off the disk, and say beforehand what that frees."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QFile

from mlx_music.weights.hub_cache import cache_folder, repo_folder


class RemovalError(Exception):
    """A line that says what could not be removed, and what to do."""


def freed_by_cache_removal(hub_id: str) -> int:
    """Bytes that `remove_from_cache` frees. Smaller copies may share files with the original."""
    return _unshared(_own_files(repo_folder(hub_id)))


def freed_by_folder_removal(folder: Path) -> int:
    """Bytes that removing a folder frees, without files that others share."""
    return _unshared(_own_files(folder))


def remove_from_cache(hub_id: str) -> None:
    """Remove all of a repository from the hub cache, unfinished downloads too.

    What makes it count as installed goes first, so that a removal that breaks off leaves an
    unfinished download, which can be removed again or gone on with. RemovalError.
    """
    folder = repo_folder(hub_id)
    if not folder.resolve().is_relative_to(cache_folder().resolve()):
        raise RemovalError(f"{folder}: lies outside the hub cache; remove it yourself")
    try:
        for name in ("refs", "snapshots", "blobs"):
            if (folder / name).exists():
                shutil.rmtree(folder / name)
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise RemovalError(
            f"{error.filename or folder}: cannot be removed ({error.strerror}); "
            "remove it yourself, then look again"
        ) from error


def discard_partial(hub_id: str) -> None:
    """Remove the files of a download that are not whole; whole ones stay for the next try."""
    blobs = repo_folder(hub_id) / "blobs"
    for path in blobs.glob("*.partial"):
        path.unlink(missing_ok=True)


def move_to_trash(folder: Path) -> None:
    """RemovalError if the system has no trash for this disk."""
    if not QFile.moveToTrash(str(folder)):
        raise RemovalError(f"{folder}: cannot be moved to the trash; remove the folder yourself")


def _own_files(folder: Path) -> Iterable[os.stat_result]:
    seen = set()
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file():
            continue
        status = path.stat()
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            yield status


def _unshared(files: Iterable[os.stat_result]) -> int:
    return sum(status.st_size for status in files if status.st_nlink == 1)
