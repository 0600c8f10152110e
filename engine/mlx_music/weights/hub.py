"""Find a checkpoint: a local folder, or a repository of the Hugging Face hub by its id."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mlx_music.errors import CheckpointError
from mlx_music.weights.download import ByteProgress, RemoteSnapshot, download_files, list_remote
from mlx_music.weights.hub_cache import find_snapshot
from mlx_music.weights.json_file import REPAIR
from mlx_music.weights.requirements import Requirement, missing_files, select_files


def find_checkpoint(
    path_or_id: str | Path,
    *,
    required: Sequence[Requirement],
    optional: Sequence[str] = (),
    revision: str | None = None,
    download: bool = True,
    refresh: bool = False,
    progress: ByteProgress | None = None,
) -> Path:
    """The folder of a checkpoint that has all required files, downloading what is needed.

    `path_or_id` is a local folder, which wins, or a hub id "org/name". A hub id that the cache
    holds completely is answered without the network; otherwise only the required files are
    downloaded, and of the optional ones those that the hub has, into the hub cache, going on from
    an earlier try. `revision` is a branch, tag or commit of a hub id. With `download=False` nothing
    is downloaded. `refresh=True` always asks the hub, brings a branch up to date, and fetches
    damaged files again.

    `progress(bytes_done, bytes_total)` is called during a download, on this thread. It may raise
    (`Cancelled`, say) to stop it; the next call goes on from there.

    Raises CheckpointError: no such folder or repository, files missing from it, no network or
    offline mode, access refused, disk full, damaged transfer.
    """
    local = _local_folder(path_or_id)
    if local is not None:
        if revision is not None:
            raise CheckpointError(f"{local}: a local folder has no revisions, but one was given")
        _require(local, required)
        return local
    repo_id = str(path_or_id)
    cached = find_snapshot(repo_id, revision)
    missing = None if cached is None else missing_files(cached, required)
    if cached is not None and not missing and not refresh:
        return cached
    if not download:
        state = "not downloaded" if not missing else f"download incomplete ({_listed(missing)})"
        raise CheckpointError(f"{repo_id}: {state}; get it with `mlx-music download {repo_id}`")
    remote = list_remote(repo_id, revision)
    folder = _download(remote, required, optional, refresh, progress)
    _require(folder, required)
    return folder


def _local_folder(path_or_id: str | Path) -> Path | None:
    """The folder that is meant, or None for a hub id; CheckpointError for neither."""
    path = Path(os.path.expanduser(path_or_id))
    text = str(path_or_id)
    if path.is_dir() and text != "":
        return path
    if path.is_file():
        raise CheckpointError(f"{path}: a file, where the folder of a checkpoint is expected")
    if isinstance(path_or_id, Path) or text.startswith((".", "~", "/")) or path.is_absolute():
        raise CheckpointError(f"{path}: no such folder; give one, or a hub id like org/name")
    if not _is_repo_id(text):
        raise CheckpointError(f"{text!r}: neither a folder nor a hub id like org/name")
    return None


def _is_repo_id(text: str) -> bool:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return "/" in text


def _download(
    remote: RemoteSnapshot,
    required: Sequence[Requirement],
    optional: Sequence[str],
    refresh: bool,
    progress: ByteProgress | None,
) -> Path:
    names, missing = select_files(remote.files, required)
    if missing:
        raise CheckpointError(
            f"{remote.repo_id}: the repository lacks {_listed(missing)};"
            " it holds another kind of model"
        )
    names += [name for name in optional if name in remote.files]
    return download_files(remote, names, recheck=refresh, progress=progress)


def _require(folder: Path, required: Sequence[Requirement]) -> None:
    missing = missing_files(folder, required)
    if missing:
        raise CheckpointError(f"{folder}: {_listed(missing)} missing; {REPAIR}")


def _listed(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
