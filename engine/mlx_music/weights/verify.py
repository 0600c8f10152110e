"""Check a checkpoint on disk: every file readable and whole, and equal to the hub's where known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlx_music.errors import CheckpointError
from mlx_music.weights.component_files import INDEX_SUFFIX, ComponentFiles
from mlx_music.weights.download import ByteProgress
from mlx_music.weights.hub_cache import discard, file_digest, known_digest
from mlx_music.weights.json_file import read_bytes, read_json_object
from mlx_music.weights.requirements import Requirement, missing_files
from mlx_music.weights.safetensors_file import read_header


@dataclass(frozen=True)
class FileCheck:
    """One file: `name` is relative to the checkpoint, `problem` one line, None if it is well.

    `digest_compared` tells a file that equals the hub's from one that merely looks whole.
    """

    name: str
    path: Path
    nbytes: int
    digest_compared: bool = False
    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with the file."""
        return self.problem is None


@dataclass(frozen=True)
class VerifyReport:
    """Every file of a checkpoint folder, and the required ones it lacks (of 0 bytes)."""

    folder: Path
    files: tuple[FileCheck, ...]

    @property
    def ok(self) -> bool:
        """Whether every file is well and none is missing."""
        return all(file.ok for file in self.files)

    @property
    def nbytes(self) -> int:
        """The bytes of all files."""
        return sum(file.nbytes for file in self.files)


def verify_checkpoint(
    folder: Path,
    *,
    required: Sequence[Requirement] = (),
    ignore: Collection[str] = (),
    digests: Mapping[str, str] | None = None,
    progress: ByteProgress | None = None,
) -> VerifyReport:
    """Check every file under `folder`, and that none of the required ones is missing.

    Files and folders called as in `ignore` are passed over.

    Safetensors files have valid headers and exact sizes, indices agree with their shards, JSON
    parses. Content is compared with the digests that the hub cache keeps in its links, or with
    `digests` (relative name -> sha256 or git sha1, `list_remote(...).files`) for other folders.
    `progress(bytes_done, bytes_total)` may raise to stop.

    Raises CheckpointError only for a folder that does not exist; problems go into the report.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder")
    paths = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(_files(folder))
        if not set(path.relative_to(folder).parts) & set(ignore)
    }
    total = sum(_size(path) for path in paths.values())
    checks, done = [], 0
    for name, path in paths.items():
        expected = (digests or {}).get(name) or known_digest(path)
        checks.append(_check(name, path, expected, (done, total), progress))
        done += _size(path)
        if progress is not None:
            progress(done, total)
    checks += [
        FileCheck(name, folder / name, 0, problem="missing") for name in _lacks(folder, required)
    ]
    return VerifyReport(folder, tuple(checks))


def discard_damaged(report: VerifyReport) -> list[Path]:
    """Remove the damaged files of a hub download, so that the next download fetches them again.

    Returns what was removed. Raises CheckpointError for files outside the hub cache.
    """
    damaged = [file.path for file in report.files if not file.ok and _is_there(file.path)]
    for path in damaged:
        discard(path)
    return damaged


def _files(folder: Path) -> Iterator[Path]:
    """Files and broken links, but nothing in hidden folders (.git, .cache)."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts[:-1])
        if not hidden and not path.is_dir():
            yield path


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _lacks(folder: Path, required: Sequence[Requirement]) -> list[str]:
    try:
        return missing_files(folder, required)
    except CheckpointError:  # an unreadable index: reported with that file
        return []


def _check(
    name: str,
    path: Path,
    expected: str | None,
    so_far: tuple[int, int],
    progress: ByteProgress | None,
) -> FileCheck:
    done, total = so_far

    def tick(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress(done, total)

    try:
        _check_structure(path)
        if expected is not None and file_digest(path, expected, tick) != expected:
            raise CheckpointError(f"{path}: its content is not the hub's (checksum)")
    except CheckpointError as error:
        problem = str(error).removeprefix(str(path)).lstrip(":, ")
        return FileCheck(name, path, _size(path), expected is not None, problem)
    return FileCheck(name, path, _size(path), expected is not None)


def _check_structure(path: Path) -> None:
    if path.name.endswith(INDEX_SUFFIX):
        ComponentFiles.open(path)
    elif path.suffix == ".safetensors":
        read_header(path)
    elif path.suffix == ".json":
        read_json_object(path)
    else:
        read_bytes(path, 1)
