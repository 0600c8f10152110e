"""Where the Hugging Face cache keeps a checkpoint, and what is in it.

The layout (https://huggingface.co/docs/huggingface_hub/guides/manage-cache) of a repository:
`refs/<branch>` holds a commit, `snapshots/<commit>/` its files, and each of them is a link to
`blobs/<digest>`, named by sha256 for large files and by git's sha1 for others. Where a disk has no
links (exFAT), the snapshot holds the files themselves and their digests are not known.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlx_music.errors import CheckpointError
from mlx_music.weights.json_file import unreadable
from mlx_music.weights.requirements import Requirement, missing_files

_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_HASHED_AT_ONCE = 1 << 20

#: How the folders of model repositories start; "--" stands for "/", which no name contains.
_MODELS = "models"


@dataclass(frozen=True)
class InstalledModel:
    """One revision of a repository in the cache.

    `revisions` are the branches and tags that point at `commit`; `nbytes` counts the files as
    they are read (revisions share unchanged files on disk); `missing` lists required files that
    are not there.
    """

    repo_id: str
    commit: str
    revisions: tuple[str, ...]
    path: Path
    nbytes: int
    missing: tuple[str, ...]


def cache_folder() -> Path:
    """The hub cache, as the environment (HF_HUB_CACHE, HF_HOME) places it."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def repo_folder(repo_id: str) -> Path:
    """The folder of a model repository in the cache; it need not exist."""
    # As `repo_folder_name` of huggingface_hub.file_download, which takes 0.3 s to import.
    from huggingface_hub import constants

    return cache_folder() / constants.REPO_ID_SEPARATOR.join(("models", *repo_id.split("/")))


def find_snapshot(repo_id: str, revision: str | None) -> Path | None:
    """The cached files of a branch, tag or commit ("main" by default), complete or not."""
    folder = repo_folder(repo_id)
    revision = revision or "main"
    commit = revision if _COMMIT.fullmatch(revision) else _read_ref(folder / "refs" / revision)
    if commit is None:
        return None
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def _read_ref(path: Path) -> str | None:
    if not path.is_file():
        return None
    commit = path.read_text(encoding="utf-8").strip()
    return commit if _COMMIT.fullmatch(commit) else None


def installed_models(required: Sequence[Requirement]) -> list[InstalledModel]:
    """The cached revisions, of any repository, that hold required files, complete or not.

    Nothing is read but folder listings.
    """
    folders = sorted(cache_folder().glob(f"{_MODELS}--*"))
    repo_ids = [folder.name.removeprefix(f"{_MODELS}--").replace("--", "/") for folder in folders]
    return [
        model
        for repo_id in repo_ids
        for model in _installed(repo_id, required)
        if len(model.missing) < len(required)
    ]


def _installed(repo_id: str, required: Sequence[Requirement]) -> Iterator[InstalledModel]:
    folder = repo_folder(repo_id)
    refs = {
        path.relative_to(folder / "refs").as_posix(): _read_ref(path)
        for path in sorted((folder / "refs").rglob("*"))
        if path.is_file()
    }
    for snapshot in sorted((folder / "snapshots").glob("*")):
        files = [path for path in snapshot.rglob("*") if path.is_file()]
        if files:
            yield InstalledModel(
                repo_id=repo_id,
                commit=snapshot.name,
                revisions=tuple(name for name, commit in refs.items() if commit == snapshot.name),
                path=snapshot,
                nbytes=sum(path.stat().st_size for path in files),
                missing=tuple(missing_files(snapshot, required)),
            )


def known_digest(path: Path) -> str | None:
    """The digest that the cache's link to a file carries in its name; None outside a cache."""
    if not path.is_symlink():
        return None
    blob = Path(os.readlink(path))
    known = blob.parent.name == "blobs" and _DIGEST.fullmatch(blob.name)
    return blob.name if known else None


def file_digest(path: Path, like: str, tick: Callable[[int], None] = lambda size: None) -> str:
    """The file's digest, of the same kind as `like`: sha256, or git's sha1 of a blob.

    `tick` is called with the number of bytes read since its last call, and may raise to stop.
    """
    try:
        if len(like) == 64:
            digest = hashlib.sha256()
        else:
            digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb") as file:
            while chunk := file.read(_HASHED_AT_ONCE):
                digest.update(chunk)
                tick(len(chunk))
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def discard(path: Path) -> None:
    """Remove a damaged file from the cache, with everything that its link leads to.

    The cache believes that a file which exists is whole, so a damaged one would never be fetched
    again.
    """
    cache = cache_folder().resolve()
    while True:
        if not path.parent.resolve().is_relative_to(cache):
            raise CheckpointError(f"{path}: outside the hub cache {cache}; remove it yourself")
        target = path.parent / os.readlink(path) if path.is_symlink() else None
        path.unlink(missing_ok=True)
        if target is None:
            return
        path = target
