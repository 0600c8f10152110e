"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlx_music.errors import AudioError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EEXIST: "the file exists; use --force (overwrite=True) to replace it",
    errno.EISDIR: "it is a folder; give the name of a file",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EACCES: "permission denied",
}


def check_target(path: str | os.PathLike[str], *, overwrite: bool = False, size: int = 0) -> Path:
    """Check that `write_whole` can be expected to write `path`, before minutes are spent on it.

    Nothing is created. Missing parent folders are fine: writing creates them. size: bytes that it
    will take, and others that are written with it.

    Returns:
        The file that will be written: `path` with symbolic links followed.

    Raises:
        AudioError: The file exists and `overwrite` is False, it is a folder or a device, its name
            is too long, its folder cannot be written to, or its disk has less room than `size`.
    """
    with as_audio_error(path, "written"):
        # Renaming onto a link would replace the link, not the file that it points to.
        target = Path(os.path.realpath(path))
        try:
            mode = target.stat().st_mode
        except FileNotFoundError:
            pass
        else:
            if stat.S_ISDIR(mode):
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                raise AudioError(f"{shown(path)} cannot be written: it is not an ordinary file")
            if not overwrite:
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        folder = next(parent for parent in target.parents if parent.exists())
        if not folder.is_dir():
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        if size and (free := shutil.disk_usage(folder).free) < size:
            raise AudioError(
                f"{shown(path)} cannot be written: the disk has {free / 1e6:.1f} MB left, "
                f"and this takes about {size / 1e6:.1f} MB; make room or choose another folder"
            )
    return target


def write_whole(
    path: str | os.PathLike[str], data: bytes | memoryview, *, overwrite: bool = False
) -> None:
    """Write `data` to `path` so that nobody ever sees a part of it.

    The bytes go to a hidden file in the same folder, to the disk, and only then under their name.
    The hidden file is gone afterwards, whatever happens. Parent folders are created.

    Raises:
        AudioError: As `check_target`; a file that appears meanwhile is not replaced either. Or the
            system fails (disk full, quota, device gone).
    """
    target = check_target(path, overwrite=overwrite)
    hidden = target.with_name(f".mlx-music-{secrets.token_hex(8)}{target.suffix[:16]}")
    with as_audio_error(path, "written"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Not tempfile: its files are private (0600), a song gets the usual permissions.
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            with open(os.open(hidden, flags, 0o666), "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            if overwrite:
                os.replace(hidden, target)
            else:
                _rename_to_new(hidden, target)
        finally:
            hidden.unlink(missing_ok=True)


def _rename_to_new(hidden: Path, target: Path) -> None:
    """Give `hidden` its name unless that is taken, with no moment between the two."""
    try:
        os.link(hidden, target)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (exFAT, some network volumes): the name is taken with an empty file,
        # which only its creator then replaces.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            os.replace(hidden, target)
        except BaseException:
            target.unlink()
            raise


@contextmanager
def as_audio_error(path: str | os.PathLike[str], action: str) -> Iterator[None]:
    """Turn what the system says about `path` into one `AudioError`: "... cannot be read: ..."."""
    if not _is_possible(path):
        raise AudioError(f"{shown(path)} cannot be {action}: not a possible file name")
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        raise AudioError(f"{shown(path)} cannot be {action}: {reason}") from error


def _is_possible(path: str | os.PathLike[str]) -> bool:
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


def shown(path: str | os.PathLike[str]) -> str:
    """`path` for a message of one line: as it is, or quoted where it holds control characters."""
    text = os.fspath(path)
    return text if text.isprintable() and text else repr(text)
