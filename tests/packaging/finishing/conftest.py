"""Fixtures: stand-ins for Apple's programs, and an app to work on."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from resources.packaging import tools
from resources.packaging.frameworks import fix_frameworks
from resources.packaging.prune import prune
from resources.packaging.sign import sign
from resources.packaging.thin import thin
from tests.packaging.finishing.bundles import make_app
from tests.packaging.finishing.fake_tools import PROGRAMS, FakeTools, handle, install

_really_run = tools._run


def _stand_in(folder: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """In place of what runs programs: the stand-ins, without a process of their own."""

    def run(command: tools.Command, *options: Any) -> subprocess.CompletedProcess[str]:
        call = [str(word) for word in command]
        if call[0] not in PROGRAMS:
            return _really_run(command, *options)
        said, complained = io.StringIO(), io.StringIO()
        with redirect_stdout(said), redirect_stderr(complained):
            code = handle(call, folder)
        return subprocess.CompletedProcess(call, code, said.getvalue(), complained.getvalue())

    return run


@pytest.fixture
def fake_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    """Stand-ins answer instead of Apple's programs; nobody waits for anything to pass."""
    fakes = FakeTools(tmp_path / "tools")
    fakes.folder.mkdir()
    monkeypatch.setattr(tools, "_run", _stand_in(fakes.folder))
    monkeypatch.setattr(tools.time, "sleep", lambda _: None)
    return fakes


@pytest.fixture
def tools_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTools:
    """The same as real programs, which come first on PATH: slower, and nothing is left out."""
    fakes = install(tmp_path / "programs")
    monkeypatch.setenv("PATH", f"{fakes.folder}{os.pathsep}{os.environ['PATH']}")
    return fakes


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    app = make_app(tmp_path_factory.mktemp("finished"))
    prune(app)
    fix_frameworks(app)
    thin(app)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tools, "_run", _stand_in(tmp_path_factory.mktemp("tools")))
        sign(app, None)
    return app


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    """An app that nothing is wrong with, to be broken."""
    return Path(shutil.copytree(_finished, tmp_path / "finished" / _finished.name, symlinks=True))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """An app as py2app leaves it."""
    return make_app(tmp_path / "raw")
