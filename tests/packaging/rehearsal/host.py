"""Runs `setup_app.py py2app` on Linux, for which py2app is not made.

    python -m tests.packaging.rehearsal.host linux [OPTION ...]
    python -m tests.packaging.rehearsal.host macos SITE FRAMEWORK [OPTION ...]
    python -m tests.packaging.rehearsal.host naive SITE FRAMEWORK SCRIPT [OPTION ...]

linux: an app of what this Python has installed. Its code can be started (see `stub`).
macos: an app of the packages for macOS in the folder SITE. Its files can be looked at. FRAMEWORK
stands for the macOS Python's own framework. What comes with Python itself in native code is for
Linux all the same.
naive: such an app of SCRIPT alone, with what py2app finds by itself.

The OPTIONs are py2app's. All that differs from a Mac is in this file.
"""

from __future__ import annotations

import runpy
import sys
import sysconfig
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from importlib import machinery
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from py2app import build_app, recipes
from setuptools import setup

from resources.packaging import contents
from resources.packaging.command import AppDistribution
from resources.packaging.plist import info_plist
from tests.packaging.rehearsal.places import VERSION, is_elf


def main() -> None:
    kind, *arguments = sys.argv[1:]
    put_up_with_debian()
    if kind == "linux":
        add_shared_libraries()
        arguments.append("--debug-skip-macholib")
    else:
        site, framework, *arguments = arguments
        find_packages_for_macos(site)
        take_python_from(Path(framework))
    skip_files_for_linux()
    if kind == "naive":
        build_naively(arguments[0], arguments[1:])
        return
    sys.argv = ["setup_app.py", "py2app", *arguments]
    runpy.run_path("setup_app.py", run_name="__main__")


def put_up_with_debian() -> None:
    """Debian's Python is without a part that the app's first lines want on a Mac, and has zlib
    built in, whose file py2app copies."""
    if find_spec("ctypes.macholib") is None:
        recipes.ctypes.check = lambda command, graph: None
    if not hasattr(zlib, "__file__"):
        stand_in = Path(tempfile.mkdtemp()) / "zlib.so"
        stand_in.write_bytes(b"\x7fELF, but empty")
        zlib.__file__ = str(stand_in)


def skip_files_for_linux() -> None:
    """py2app reads the load commands of every extension, as Mach-O."""
    read = build_app.loader_paths
    build_app.loader_paths = lambda source, target: [] if is_elf(source) else read(source, target)


def add_shared_libraries() -> None:
    """Wheels for Linux keep libraries beside their package, in PACKAGE.libs."""
    put_in: Callable[..., Iterator[Any]] = contents.put_in_by_hand

    def with_libraries(mlx: Path) -> Iterator[Any]:
        yield from put_in(mlx)
        yield f"lib/python{VERSION}", [str(path) for path in mlx.parent.glob("*.libs")]

    contents.put_in_by_hand = with_libraries


def build_naively(script: str, arguments: Sequence[str]) -> None:
    """Have py2app build an app of what it finds in the script's imports."""
    build_app.codesign_adhoc = lambda app: None
    options = {
        "plist": info_plist("1.0"),
        "arch": "arm64",
        "strip": False,
        # They have nothing to do with it: one takes long, the other needs a screen.
        "excludes": ["numpy", "tkinter"],
    }
    setup(
        app=[script],
        distclass=AppDistribution,
        script_args=["py2app", *arguments],
        options={"py2app": options},
    )


def find_packages_for_macos(site: str) -> None:
    """Have modules found in `site`, extensions for macOS among them, and in nothing installed."""
    machinery.EXTENSION_SUFFIXES.insert(0, f".cpython-{VERSION.replace('.', '')}-darwin.so")
    loaders = (
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )
    finder = "FileFinder"
    sys.path_hooks[:] = [hook for hook in sys.path_hooks if finder not in hook.__qualname__]
    sys.path_hooks.append(machinery.FileFinder.path_hook(*loaders))
    sys.path_importer_cache.clear()
    sys.path.insert(0, site)


def take_python_from(framework: Path) -> None:
    """Have py2app believe that it runs on a Python which was installed from python.org."""
    prefix = framework / "Versions" / VERSION
    told: dict[str, str] = {
        "PYTHONFRAMEWORK": framework.stem,
        "CONFINCLUDEPY": f"{prefix}/include/python{VERSION}",
        "LIBPL": f"{prefix}/lib/python{VERSION}/config-{VERSION}-darwin",
    }
    build_app.PYTHONFRAMEWORK = framework.stem
    build_app.sys_base_prefix = str(prefix)
    build_app.get_config_var = lambda name: told.get(name, sysconfig.get_config_var(name))
    header = f"{told['CONFINCLUDEPY']}/pyconfig.h"
    build_app.get_config_h_filename = lambda: header


if __name__ == "__main__":
    main()
