"""The Japanese dictionary, packed for the app: most of its 260 MB is air, and few need it.

`mlx_music.text.dictionary` unpacks it when the first Japanese lyrics come.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from resources.packaging.layout import PackagingError

#: As `mlx_music.text.dictionary` looks for it among the resources.
PACKED = "unidic-lite.zip"

#: What it is for people, not for MeCab.
_MANUAL = ".pdf"


def pack(unidic_lite: Path, folder: Path) -> Path:
    """The dictionary of the package at `unidic_lite` as a zip file in `folder`.

    It takes ten seconds, and is done once for each version of it.
    """
    dictionary = unidic_lite / "dicdir"
    try:
        version = (dictionary / "version").read_text("utf-8").strip()
    except OSError as error:
        raise PackagingError(f"{error.filename}: {error.strerror}, so no dictionary") from error
    target = folder / version / PACKED
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = target.with_suffix(".part")
    with zipfile.ZipFile(hidden, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(dictionary.iterdir()):
            if path.suffix != _MANUAL:
                archive.write(path, path.name)
    os.replace(hidden, target)
    return target


def code(unidic_lite: Path) -> Iterator[tuple[str, Path]]:
    """(folder within the package, file) of what the package needs to be imported."""
    for path in sorted(unidic_lite.rglob("*")):
        if path.suffix == ".py" or path.name == "version":
            yield path.parent.relative_to(unidic_lite).as_posix(), path
