"""What py2app is told to put into the app."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mlx_music.text import dictionary as reading
from resources.packaging import contents, dictionary
from resources.packaging.layout import PackagingError
from resources.packaging.wheels import PROJECT


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that packages for macOS are installed in, as small as they can be."""
    site = tmp_path / "site"
    for name in (*contents.OURS, *contents.NATIVE, *contents.NATIVE_ON_MACOS, *contents.OTHERS):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").touch()
    (site / "numpy" / "linalg" / "tests").mkdir(parents=True)
    for name in ("mlx/core.so", "mlx/lib/libmlx.dylib", "unidic_lite/dicdir/sys.dic"):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("native")
    (site / "mlx" / "utils.py").write_text(
        "import os.path, numpy\nfrom . import core\ndef f():\n    from textwrap import dedent\n"
    )
    (site / "unidic_lite" / "__init__.py").write_text("")
    (site / "unidic_lite" / "dicdir" / "version").write_text("2.1.2\n")
    (site / "unidic_lite" / "dicdir" / "manual.pdf").write_text("for people")
    for name in ("mlx-0.1", "mlx_metal-0.1", "unidic_lite-1.0.8"):
        (site / f"{name}.dist-info" / "licenses").mkdir(parents=True)
        (site / f"{name}.dist-info" / "METADATA").write_text("Name: x")
    monkeypatch.setattr(sys, "path", [str(site)])
    monkeypatch.setattr(contents, "BUILD", tmp_path / "build")
    monkeypatch.setenv("_PYTHON_HOST_PLATFORM", "macosx-14.0-arm64")
    return site


def placed(options: dict[str, Any]) -> dict[str, str]:
    """Where each resource comes to lie in the app's Resources: its origin."""
    found = {}
    for entry in options["resources"]:
        folder, paths = ("", [entry]) if isinstance(entry, str) else entry
        found.update({Path(folder, Path(path).name).as_posix(): path for path in paths})
    return found


def test_mlx_is_copied_whole(site: Path) -> None:
    options = contents.options("1.0")
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    found = placed(options)
    assert found[f"{library}/mlx"] == str(site / "mlx")
    assert "mlx" in options["excludes"]
    assert "mlx" not in options["packages"]
    assert {"os.path", "textwrap"} <= set(options["includes"])
    assert not {"numpy", "core"} & set(options["includes"])
    for name in ("mlx-0.1", "mlx_metal-0.1", "unidic_lite-1.0.8"):
        assert f"{library}/{name}.dist-info/METADATA" in found


def test_whole_trees_and_their_tests(site: Path) -> None:
    options = contents.options("1.0")
    assert {"PySide6", "_soundfile_data", "_sounddevice_data"} <= set(options["packages"])
    assert {"numpy.linalg.tests", "tkinter", "unidic"} <= set(options["excludes"])
    assert {"_cffi_backend", "sounddevice", "soundfile"} <= set(options["includes"])
    assert options["arch"] == "arm64"
    assert options["plist"]["CFBundleVersion"] == "1.0"


def test_what_is_not_installed_is_named(site: Path) -> None:
    (site / "soxr" / "__init__.py").unlink()
    with pytest.raises(PackagingError, match=r"^soxr is not installed for .*pip install \.$"):
        contents.options("1.0")


def test_the_japanese_dictionary(site: Path) -> None:
    found = placed(contents.options("1.0"))
    packed = found[dictionary.PACKED]
    assert dictionary.PACKED == reading.PACKED
    with zipfile.ZipFile(packed) as archive:
        assert archive.namelist() == ["sys.dic", "version"]
    left = [place.partition("unidic_lite/")[2] for place in found if "unidic_lite/" in place]
    assert sorted(left) == ["__init__.py", "dicdir/version"]
    before = os.stat(packed).st_mtime_ns
    contents.options("1.0")
    assert os.stat(packed).st_mtime_ns == before


def test_shipped() -> None:
    places = {
        f"{folder}/{Path(path).name}".lstrip("/")
        for folder, paths in contents.shipped()
        for path in paths
    }
    assert {"style.qss", "presets.json", "icons/play.svg", "sketch/model.json"} <= places
    unwanted = ("recipe", "__init__.py", ".icns", ".pyc")
    assert [place for place in places if any(word in place for word in unwanted)] == []


def test_as_in_wheels() -> None:
    tree = ast.parse((PROJECT / "setup.py").read_text("utf-8"))
    said = {
        node.targets[0].id: ast.literal_eval(
            node.value.args[0] if isinstance(node.value, ast.Call) else node.value
        )
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("SHIPPED", "LEFT_OUT")
    }
    assert said == {"SHIPPED": contents.SHIPPED, "LEFT_OUT": tuple(said["LEFT_OUT"])}
    assert set(said["LEFT_OUT"]) == contents.LEFT_OUT


def test_the_first_script_reads_text_as_utf_8() -> None:
    """py2app's program leaves it the "C" locale."""
    program = (
        "import locale, runpy, sys\n"
        f"start = runpy.run_path({str(contents.PROGRAM)!r}, run_name='start')\n"
        "locale.setlocale(locale.LC_CTYPE, 'C')\n"
        "before = locale.getpreferredencoding(False)\n"
        "start['_prepare']()\n"
        "print(before, locale.getpreferredencoding(False))\n"
    )
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    before, after = done.stdout.split()
    assert after.lower().replace("-", "") == "utf8"
    assert before != after or sys.platform == "darwin"
