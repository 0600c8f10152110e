"""Files that come with MLX Music, such as the built-in model, wherever it is installed.

in an app that py2app built   $RESOURCEPATH
in an installed wheel         `_resources` beside this file (see setup.py)
in a checkout                 resources/ at its top
"""

from __future__ import annotations

import os
from pathlib import Path

#: The environment variable that names a folder to look in instead: for tests, and for trying out
#: other resources.
VARIABLE = "MLX_MUSIC_RESOURCES"

#: Set by the program that starts an app which py2app built.
_BUNDLE_VARIABLE = "RESOURCEPATH"


def resource_folders() -> tuple[Path, ...]:
    """The folders that may hold resources; the first that has one counts."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return (Path(chosen).expanduser(),)
    here = Path(__file__).resolve()
    bundle = os.environ.get(_BUNDLE_VARIABLE)
    installed = (here.parent / "_resources", here.parents[2] / "resources")
    return (Path(bundle), *installed) if bundle else installed


def find_resource(name: str) -> Path | None:
    """The path of the file or folder called `name` ("sketch/model.json"), if it is there."""
    return next(filter(Path.exists, (folder / name for folder in resource_folders())), None)
