"""What is built to be installed holds the built-in model, and nothing of how it was made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from mlx_music.resources import VARIABLE
from tests.doubles import write_sketch

pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def project(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a distribution is built from, with a stand-in for the built-in model."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, copy / name)
    for name in ("engine", "app"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    sketch = write_sketch(checkpoint, copy / "resources")
    (copy / "resources" / "style.qss").touch()
    (copy / "resources" / "icons").mkdir()
    (copy / "resources" / "icons" / "play.svg").touch()
    (copy / "resources" / "icons" / "app.icns").touch()
    (sketch / "__init__.py").touch()
    (sketch / "recipe").mkdir()
    (sketch / "recipe" / "songs.py").touch()
    return copy


#: What the app needs, as far as these tests have it.
APP_FILES = {"style.qss", "icons/play.svg"}


def build(kind: str, project: Path, to: Path) -> Path:
    program = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    to.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program, str(to)],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (built,) = to.iterdir()
    return built


def model_files(checkpoint: Path) -> set[str]:
    files = (path for path in checkpoint.rglob("*") if path.is_file())
    return {"model.json", *(path.relative_to(checkpoint).as_posix() for path in files)}


def test_a_wheel(project: Path, checkpoint: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(build("wheel", project, tmp_path / "dist")) as wheel:
        wheel.extractall(tmp_path / "installed")
    folder = tmp_path / "installed" / "mlx_music" / "_resources"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {f"sketch/{name}" for name in model_files(checkpoint)} | APP_FILES

    hidden = {VARIABLE, "RESOURCEPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "mlx_music.cli", "models", "--json"],
        cwd=tmp_path,
        env={
            **{name: value for name, value in os.environ.items() if name not in hidden},
            "PYTHONPATH": str(tmp_path / "installed"),
            "HF_HUB_CACHE": str(tmp_path / "hub"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["models"]
    assert (Path(told["path"]), told["missing"]) == (folder / "sketch", [])


def test_a_source_archive(project: Path, checkpoint: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", project, tmp_path / "dist")) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}
    assert {name for name in names if name.startswith("resources/")} == {
        *(f"resources/sketch/{name}" for name in model_files(checkpoint)),
        *(f"resources/{name}" for name in APP_FILES),
    }
    assert "setup.py" in names
