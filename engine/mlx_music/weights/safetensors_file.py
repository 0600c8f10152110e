"""What a safetensors file says it holds, checked before anything trusts it.

A file is 8 bytes of header length (little endian), a JSON header, and the tensors' bytes without
gaps (https://huggingface.co/docs/safetensors). MLX and safetensors' own reader check some of it
too, but their errors name neither the file nor a way out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from mlx_music.errors import CheckpointError
from mlx_music.weights.json_file import REPAIR, read_bytes, unreadable

#: Size of one element in bits, by the name of the dtype in the header.
DTYPE_BITS: Mapping[str, int] = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "U16": 16,
    "I16": 16,
    "U32": 32,
    "I32": 32,
    "U64": 64,
    "I64": 64,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F8_E4M3": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2": 8,
    "F8_E5M2FNUZ": 8,
    "F8_E8M0": 8,
    "F16": 16,
    "BF16": 16,
    "F32": 32,
    "F64": 64,
    "C64": 64,
}

#: The format's own limit; a larger number means that the file is something else.
_MAX_HEADER_BYTES = 100_000_000

#: What `git clone` leaves in place of a large file when Git LFS is not installed.
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a file: `start` is its first byte counted from the beginning of the file."""

    name: str
    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    nbytes: int


@dataclass(frozen=True)
class SafetensorsHeader:
    """A valid header: every tensor lies inside the file, and the file holds nothing else."""

    path: Path
    size: int
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]


def read_header(path: Path) -> SafetensorsHeader:
    """Read and validate the header; the tensors' bytes are not touched.

    Raises CheckpointError, naming the file and, when it is known, the tensor, for a file that is
    missing, empty, truncated, corrupt, or not safetensors.
    """
    path = Path(path)
    raw, size = _read_raw_header(path)
    entries = _parse(path, raw)
    metadata = entries.pop("__metadata__", None)
    if metadata is None:  # MLX writes null where there is none
        metadata = {}
    if not isinstance(metadata, dict):
        raise _damaged(path, "its metadata is not a JSON object")
    data_start = 8 + len(raw)
    tensors = {name: _tensor(path, name, entry, data_start) for name, entry in entries.items()}
    _check_coverage(path, size, data_start, tensors)
    return SafetensorsHeader(path, size, tensors, {k: str(v) for k, v in metadata.items()})


def _damaged(path: Path, problem: str, tensor: str | None = None) -> CheckpointError:
    where = f"{path}: " if tensor is None else f"{path}: tensor {tensor!r}: "
    return CheckpointError(f"{where}{problem}; {REPAIR}")


def _read_raw_header(path: Path) -> tuple[bytes, int]:
    """The header's bytes and the size of the whole file."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    head = read_bytes(path, max(9, len(_LFS_POINTER)))
    if not head:
        raise _damaged(path, "the file is empty")
    if head.startswith(_LFS_POINTER):
        raise _damaged(path, "a Git LFS pointer, not the file itself")
    length = int.from_bytes(head[:8], "little")
    if len(head) < 9 or head[8:9] != b"{" or not 0 < length <= _MAX_HEADER_BYTES:
        raise _damaged(path, "not a safetensors file, or its beginning is corrupt")
    if 8 + length > size:
        raise _damaged(
            path, f"truncated inside its header: {size:,} of {8 + length:,} or more bytes"
        )
    return read_bytes(path, 8 + length)[8:], size


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            raise ValueError("a name occurs twice")
        return table

    try:
        entries = json.loads(raw.decode("utf-8"), object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"corrupt header ({error})") from error
    assert isinstance(entries, dict), "JSON that starts with a brace is an object"
    return entries


def _whole_numbers(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _tensor(path: Path, name: str, entry: Any, data_start: int) -> TensorInfo:
    if not isinstance(entry, dict):
        raise _damaged(path, "corrupt header entry", name)
    dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise _damaged(path, f"unknown dtype {dtype!r}", name)
    if not _whole_numbers(shape):
        raise _damaged(path, f"invalid shape {shape!r}", name)
    if not _whole_numbers(offsets) or len(offsets) != 2:
        raise _damaged(path, f"invalid offsets {offsets!r}", name)
    begin, end = offsets
    bits = math.prod(shape) * DTYPE_BITS[dtype]
    if 8 * (end - begin) != bits:
        raise _damaged(
            path, f"{end - begin:,} bytes cannot hold shape {tuple(shape)} of dtype {dtype}", name
        )
    return TensorInfo(name, path, dtype, tuple(shape), data_start + begin, end - begin)


def _check_coverage(
    path: Path, size: int, data_start: int, tensors: Mapping[str, TensorInfo]
) -> None:
    """The tensors must follow each other without gap or overlap, up to the end of the file."""
    position = data_start
    for info in sorted(tensors.values(), key=lambda info: (info.start, info.nbytes)):
        if info.start != position:
            raise _damaged(path, "its bytes overlap others or leave a gap", info.name)
        position += info.nbytes
        if position > size:
            total = max(other.start + other.nbytes for other in tensors.values())
            raise _damaged(path, f"the file is truncated: {size:,} of {total:,} bytes", info.name)
    if position != size:
        raise _damaged(path, f"{size:,} bytes long, but its header describes {position:,}")
