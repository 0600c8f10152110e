"""Whether there is room on a disk, said before anything is written to it."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlx_music.ace_step.published import FOLDERS, TRANSFORMER
from mlx_music_app.models.words import size_in_words

#: Kept free beyond what is written.
_SPARE_BYTES = 256 << 20

#: What is left of the transformer's file, measured on the published one; a little more than that.
_LEFT_BY_PRESET = {"quality": 0.54, "balanced": 0.42, "speed": 0.29}


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk of a folder, which need not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def lack(needed: int, folder: Path, what: str) -> str:
    """Why `needed` bytes cannot be written to `folder`, in a line; empty if they can."""
    free = free_bytes(folder)
    if needed <= 0 or needed + _SPARE_BYTES <= free:
        return ""
    return (
        f"{what} needs {size_in_words(needed)}, and the disk of {folder} has "
        f"{size_in_words(free)} free; free some space and try again"
    )


def quantized_bytes(model: Path, preset: str, target: Path) -> int:
    """About how much a smaller copy in `target` takes. Files that stay as they are take room only
    on another disk than the original's."""
    written = int(_bytes(model / TRANSFORMER) * _LEFT_BY_PRESET[preset])
    if model.stat().st_dev == _existing(target).stat().st_dev:
        return written
    return written + sum(_bytes(model / name) for name in FOLDERS if name != TRANSFORMER)


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
