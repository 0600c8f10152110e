"""The lyric vocabulary: where it is, and how it gets there.

It is a data file of the reference repository (Apache-2.0) and no part of the published
checkpoint, so it is downloaded once, from a pinned commit, and checked against its digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from mlx_music.errors import LyricsError

#: A file to use instead; another checkpoint may have been trained with another vocabulary.
VARIABLE = "MLX_MUSIC_LYRIC_VOCAB"

_COMMIT = "d612523f50e252c0e138e68ae75b06223f96e934"
_PATH = "acestep/models/lyrics_utils/vocab.json"
URL = f"https://raw.githubusercontent.com/ace-step/ACE-Step/{_COMMIT}/{_PATH}"
SHA256 = "c2a66ea48c478c0bb9acb5497144b926acdeaa37128faaa799508d40f2b9cc558"
SIZE = 364_005

_ELSEWHERE = f"or set {VARIABLE} to a copy of {URL}"


def cached_vocabulary() -> Path:
    """Where the downloaded vocabulary is kept, whether or not it is there."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("mlx-music", appauthor=False)) / "lyric_vocab.json"


def find_vocabulary(*, download: bool = True, url: str = URL) -> Path:
    """The vocabulary's file: the one that `VARIABLE` names, the cached one, or a new download.

    Raises `LyricsError` if the named file is missing, and if nothing is cached and it cannot be
    had: `download` is false, the hub is in offline mode, the network or the disk fails, or
    what came is not the published file. Nothing but the whole file is ever left in the cache.
    """
    if given := os.environ.get(VARIABLE):
        path = Path(os.path.expanduser(given))
        if not path.is_file():
            raise LyricsError(f"{path}: is no file, but {VARIABLE} names it")
        return path
    path = cached_vocabulary()
    if _is_kept(path):
        return path
    if not download:
        raise LyricsError(
            f"the lyric vocabulary is not downloaded; run `mlx-music download`, {_ELSEWHERE}"
        )
    _keep(_fetch(url), path)
    return path


def _is_kept(path: Path) -> bool:
    """Whether `path` holds the published file, whole."""
    try:
        return path.is_file() and _is_published(path.read_bytes())
    except OSError as error:
        raise LyricsError(
            f"{path}: the lyric vocabulary cannot be read ({error.strerror}); free the way, "
            f"{_ELSEWHERE}"
        ) from error


def _is_published(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == SHA256


def _fetch(url: str) -> bytes:
    """The file at `url`, checked. The hub's HTTP session has certificates on every system."""
    from huggingface_hub import constants, get_session

    from mlx_music.weights.hub_errors import transport_error

    if constants.HF_HUB_OFFLINE:
        raise LyricsError(
            "the lyric vocabulary is not downloaded, and offline mode is on (HF_HUB_OFFLINE); "
            f"connect once, {_ELSEWHERE}"
        )
    try:
        response = get_session().get(url, timeout=30.0, follow_redirects=True)
        response.raise_for_status()
    except transport_error() as error:
        problem = str(error).strip().splitlines() or [type(error).__name__]
        raise LyricsError(
            f"the lyric vocabulary cannot be downloaded ({problem[0]}); try again, {_ELSEWHERE}"
        ) from error
    if not _is_published(response.content):
        raise LyricsError(
            f"what {url} gave is not the published lyric vocabulary ({len(response.content)} "
            f"bytes instead of {SIZE}, or other content); try again, {_ELSEWHERE}"
        )
    return response.content


def _keep(content: bytes, path: Path) -> None:
    """Write under another name and rename, so that a broken write leaves nothing behind."""
    hidden: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".lyric_vocab-")
        hidden = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        hidden.replace(path)
    except OSError as error:
        raise LyricsError(
            f"{path}: the lyric vocabulary cannot be written ({error.strerror}); free the way, "
            f"{_ELSEWHERE}"
        ) from error
    finally:  # also on Ctrl-C; after the renaming there is nothing left to remove
        if hidden is not None:
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
