"""Small JSON files that are there whole or not at all."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)


def write_json(values: Mapping[str, Any], file: Path) -> None:
    """Replace `file` as a whole; its folder is made. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True)
    building = file.with_name(f".{file.name}.{os.getpid()}")
    # Halves of characters can be typed, pasted and be in the names of files: they are kept.
    data = json.dumps(values, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
    try:
        building.write_bytes(data)
        os.replace(building, file)
    except OSError:
        building.unlink(missing_ok=True)
        raise


def read_json(file: Path) -> Any:
    """What `write_json` wrote. Raises OSError, and ValueError for what is no JSON."""
    try:
        return json.loads(file.read_bytes().decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def put_aside(error: Exception, file: Path) -> Path | None:
    """Move a damaged file out of the way, as NAME-damaged.json beside it.

    Returns where it is now, None if it could not be moved. error: what is wrong with it, for the
    log.
    """
    aside = file.with_name(f"{file.stem}-damaged{file.suffix}")
    log.warning("%s cannot be used: %s", file.name, error)
    try:
        os.replace(file, aside)
    except OSError as problem:
        log.warning("it could not be put aside: %s", problem)
        return None
    return aside
