"""The app's code runs in a bundle of py2app's, and finds everything in it."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from mlx_music.version import __version__
from resources.packaging import layout, wheels
from resources.packaging.layout import NAME
from resources.packaging.macho import find_files
from tests.packaging.rehearsal import places, stub

pytestmark = pytest.mark.rehearsal


def start(app: Path, *arguments: str, home: Path, says: str = "") -> subprocess.CompletedProcess:
    """Run the app's program from elsewhere, with nothing set that a shell would.

    says: what goes to its standard input, which then ends.
    """
    return subprocess.run(
        [layout.programs(app) / NAME, *arguments],
        cwd="/",
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        input=says,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_version(linux_app: Path, tmp_path: Path) -> None:
    done = start(linux_app, "--version", home=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == (f"{NAME} {__version__}\n", "", 0)


def test_self_test(linux_app: Path, tmp_path: Path) -> None:
    def state() -> list[tuple[Path, int, int]]:
        found = ((path, path.lstat()) for path in find_files(linux_app))
        return [(path, status.st_size, status.st_mtime_ns) for path, status in found]

    before = state()
    done = start(linux_app, "--self-test", home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(layout.resources(linux_app)) in done.stdout.splitlines()[0]
    # Writing into itself would break the app's signature.
    assert state() == before


def test_audio_server(linux_app: Path, tmp_path: Path) -> None:
    command = json.dumps({"do": "devices", "id": 7}) + "\n"
    done = start(linux_app, "--audio-server", home=tmp_path, says=command)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert "devices" in [event["event"] for event in events], done.stderr


def test_a_missing_hidden_import(linux_app: Path, tmp_path: Path) -> None:
    """What py2app leaves out if it is not told of `_cffi_backend`, which only C code imports."""
    app = places.copy_app(linux_app, tmp_path)
    (hidden,) = layout.python_folder(app).glob("lib-dynload/_cffi_backend*.so")
    hidden.unlink()
    stub.install(app)
    done = start(app, "--self-test", home=tmp_path)
    assert done.returncode == 1
    assert "No module named '_cffi_backend'" in done.stdout


def test_an_error_ends_the_program(linux_app: Path, tmp_path: Path) -> None:
    """py2app's own program would show a dialog, and a script that has started it would wait."""
    app = places.copy_app(linux_app, tmp_path)
    start_script = wheels.HERE / "start" / "main.py"
    broken = start_script.read_text("utf-8").replace(
        "from mlx_music_app.__main__ import main", "raise OSError('broken')"
    )
    places.replace(layout.resources(app) / "main.py", broken.encode())
    stub.install(app)
    done = start(app, "--self-test", home=tmp_path)
    assert done.returncode == 1
    assert "OSError: broken" in done.stderr


def test_nothing_is_in_it_twice(linux_app: Path) -> None:
    library = layout.python_folder(linux_app)
    with zipfile.ZipFile(next(library.parent.glob("python3*.zip"))) as archive:
        zipped = {name.split("/")[0] for name in archive.namelist()}
    trees = {path.name for path in library.iterdir() if path.is_dir()}
    assert zipped & trees == set()
    assert not (library / "mlx_music" / "_resources").exists()
    models = [path for path in find_files(linux_app) if path.name == "model.json"]
    assert models == [layout.resources(linux_app) / "sketch" / "model.json"]


def test_everything_is_compiled(linux_app: Path) -> None:
    """The app cannot do it later, so every start would take a second or two more."""
    library = layout.python_folder(linux_app)
    for name in ("mlx_music", "mlx_music_app", "huggingface_hub"):
        sources = [path for path in (library / name).rglob("*.py") if path.stat().st_size]
        compiled = {path.name.split(".")[0] for path in (library / name).rglob("*.pyc")}
        assert len(sources) > 10
        assert {path.stem for path in sources} <= compiled
