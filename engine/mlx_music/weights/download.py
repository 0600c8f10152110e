"""Download files of a hub repository into the Hugging Face cache: verified, and resumable.

huggingface_hub lists the repository, authenticates, and keeps its cache in order. The bytes are
fetched here, because its newer versions throw a partial file away when a download breaks off, and
compare only sizes: a 7 GB file must not start again, and must be what the hub says it is.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mlx_music.errors import CheckpointError
from mlx_music.weights.hub_cache import cache_folder, discard, file_digest, repo_folder
from mlx_music.weights.hub_errors import hub_errors, transport_error

#: Called with (bytes there, bytes in all) as a download goes on; it may raise to stop it, and the
#: next download goes on from there.
ByteProgress = Callable[[int, int], None]

#: Space kept free beyond the download itself.
_SPARE_BYTES = 64 << 20

_CHUNK_BYTES = 1 << 18
_TIMEOUT_SECONDS = 20.0
#: A connection that breaks is taken up again this often without a byte of progress in between.
_RETRIES = 5
_RETRY_SECONDS = 1.0
#: How often a wait for another process, which downloads the same file, looks up.
_LOCK_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class RemoteFile:
    """A file of a repository: its size in bytes, and its digest (sha256, or git's sha1)."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class RemoteSnapshot:
    """The files of a repository at one commit; `revision` is what was asked for."""

    repo_id: str
    revision: str | None
    commit: str
    files: Mapping[str, RemoteFile]

    @property
    def folder(self) -> Path:
        """Where the cache keeps this commit."""
        return repo_folder(self.repo_id) / "snapshots" / self.commit


def list_remote(repo_id: str, revision: str | None = None) -> RemoteSnapshot:
    """Ask the hub for a repository's files. CheckpointError if it cannot be asked or says no."""
    from huggingface_hub import HfApi

    with hub_errors(repo_id, revision):
        info = HfApi().model_info(
            repo_id, revision=revision, files_metadata=True, timeout=_TIMEOUT_SECONDS
        )
    files = {}
    for entry in info.siblings or []:
        digest = entry.blob_id if entry.lfs is None else entry.lfs.sha256
        size = entry.size if entry.lfs is None else entry.lfs.size
        if digest is not None and size is not None:
            files[entry.rfilename] = RemoteFile(entry.rfilename, size, digest)
    if info.sha is None or not files:
        raise CheckpointError(f"{repo_id}: the hub lists no files for this repository")
    return RemoteSnapshot(repo_id, revision, info.sha, files)


def download_files(
    remote: RemoteSnapshot,
    names: Sequence[str],
    *,
    recheck: bool = False,
    progress: ByteProgress | None = None,
) -> Path:
    """Bring the named files of a snapshot into the cache, and return the snapshot's folder.

    Files that are there in the right size are kept; `recheck` compares their digests too. Damaged
    ones are fetched again. Raises CheckpointError for network and disk trouble, and for a file
    that does not arrive as the hub describes it; what was fetched so far is kept for the next try.
    """
    files = [remote.files[name] for name in names]
    tally = _Tally(sum(file.size for file in files), progress)
    with hub_errors(remote.repo_id, remote.revision):
        _check_space(remote, files)
        tally.add(0)
        for file in files:
            _ensure(remote, file, recheck, tally)
        _record_revision(remote, files)
    return remote.folder


@dataclass
class _Tally:
    """Adds up the bytes of all files for the caller's progress."""

    total: int
    progress: ByteProgress | None
    done: int = 0

    def add(self, size: int) -> None:
        self.done += size
        if self.progress is not None:
            self.progress(self.done, self.total)


def _blob(remote: RemoteSnapshot, file: RemoteFile) -> Path:
    return repo_folder(remote.repo_id) / "blobs" / file.digest


def _partial(remote: RemoteSnapshot, file: RemoteFile) -> Path:
    return _blob(remote, file).with_name(f"{file.digest}.mlx-music.partial")


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and _size(path) == size


def _check_space(remote: RemoteSnapshot, files: Sequence[RemoteFile]) -> None:
    """Refuse a download that cannot end well, before its first byte."""
    needed = 0
    for file in files:
        if not _has_size(remote.folder / file.name, file.size):
            needed += file.size - _size(_partial(remote, file))
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > 0 and needed + _SPARE_BYTES > free:
        raise CheckpointError(
            f"{remote.repo_id}: {needed / 1e9:.1f} GB to download, but {cache_folder()} has"
            f" {free / 1e9:.1f} GB free: free some space, or set HF_HUB_CACHE to a folder on"
            " another disk"
        )


def _ensure(remote: RemoteSnapshot, file: RemoteFile, recheck: bool, tally: _Tally) -> None:
    """Have one intact file in the snapshot."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.file_download import are_symlinks_supported

    path = remote.folder / file.name
    if path.is_symlink() or path.exists():
        intact = _has_size(path, file.size) and (
            not recheck or file_digest(path, file.digest, lambda size: tally.add(0)) == file.digest
        )
        if intact:
            tally.add(file.size)
            return
        discard(path)
    # Without links the cache would copy a blob into the snapshot and keep both.
    target = _blob(remote, file) if are_symlinks_supported(cache_folder()) else path
    _fetch(remote, file, target, tally)
    # Finds the blob, and links it into the snapshot.
    hf_hub_download(remote.repo_id, file.name, revision=remote.commit)


def _record_revision(remote: RemoteSnapshot, files: Sequence[RemoteFile]) -> None:
    """Let the cache remember, for offline use, which commit the branch or tag stands for."""
    from huggingface_hub import hf_hub_download

    if remote.revision != remote.commit:
        smallest = min(files, key=lambda file: file.size)
        hf_hub_download(remote.repo_id, smallest.name, revision=remote.revision)


def _fetch(remote: RemoteSnapshot, file: RemoteFile, target: Path, tally: _Tally) -> None:
    """Download one file to `target`, going on from a partial file of an earlier try."""
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    partial = _partial(remote, file)
    partial.parent.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    locks = cache_folder() / ".locks" / repo_folder(remote.repo_id).name
    locks.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        while True:
            try:
                # Another process (the app beside the command line) may fetch this very file.
                lock = WeakFileLock(locks / f"{file.digest}.lock", timeout=_LOCK_POLL_SECONDS)
                held.enter_context(lock)
                break
            except Timeout:
                tally.add(0)
        if _has_size(target, file.size):
            tally.add(file.size)
            return
        _transfer(remote, file, partial, tally)
        if file_digest(partial, file.digest, lambda size: tally.add(0)) != file.digest:
            partial.unlink()
            raise CheckpointError(
                f"{remote.repo_id}: {file.name} arrived damaged (its checksum is not the hub's):"
                " run the download again"
            )
        os.replace(partial, target)


def _transfer(remote: RemoteSnapshot, file: RemoteFile, partial: Path, tally: _Tally) -> None:
    """Fetch what `partial` lacks; a connection that breaks is taken up again."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    url = hf_hub_url(remote.repo_id, file.name, revision=remote.commit)
    tally.add(_size(partial))
    failures = 0
    while not partial.is_file() or _size(partial) < file.size:
        before = _size(partial)
        try:
            _append(url, partial, tally)
        except (HfHubHTTPError, OfflineModeIsEnabled):
            raise
        except transport_error():
            failures = 0 if _size(partial) > before else failures + 1
            if failures > _RETRIES:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            if _size(partial) < file.size:
                raise CheckpointError(
                    f"{remote.repo_id}: the hub sent only {_size(partial):,} of {file.size:,} bytes"
                    f" of {file.name}: run the download again"
                )


def _append(url: str, partial: Path, tally: _Tally) -> None:
    """One request for the bytes after those in `partial`."""
    from huggingface_hub import get_session
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        hf_raise_for_status,
    )

    start = _size(partial)
    # Compressed transfers have no ranges.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start > 0:
        headers["Range"] = f"bytes={start}-"
    with get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT_SECONDS) as response:
        hf_raise_for_status(response)
        resumed = start > 0 and response.status_code == 206
        if not resumed:
            tally.add(-start)
        with partial.open("ab" if resumed else "wb") as out:
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                out.write(chunk)
                tally.add(len(chunk))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
