"""LoRA adapters that were installed: copies in the app's own folder, one folder each.

An adapter keeps its configuration in a file beside it, always of the same name; that is why each
has a folder. `mlx_music` opens such a folder as it opens a single file.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QFile

from mlx_music import MLXMusicError
from mlx_music_app import paths

_WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
_MAX_NAME = 60


class AdapterError(MLXMusicError):
    """A line that says what is wrong with an adapter or its name, and what to do."""


@dataclass(frozen=True)
class Adapter:
    """path: what a request's `lora` entry names."""

    name: str
    path: Path
    nbytes: int


def adapters_folder() -> Path:
    return paths.data_folder() / "loras"


def installed_adapters() -> list[Adapter]:
    """All of them by name. Files that a person put into the folder by hand count too."""
    folder = adapters_folder()
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir() and any(path.glob("*.safetensors")):
            nbytes = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
            found.append(Adapter(path.name, path, nbytes))
        elif path.suffix == ".safetensors" and path.is_file():
            found.append(Adapter(path.stem, path, path.stat().st_size))
    return sorted(found, key=lambda adapter: adapter.name.casefold())


def install_adapter(source: Path, name: str | None = None) -> Adapter:
    """Copy an adapter, a safetensors file or a folder with one, after a look inside.

    It appears whole or not at all, under `name` or a name from its file, with a number if that
    is taken. Imports MLX: not for the main thread. Raises `MLXMusicError` for what is no
    adapter, AdapterError for a disk that cannot be written.
    """
    from mlx_music.weights.lora_file import find_lora, read_lora

    file = find_lora(source, download=False)
    read_lora(file)
    folder = adapters_folder()
    wanted = _safe_name(name or _name_of(Path(source), file))
    building = folder / f".installing-{secrets.token_hex(8)}"
    try:
        building.mkdir(parents=True)
        shutil.copyfile(file, building / _WEIGHTS)
        if (file.parent / _CONFIG).is_file():
            shutil.copyfile(file.parent / _CONFIG, building / _CONFIG)
        target = _free_name(folder, wanted)
        building.rename(target)
    except OSError as error:
        raise AdapterError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return next(adapter for adapter in installed_adapters() if adapter.path == target)


def rename_adapter(adapter: Adapter, name: str) -> Adapter:
    """Raises AdapterError for a name that no folder can have, or that is taken."""
    wanted = _safe_name(name)
    if wanted != name.strip():
        raise AdapterError(f'"{name}" cannot be the name of a folder; leave out / \\ : * ? " < > |')
    target = adapter.path.with_name(wanted + adapter.path.suffix * adapter.path.is_file())
    if target == adapter.path:
        return adapter
    # On a Mac's disk "Rap" and "rap" are one folder, and renaming one to the other is fine.
    if os.path.lexists(target) and not target.samefile(adapter.path):
        raise AdapterError(f'there is an adapter called "{wanted}" already; take another name')
    try:
        adapter.path.rename(target)
    except OSError as error:
        raise AdapterError(f"{adapter.path}: cannot be renamed ({error.strerror})") from error
    return Adapter(wanted, target, adapter.nbytes)


def remove_adapter(adapter: Adapter) -> None:
    """Move an adapter to the trash. Raises AdapterError if it cannot be."""
    if not QFile.moveToTrash(str(adapter.path)):
        raise AdapterError(
            f"{adapter.path}: cannot be moved to the trash; remove it yourself in its folder"
        )


def _name_of(source: Path, file: Path) -> str:
    """What to call an adapter: files of PEFT and diffusers all have one name, folders have not."""
    telling = source.name if source.is_dir() else file.stem
    general = ("pytorch_lora_weights", "adapter_model")
    return file.resolve().parent.name if telling in general else telling


def _safe_name(name: str) -> str:
    safe = _FORBIDDEN.sub(" ", name).strip().strip(".").strip()[:_MAX_NAME].strip()
    if not safe:
        raise AdapterError(f'"{name}" is no name; it needs a letter or a number')
    return safe


def _free_name(folder: Path, name: str) -> Path:
    number, target = 1, folder / name
    while os.path.lexists(target):
        number += 1
        target = folder / f"{name} {number}"
    return target
