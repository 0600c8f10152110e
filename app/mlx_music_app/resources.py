"""The app's own files: icons, style, presets."""

from __future__ import annotations

from pathlib import Path

from mlx_music import resources


def resource(name: str) -> Path:
    """The path of a resource, such as "icons/play.svg". FileNotFoundError where it is missing:
    the installation is damaged, or a name is misspelt."""
    path = resources.find_resource(name) or _own(name)
    if path is None:
        raise FileNotFoundError(f"{name}: is missing from this copy of MLX Music; install it again")
    return path


def _own(name: str) -> Path | None:
    """Who tries out another built-in model (see `resources.VARIABLE`) still needs the icons."""
    here = Path(resources.__file__).resolve()
    folders = (here.parent / "_resources", here.parents[2] / "resources")
    return next(filter(Path.exists, (folder / name for folder in folders)), None)
