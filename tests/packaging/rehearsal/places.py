"""What the rehearsal works with, in build/: wheels, environments, a Python framework, and apps.

What takes a download is kept from one run to the next, for as long as the lists of requirements
stay as they are. The apps are built anew each time.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from resources.packaging import wheels
from resources.packaging.layout import NAME
from resources.packaging.macho import find_files
from tests.packaging.finishing import mach_o

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

PROJECT = wheels.PROJECT
WHEELS = PROJECT / "build" / "wheels" / f"macos-{VERSION}"
WORK = PROJECT / "build" / "rehearsal" / VERSION

#: A Mac's Metal library has a wheel of its own; MLX for Linux has one for its CPU.
_ONLY_ON_MACOS = "mlx-metal"
_ONLY_ON_LINUX = "mlx-cpu"


def build_for_linux() -> Path:
    """The app, of packages for Linux, as py2app builds it."""
    python = _environment("linux", _pins_on_linux())
    return _py2app("linux", python, "linux")


def build_for_macos(script: Path | None = None) -> Path:
    """The app, of packages for macOS, as py2app builds it: neither pruned nor signed.

    script: build an app of this alone, and leave what goes in to py2app.
    """
    python = _environment("tools")
    places = (str(site()), str(_framework(WORK / "Python.framework")))
    if script is None:
        app = _py2app("macos", python, "macos", *places)
    else:
        app = _py2app("naive", python, "naive", *places, str(script))
    # What comes with Python, of which there is none for macOS here.
    for path in list(find_files(app)):
        if not path.is_symlink() and is_elf(path):
            path.unlink()
    return app


def is_elf(path: str | os.PathLike[str]) -> bool:
    """Whether the file is native code for Linux."""
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def copy_app(app: Path, folder: Path) -> Path:
    """A copy of `app` that shares its files: replace them there, and never write into them."""
    copy = folder / app.name
    shutil.copytree(app, copy, symlinks=True, copy_function=_link)
    return copy


def replace(path: Path, content: bytes) -> None:
    """Put a file in the place of one in such a copy."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)


def _py2app(name: str, python: Path, *arguments: str) -> Path:
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    places = ("--bdist-base", str(folder / "work"), "--dist-dir", str(folder / "dist"))
    _run(python, "-m", "tests.packaging.rehearsal.host", *arguments, *places)
    shutil.rmtree(folder / "work")  # hundreds of megabytes
    return folder / "dist" / f"{NAME}.app"


def _run(python: Path, *arguments: str) -> None:
    """Run a program in the checkout; what it writes is kept, and shown if it fails."""
    environment = dict(os.environ)
    if "linux" not in arguments:
        environment["_PYTHON_HOST_PLATFORM"] = "macosx-14.0-arm64"
    done = subprocess.run(
        [python, "-E", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(arguments)} failed:\n{said[-4000:]}"


@functools.cache
def _environment(name: str, requirements: tuple[str, ...] = ()) -> Path:
    """The Python of an environment with `requirements`, what builds the app, and the project."""
    python = wheels.environment_with(
        WORK / "environments" / name,
        *(("--quiet", "--no-deps", *requirements) if requirements else ()),
    )
    wheels.install_project(python)
    return python


def _pins_on_linux() -> tuple[str, ...]:
    pins = wheels.pins()
    pins[_ONLY_ON_LINUX] = pins.pop(_ONLY_ON_MACOS)
    return tuple(f"{name}=={version}" for name, version in pins.items())


def site() -> Path:
    """A folder with the packages for macOS."""
    folder = WORK / "site"
    mark = folder / "made-from"
    wanted = wheels.REQUIREMENTS.read_text("utf-8")
    if not mark.is_file() or mark.read_text("utf-8") != wanted:
        wheels.fetch(WHEELS, VERSION)
        shutil.rmtree(folder, ignore_errors=True)
        wheels.install(WHEELS, folder, VERSION)
        mark.write_text(wanted, "utf-8")
    return folder


def _framework(folder: Path) -> Path:
    """Stands for the framework that the installer from python.org leaves on a Mac."""
    shutil.rmtree(folder, ignore_errors=True)
    inner = folder / "Versions" / VERSION
    name = str(inner / "Python")
    mach_o.write(inner / "Python", mach_o.thin(name=name, loads=["/usr/lib/libSystem.B.dylib"]))
    program = mach_o.thin(kind=mach_o.EXECUTABLE, loads=[name])
    mach_o.write(inner / "Resources/Python.app/Contents/MacOS/Python", program)
    config = f"lib/python{VERSION}/config-{VERSION}-darwin"
    for text in (
        "Resources/Info.plist",
        f"include/python{VERSION}/pyconfig.h",
        f"{config}/Makefile",
    ):
        (inner / text).parent.mkdir(parents=True, exist_ok=True)
        (inner / text).write_text("")
    return folder
