"""What goes into the built app, and how: the options that py2app gets.

Modules go into a zip file, as py2app finds them by following imports. That tears apart what is
more than modules: native libraries find each other by where they lie, and data is opened as files.
So packages that have either are copied as they are, as whole trees beside the zip.
"""

from __future__ import annotations

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from resources.packaging import dictionary
from resources.packaging.layout import PackagingError
from resources.packaging.plist import DOCUMENT_ICON, ICON, info_plist
from resources.packaging.wheels import PROJECT

#: What the app runs first. It lies alone: py2app looks for modules beside it.
PROGRAM = PROJECT / "resources" / "packaging" / "start" / "main.py"

RESOURCES = PROJECT / "resources"
#: As in setup.py, which does the same for wheels.
SHIPPED = ("sketch", "icons", "presets.json", "style.qss")
LEFT_OUT = frozenset(("recipe", "__init__.py", "__pycache__"))

OURS = ("mlx_music", "mlx_music_app")

#: Whole trees, for their libraries.
NATIVE = (
    "PySide6",
    "_soundfile_data",
    "fugashi",
    "hf_xet",
    "numpy",
    "safetensors",
    "shiboken6",
    "soxr",
    "tokenizers",
)
#: PortAudio is inside the wheel for macOS; a Linux system has its own.
NATIVE_ON_MACOS = ("_sounddevice_data",)
#: Whole trees, for their data or for what they import by name.
OTHERS = ("anyio", "cutlet", "huggingface_hub", "num2words", "py3langid", "pypinyin")

#: Modules of one file, and `_cffi_backend`, which these two have native code import.
HIDDEN = ("_cffi_backend", "sounddevice", "soundfile")

#: Packages that are put in by hand, each for its reason, and the projects they come from.
#: mlx has a folder without `__init__.py`, of which py2app would take the modules and leave its
#: libraries behind. unidic_lite goes in packed.
BY_HAND = {"mlx": ("mlx", "mlx-metal"), "unidic_lite": ("unidic-lite",)}

#: Not for the app, though something in it imports them in a case that never comes.
UNUSED = (
    "IPython",
    "PIL",
    "PySide6.scripts",
    "_pytest",
    "backports",
    "jax",
    "matplotlib",
    "numpy.f2py",
    "pip",
    "py2app",
    "pytest",
    "setuptools",
    "tensorflow",
    "test",
    "tkinter",
    "tomli",
    "torch",
    "unidic",
)

#: Folders inside of packages that are no part of the app either.
TESTS = "tests"

BUILD = PROJECT / "build"


def for_macos() -> bool:
    """Whether the app is to run on macOS; `_PYTHON_HOST_PLATFORM` says so elsewhere."""
    return sysconfig.get_platform().startswith("macosx")


def options(version: str) -> dict[str, Any]:
    """py2app's options.

    version: of the app, as `mlx_music.version` says it. Raises PackagingError where what is to be
    put in is not installed.
    """
    mlx = package_folder("mlx", holding="core.*")
    packages = [*OURS, *NATIVE, *(NATIVE_ON_MACOS if for_macos() else ()), *OTHERS]
    folders = [package_folder(name, holding="__init__.py") for name in packages]
    return {
        "packages": packages,
        "includes": [*HIDDEN, *standard_modules(mlx)],
        "excludes": [*BY_HAND, *UNUSED, *tests_in(folders)],
        "resources": [*shipped(), *put_in_by_hand(mlx), str(RESOURCES / "icons" / DOCUMENT_ICON)],
        "iconfile": str(RESOURCES / "icons" / ICON),
        "plist": info_plist(version),
        "arch": "arm64" if for_macos() else None,
        # A relative path in a terminal is meant from where the person is.
        "no_chdir": True,
        # The wheels are stripped, and whatever changes a file breaks its signature.
        "strip": False,
    }


def package_folder(name: str, *, holding: str) -> Path:
    """Where py2app finds a package: in a folder of sys.path, and through nothing cleverer.

    name, holding: patterns, of a folder and a file in it. Raises PackagingError if it is in none.
    """
    for folder in map(Path, sys.path):
        for found in folder.glob(f"{name}/{holding}"):
            return found.parent
    raise PackagingError(
        f"{name} is not installed for {sys.executable}, or installed as editable, which py2app "
        "does not see through: python -m pip install ."
    )


def shipped() -> Iterator[tuple[str, list[str]]]:
    """(folder in the app's Resources, files) of what comes with MLX Music."""
    for name in SHIPPED:
        for path in (RESOURCES / name, *sorted((RESOURCES / name).rglob("*"))):
            place = path.relative_to(RESOURCES)
            # Those stand at the top, where macOS looks for them.
            if path.is_file() and LEFT_OUT.isdisjoint(place.parts) and path.suffix != ".icns":
                yield ("" if place.parent == Path() else place.parent.as_posix(), [str(path)])


def tests_in(packages: Iterable[Path]) -> Iterator[str]:
    """The names of packages of tests within packages. They import what the app does without."""
    for package in packages:
        for folder in package.rglob(TESTS):
            yield ".".join(folder.relative_to(package.parent).parts)


def put_in_by_hand(mlx: Path) -> Iterator[tuple[str, list[str]]]:
    """(folder in the app's Resources, files) of the packages `BY_HAND`, and of their licences."""
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    yield library, [str(mlx)]
    unidic = package_folder("unidic_lite", holding="__init__.py")
    yield "", [str(dictionary.pack(unidic, BUILD / "dictionary"))]
    for place, path in dictionary.code(unidic):
        yield f"{library}/unidic_lite/{place}", [str(path)]
    for project in (name for projects in BY_HAND.values() for name in projects):
        if project == "mlx-metal" and not for_macos():
            continue
        info = package_folder(f"{project.replace('-', '_')}-*.dist-info", holding="METADATA")
        yield f"{library}/{info.name}", [str(info / "METADATA")]
        if (info / "licenses").is_dir():
            yield f"{library}/{info.name}", [str(info / "licenses")]


def standard_modules(folder: Path) -> list[str]:
    """The modules of Python's own library that the code in `folder` imports.

    py2app has to be told of them, as it does not read that code.
    """
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    return sorted(name for name in found if name.partition(".")[0] in sys.stdlib_module_names)
