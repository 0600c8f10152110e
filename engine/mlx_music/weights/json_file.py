"""JSON files of a checkpoint, with errors that name the file and the line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlx_music.errors import CheckpointError

#: How a file ends up there and whole.
REPAIR = "check the path, or get the file again (a model: with `mlx-music download`)"


def read_bytes(path: Path, size: int = -1) -> bytes:
    """The first `size` bytes of a file (all by default); CheckpointError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> CheckpointError:
    """The error of a file that the system does not let us open."""
    if isinstance(error, FileNotFoundError):
        return CheckpointError(f"{path}: no such file; {REPAIR}")
    return CheckpointError(f"{path}: cannot be read ({error.strerror or error})")


def read_json_object(path: Path, parse_float: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """The object in a JSON file; `parse_float` is that of `json.loads`.

    A missing file, bad JSON or another value is a CheckpointError.
    """
    raw = read_bytes(path)
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=parse_float)
    except json.JSONDecodeError as error:
        raise CheckpointError(
            f"{path}, line {error.lineno}: not valid JSON ({error.msg}); {REPAIR}"
        ) from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise CheckpointError(f"{path}, line {line}: not UTF-8 text; {REPAIR}") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not usable JSON ({error}); {REPAIR}") from error
    if not isinstance(value, dict):
        raise CheckpointError(
            f"{path}, line 1: a JSON object is expected, not {type(value).__name__}; {REPAIR}"
        )
    return value
