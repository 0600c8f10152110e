"""The two apps of the rehearsal, each built once."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.packaging.frameworks import fix_frameworks
from resources.packaging.prune import prune
from resources.packaging.sign import sign
from resources.packaging.thin import thin
from tests.packaging.finishing import fake_tools
from tests.packaging.rehearsal import places, stub

#: Those that there are wheels of all packages for.
_PYTHONS = ("3.11", "3.12")


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    if sys.platform != "linux":
        pytest.skip("the rehearsal is for systems without a Mac: make app does it all")
    if places.VERSION not in _PYTHONS:
        pytest.fail(
            f"the rehearsal needs Python {' or '.join(_PYTHONS)}, and this is {places.VERSION}; "
            "name one with: make rehearse PYTHON=python3.12"
        )


@pytest.fixture(scope="session")
def linux_app() -> Path:
    """The app, of packages for Linux, with a program that starts its code."""
    app = places.build_for_linux()
    stub.install(app)
    return app


@pytest.fixture(scope="session")
def macos_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The app, of packages for macOS, as `make app` finishes it. To be looked at."""
    app = places.build_for_macos()
    prune(app)
    fix_frameworks(app)
    thin(app)
    with pytest.MonkeyPatch.context() as patch:
        tools = fake_tools.install(tmp_path_factory.mktemp("tools"))
        patch.setenv("PATH", f"{tools.folder}{os.pathsep}{os.environ['PATH']}")
        sign(app, None)
    return app


@pytest.fixture
def to_break(macos_app: Path, tmp_path: Path) -> Path:
    """A copy of it: see `places.copy_app`."""
    return places.copy_app(macos_app, tmp_path)
