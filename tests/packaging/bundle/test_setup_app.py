"""How setup_app.py has py2app build."""

from __future__ import annotations

import plistlib
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import setuptools

from mlx_music.version import __version__
from resources.packaging import contents
from resources.packaging.wheels import PROJECT

pytest.importorskip("py2app")

from py2app import build_app

from resources.packaging import command


def test_it_is_thin_and_its_version_is_the_projects(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **given: asked.update(given))
    monkeypatch.setattr(contents, "options", lambda version: {"plist": version})
    runpy.run_path(str(PROJECT / "setup_app.py"), run_name="__main__")
    assert asked["version"] == __version__ == asked["options"]["py2app"]["plist"]
    assert asked["app"] == [str(contents.PROGRAM)]
    assert (asked["distclass"], asked["cmdclass"]) == (
        command.AppDistribution,
        {"py2app": command.BuildApp},
    )


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> command.AppDistribution:
    """The project's own, as setup_app.py makes it."""
    monkeypatch.chdir(PROJECT)
    found = command.AppDistribution({"app": [str(contents.PROGRAM)]})
    found.parse_config_files()
    return found


def test_py2app_finds_no_dependencies_and_nothing_to_build(
    distribution: command.AppDistribution,
) -> None:
    assert distribution.metadata.name == "mlx-music"
    assert distribution.install_requires == []
    assert not distribution.has_pure_modules()


def test_recipes_that_would_do_harm(distribution: command.AppDistribution) -> None:
    recipes = command.BuildApp(distribution).collect_recipedict()
    assert not {"sslmod", "pyside6"} & recipes.keys()
    assert {"ctypes", "shiboken6"} <= recipes.keys()


def test_no_path_of_this_machine_stays_in_the_plist(
    distribution: command.AppDistribution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(self: Any) -> tuple[str, str, dict[str, Any]]:
        (tmp_path / "Contents").mkdir()
        info = {"PythonExecutable": sys.executable, "a": 1}
        return str(tmp_path), "", {"PythonInfoDict": info, "NSMainNibFile": "MainMenu"}

    monkeypatch.setattr(build_app.py2app, "create_appbundle", make)
    command.BuildApp(distribution).create_appbundle()
    written = plistlib.loads((tmp_path / "Contents" / "Info.plist").read_bytes())
    assert written == {"PythonInfoDict": {"a": 1}}


def test_compiled_code_is_trusted_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("VALUE = 1\n")
    (tmp_path / "template.py").write_text("{% not Python %}\n")
    command.compile_all(tmp_path)
    (compiled,) = tmp_path.rglob("*.pyc")
    # PEP 552: the second word says that there is a hash, and that nobody is to check it.
    assert compiled.read_bytes()[4:8] == b"\x01\0\0\0"
    assert str(tmp_path).encode() not in compiled.read_bytes()
