"""Where things lie in the app that py2app builds."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any

NAME = "MLX Music"


class PackagingError(RuntimeError):
    """What keeps the app from being built, in one line for whoever builds it."""


def contents(app: Path) -> Path:
    return app / "Contents"


def programs(app: Path) -> Path:
    """The folder of the main program and of `python`; what `@executable_path` stands for."""
    return app / "Contents" / "MacOS"


def resources(app: Path) -> Path:
    return app / "Contents" / "Resources"


def python_folder(app: Path) -> Path:
    """`lib/pythonX.Y`, where the packages lie that are not in the zip."""
    found = [path for path in resources(app).glob("lib/python3.*") if path.is_dir()]
    if len(found) != 1:
        raise PackagingError(f"{resources(app)}: {len(found)} folders lib/python3.*, not one")
    return found[0]


def info_plist(app: Path) -> dict[str, Any]:
    """The app's Info.plist."""
    path = contents(app) / "Info.plist"
    try:
        plist: dict[str, Any] = plistlib.loads(path.read_bytes())
    except FileNotFoundError:
        raise PackagingError(f"{app}: no app, it has no Contents/Info.plist") from None
    except (plistlib.InvalidFileException, ValueError) as error:
        raise PackagingError(f"{path}: not a property list ({error})") from None
    return plist


def frameworks(folder: Path) -> list[Path]:
    """Every framework under `folder`, those within another before it."""
    found = [path for path in folder.rglob("*.framework") if path.is_dir()]
    return sorted(
        (path for path in found if not path.is_symlink()),
        key=lambda path: (-len(path.parts), path),
    )
