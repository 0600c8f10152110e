"""Takes out of the built app what it never uses, most of it PySide6's: about half of its size."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from resources.packaging.layout import PackagingError, python_folder
from resources.packaging.macho import find_files, is_macho, read_macho

#: What the app imports of PySide6. `checks` and the app's self-test notice one that is missing.
MODULES = frozenset(("QtCore", "QtGui", "QtWidgets", "QtNetwork", "QtSvg", "QtSvgWidgets"))

#: offscreen is for the self-test, jpeg for the pictures in other programs' audio files.
PLUGINS = frozenset(
    (
        "platforms/libqcocoa.dylib",
        "platforms/libqoffscreen.dylib",
        "styles/libqmacstyle.dylib",
        "iconengines/libqsvgicon.dylib",
        "imageformats/libqsvg.dylib",
        "imageformats/libqicns.dylib",
        "imageformats/libqjpeg.dylib",
        "tls/libqsecuretransportbackend.dylib",
    )
)

#: In PySide6, besides its modules and Qt: Python code, and what it is linked with.
_PYSIDE_SUFFIXES = frozenset((".py", ".pyc", ".json"))
_PYSIDE_FOLDERS = frozenset(("Qt", "support", "__pycache__"))
_PYSIDE_LIBRARY = "libpyside6."

#: For compilers and linkers, and for other systems.
_USELESS_SUFFIXES = frozenset((".a", ".o", ".pdb", ".dll", ".lib", ".exe"))

#: Folders for compilers, in packages that are otherwise needed.
_USELESS_FOLDERS = (
    "mlx/include",
    "mlx/share",
    "mlx/lib/cmake",
    "shiboken6/include",
    "numpy/_core/include",
)

#: Packages that come with their tests, which nothing else of them imports.
_TESTED = ("numpy",)


def prune(app: Path) -> int:
    """Remove from `app` what it does not use; returns the number of bytes freed.

    Doing it twice is harmless. Raises PackagingError if there is no PySide6, or none of ours.
    """
    packages = python_folder(app)
    pyside = packages / "PySide6"
    if not (pyside / "Qt").is_dir():
        raise PackagingError(
            f"{pyside / 'Qt'} is not there: PySide6 is no whole package of the app"
        )
    before = size_of(app)
    for path in (*_useless_in_pyside(pyside), *_useless_in_qt(pyside / "Qt")):
        _remove(path)
    for framework in _unused_frameworks(pyside):
        _remove(framework)
    for name in _USELESS_FOLDERS:
        _remove(packages / name)
    for path in [path for name in _TESTED for path in (packages / name).rglob("tests")]:
        _remove(path)
    for path in list(find_files(app)):
        if path.suffix in _USELESS_SUFFIXES:
            _remove(path)
    _remove_empty(pyside)
    return before - size_of(app)


def size_of(folder: Path) -> int:
    """The bytes of all files under `folder`; links count as what they are, not what they name."""
    return sum(path.lstat().st_size for path in find_files(folder))


def _useless_in_pyside(pyside: Path) -> Iterator[Path]:
    for path in sorted(pyside.iterdir()):
        if path.is_dir():
            useful = path.name in _PYSIDE_FOLDERS
        elif path.name.endswith(".abi3.so"):
            useful = path.name.split(".")[0] in MODULES
        else:
            useful = path.suffix in _PYSIDE_SUFFIXES or path.name.startswith(_PYSIDE_LIBRARY)
        if not useful:
            yield path


def _useless_in_qt(qt: Path) -> Iterator[Path]:
    """All but libraries and plugins. No translations: the app speaks English, Qt's dialogs too."""
    for path in sorted(qt.iterdir()):
        if path.name not in ("lib", "plugins"):
            yield path
    plugins = qt / "plugins"
    for path in find_files(plugins):
        if path.relative_to(plugins).as_posix() not in PLUGINS:
            yield path


def _unused_frameworks(pyside: Path) -> list[Path]:
    """Those frameworks of Qt that no module or plugin loads, directly or through another."""
    folder = pyside / "Qt" / "lib"
    needed: set[str] = set()
    todo = [path for path in find_files(pyside) if folder not in path.parents]
    while todo:
        path = todo.pop()
        for name in _frameworks_loaded(path) - needed:
            needed.add(name)
            todo.append(folder / f"{name}.framework" / "Versions" / "A" / name)
    return [path for path in sorted(folder.glob("*.framework")) if path.stem not in needed]


def _frameworks_loaded(path: Path) -> set[str]:
    if not is_macho(path):
        return set()
    loaded = (name for part in read_macho(path) for name in part.libraries)
    return {
        PurePosixPath(name).name
        for name in loaded
        if name.startswith("@rpath/") and ".framework/" in name
    }


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
