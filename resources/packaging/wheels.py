"""The packages inside the app: fetched as wheels for its oldest macOS, and installed.

pip takes wheels for the machine it runs on. On a newer macOS it would take MLX's `macosx_26_0`
wheel, whose Metal library fails on older systems; elsewhere none for macOS at all. So it is told
the platform, here, and installs from the fetched files alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path

from resources.packaging.layout import PackagingError

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements-macos.txt"
BUILD_REQUIREMENTS = HERE / "requirements-build.txt"

#: The Python that the app is built with; from 3.13 on, mojimoji has no wheels.
PYTHON = "3.12"
PLATFORM = "macosx_14_0_arm64"

#: Pure Python, and published as source only: their wheels are made here and fit everywhere.
SOURCE_ONLY = frozenset(("docopt", "unidic-lite"))


def pins(path: Path = REQUIREMENTS) -> dict[str, str]:
    """The versions in a list of requirements, by normalised name. PackagingError if one is open."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        requirement = line.partition("#")[0].strip()
        if not requirement:
            continue
        name, exact, version = requirement.partition("==")
        if not exact or not re.fullmatch(r"[\w.]+", version):
            raise PackagingError(f'{path}: "{requirement}" names no exact version')
        found[normalised(name)] = version
    return found


def normalised(name: str) -> str:
    """A project's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fetch(folder: Path, python: str = PYTHON) -> None:
    """Put a wheel of every requirement into `folder`; what is there already stays.

    python: the version that the wheels are for, such as "3.12".
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = missing_from(folder)
    wanted = sorted(missing.keys() - SOURCE_ONLY)
    source_only = sorted(missing.keys() & SOURCE_ONLY)
    if wanted:
        # What a package needs is all in the list, and pip would look it up for this machine.
        pip("download", "--no-deps", *_for_macos(python), f"--dest={folder}", *_exact(wanted))
    if source_only:
        pip("wheel", "--no-deps", f"--wheel-dir={folder}", *_exact(source_only))


def missing_from(folder: Path) -> dict[str, str]:
    """The pins of which `folder` has no wheel."""
    there = {tuple(wheel.name.split("-")[:2]) for wheel in folder.glob("*.whl")}
    versions = {(normalised(name), version) for name, version in there}
    return {name: version for name, version in pins().items() if (name, version) not in versions}


def install(folder: Path, target: Path, python: str = PYTHON) -> None:
    """Unpack the requirements' wheels into the folder `target`, on any system."""
    exact = _exact(pins())
    options = (*_from(folder), *_for_macos(python), "--no-compile")
    pip("install", "--no-deps", *options, f"--target={target}", *exact)


def make_environment(folder: Path, wheels: Path) -> Path:
    """A virtual environment with the app's packages and what builds it; returns its Python.

    For a Mac, and the Python that `require_python` is content with. The project itself is
    installed anew each time.
    """
    python = environment_with(folder, "--no-deps", *_from(wheels), *_exact(pins()))
    install_project(python)
    return python


def require_python() -> None:
    """Raises PackagingError where this Python is not the one that the wheels are for."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if running != PYTHON:
        raise PackagingError(
            f"the app is built with Python {PYTHON}, and {sys.executable} is {running}; name "
            "another with: make app PYTHON=/Library/Frameworks/Python.framework/Versions/"
            f"{PYTHON}/bin/python3"
        )


def environment_with(folder: Path, *install: str) -> Path:
    """A virtual environment of this Python, after `pip install INSTALL`; returns its Python.

    It is made anew if it is there and was made by something else.
    """
    python = folder / "bin" / "python"
    mark = folder / "made-by"
    wanted = "\n".join((sys.version, *install))
    if not mark.is_file() or mark.read_text("utf-8") != wanted:
        venv.create(folder, with_pip=True, clear=True, symlinks=True)
        if install:
            pip("install", *install, python=python)
        mark.write_text(wanted, "utf-8")
    return python


def install_project(python: Path) -> None:
    """Install what builds the app, and the project itself as it is now, beside that Python.

    Not as an editable install: py2app does not see through one.
    """
    pip("install", "--requirement", str(BUILD_REQUIREMENTS), python=python)
    with tempfile.TemporaryDirectory(prefix="mlx-music-build-") as work:
        # setuptools would build in the checkout, on top of what an earlier build has left there,
        # and modules that have been renamed since would be in the app as well.
        settings = Path(work, "setup.cfg")
        settings.write_text(f"[build]\nbuild_base = {work}\n", "utf-8")
        pip(
            *("install", "--no-deps", "--no-build-isolation", "--force-reinstall", str(PROJECT)),
            python=python,
            environment={"DIST_EXTRA_CONFIG": str(settings)},
        )


def pip(
    *arguments: str, python: Path | None = None, environment: Mapping[str, str] | None = None
) -> None:
    """Run pip, which tells on its own what it does. PackagingError if it fails."""
    program = [str(python or sys.executable), "-m", "pip", "--disable-pip-version-check"]
    done = subprocess.run(
        [*program, *arguments], env={**os.environ, **(environment or {})}, check=False
    )
    if done.returncode:
        raise PackagingError(f"pip {arguments[0]} has failed; what it says is above")


def _for_macos(python: str) -> tuple[str, ...]:
    return (f"--platform={PLATFORM}", f"--python-version={python}", "--only-binary=:all:")


def _from(folder: Path) -> tuple[str, ...]:
    return ("--no-index", f"--find-links={folder}")


def _exact(names: Iterable[str]) -> list[str]:
    versions = pins()
    return [f"{name}=={versions[name]}" for name in names]
