"""Cuts fat files down to arm64. MLX runs on nothing else, and Qt is fat: half of its bytes.

The part of a fat file is a whole file in itself, so it is cut out as it stands; `lipo -thin` does
the same. Doing it here lets the rehearsal on Linux run what a Mac runs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from resources.packaging.macho import ARCHITECTURE, Slice, find_macho, read_macho

_CHUNK = 1 << 20


def thin(app: Path) -> int:
    """Cut every fat file in `app` down to arm64; returns the number of bytes freed.

    A file without an arm64 part is left as it is, for `checks` to name.
    """
    freed = 0
    for path in find_macho(app):
        before = path.stat().st_size
        if thin_file(path):
            freed += before - path.stat().st_size
    return freed


def thin_file(path: Path) -> bool:
    """Leave only the arm64 part of the file; False if there is nothing else, or no such part."""
    parts = read_macho(path)
    whole = path.stat().st_size
    for part in parts:
        if part.architecture == ARCHITECTURE and (part.offset, part.size) != (0, whole):
            _cut(path, part)
            return True
    return False


def _cut(path: Path, part: Slice) -> None:
    # Written beside and put in its place, so that stopping midway leaves the file as it was.
    temporary = path.with_name(path.name + ".thin")
    try:
        with path.open("rb") as source, temporary.open("wb") as target:
            source.seek(part.offset)
            left = part.size
            while left:
                chunk = source.read(min(_CHUNK, left))
                target.write(chunk)
                left -= len(chunk)
        shutil.copystat(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
