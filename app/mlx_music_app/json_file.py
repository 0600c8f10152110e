"""Small JSON files that are there whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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
