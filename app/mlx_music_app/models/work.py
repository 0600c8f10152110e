"""What the model service has done elsewhere: on a thread of its own, or on the engine's."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_music import CheckpointError, Progress
from mlx_music.ace_step.finding import NOT_OF_THE_MODEL, find_model
from mlx_music.ace_step.published import FOLDERS, REQUIRED_FILES
from mlx_music_app.models import removal
from mlx_music_app.models.catalogue import check_folder
from mlx_music_app.models.info import Kind, ModelInfo
from mlx_music_app.models.tasks import Report

if TYPE_CHECKING:
    from mlx_music.weights.verify import VerifyReport

#: How a folder is called while it is being written, here and by the engine.
_BUILDING = ".mlx-music-"

#: Seconds after which a folder that is being written was left behind by a crash: no copy and no
#: quantization goes this long without a new file.
_LEFT_BEHIND = 3600.0

_COPIED_AT_ONCE = 8 << 20


def fetch(hub_id: str, report: Report) -> Path:
    """Download what is missing of a model, and the vocabulary that lyrics are read with."""
    folder = find_model(hub_id, progress=report)
    fetch_vocabulary(report)
    return folder


def fetch_vocabulary(report: Report) -> Path:
    """Download what lyrics are read with, unless it is here: too small to report on."""
    from mlx_music.ace_step.vocabulary import find_vocabulary

    return find_vocabulary()


def verify(model: ModelInfo, report: Report) -> VerifyReport:
    """Read every file of a model."""
    from mlx_music.weights.verify import verify_checkpoint

    if model.folder is None:
        raise CheckpointError(f"{model.name}: there are no files to check yet; get it first")
    return verify_checkpoint(
        model.folder,
        required=REQUIRED_FILES,
        ignore=NOT_OF_THE_MODEL if model.kind is Kind.BUILT_IN else (),
        progress=report,
    )


def repair(hub_id: str, damaged: VerifyReport | None, report: Report) -> Path:
    """Fetch the damaged and missing files of a download again: those of a report, or whatever
    differs from what the hub has."""
    from mlx_music.weights.verify import discard_damaged

    if damaged is None:
        return find_model(hub_id, refresh=True, progress=report)
    discard_damaged(damaged)
    return fetch(hub_id, report)


def copy_model(source: Path, target: Path, report: Report) -> Path:
    """Copy a checkpoint's own files to `target`, which appears whole or not at all."""
    check_folder(source)
    folders = (source, *(source / name for name in FOLDERS))
    files = [file for folder in folders for file in sorted(folder.iterdir()) if file.is_file()]
    total, done = sum(file.stat().st_size for file in files), 0
    building = target.with_name(f"{_BUILDING}{secrets.token_hex(8)}")
    building.mkdir(parents=True)
    try:
        for file in files:
            copy = building / file.relative_to(source)
            copy.parent.mkdir(exist_ok=True)
            with file.open("rb") as original, copy.open("wb") as out:
                while chunk := original.read(_COPIED_AT_ONCE):
                    out.write(chunk)
                    done += len(chunk)
                    report(done, total)
        building.rename(target)
    except OSError as error:
        raise CheckpointError(f"{target}: cannot be copied ({error.strerror or error})") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def quantize(source: Path, target: Path, preset: str, progress: Progress) -> Path:
    """Write a smaller copy of a model. MLX's work: for the engine thread."""
    from mlx_music.ace_step.quantize import quantize_checkpoint
    from mlx_music.weights.quantization import PRESETS

    return quantize_checkpoint(source, target, PRESETS[preset](), progress=progress).folder


def checked(folder: Path) -> Path:
    """The folder itself, if it holds a whole checkpoint; else `CheckpointError`."""
    check_folder(folder)
    return folder


def remove(model: ModelInfo) -> None:
    """Remove a download from the cache, or a folder of ours to the trash."""
    if model.kind is Kind.HUB:
        removal.remove_from_cache(model.id)
    elif model.kind is Kind.OWN and model.folder is not None:
        removal.move_to_trash(model.folder)


def free_target(folder: Path, name: str) -> Path:
    """A folder in `folder` that does not exist yet, called `name` or `name 2`."""
    plain = " ".join(name.replace("/", " ").split()).strip(". ") or "Model"
    number, target = 1, folder / plain
    while os.path.lexists(target):
        number += 1
        target = folder / f"{plain} {number}"
    return target


def clear_left_behind(folder: Path) -> None:
    """Remove what a crash left of a copy that was being written."""
    for path in folder.glob(f"{_BUILDING}*") if folder.is_dir() else ():
        newest = max(item.stat().st_mtime for item in (path, *path.rglob("*")))
        if time.time() - newest > _LEFT_BEHIND:
            shutil.rmtree(path, ignore_errors=True)
