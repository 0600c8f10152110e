"""The app for macOS is fit to be shipped, as far as that can be seen without starting it, and what
looks at it sees when it is not."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from mlx_music.version import __version__
from resources.packaging import layout, wheels
from resources.packaging.checks import check_bundle
from resources.packaging.macho import find_macho
from resources.packaging.plist import info_plist
from resources.packaging.sign import signing_order
from tests.packaging.finishing import mach_o
from tests.packaging.rehearsal import places

pytestmark = pytest.mark.rehearsal


def test_nothing_is_wrong_with_it(macos_app: Path) -> None:
    assert check_bundle(macos_app) == []


def test_everything_is_in_it(macos_app: Path, linux_app: Path) -> None:
    """The same packages as in the one that runs, and the libraries of which each has its own."""
    ours, theirs = (layout.python_folder(app) for app in (macos_app, linux_app))
    packages = {path.name for path in ours.iterdir() if "." not in path.name}
    assert {path.name for path in theirs.iterdir() if "." not in path.name} <= packages
    for name in (
        "mlx/lib/libmlx.dylib",
        "mlx/lib/mlx.metallib",
        "_soundfile_data/libsndfile_arm64.dylib",
        "_sounddevice_data/portaudio-binaries/libportaudio.dylib",
        "PySide6/Qt/plugins/platforms/libqcocoa.dylib",
        "PySide6/Qt/plugins/styles/libqmacstyle.dylib",
        "lib-dynload/_cffi_backend.so",
        "lib-dynload/mojimoji.so",
    ):
        assert (ours / name).is_file(), name
    for package in ("tokenizers", "safetensors", "hf_xet", "fugashi", "soxr", "numpy"):
        assert _extensions(ours / package) >= _extensions(theirs / package) != set()
    modules = [_zipped(folder) for folder in (ours, theirs)]
    assert modules[1] - modules[0] == set()


def _extensions(folder: Path) -> set[str]:
    return {path.name.split(".")[0] for path in folder.rglob("*.so")}


def _zipped(library: Path) -> set[str]:
    with zipfile.ZipFile(next(library.parent.glob("python3*.zip"))) as archive:
        names = archive.namelist()
    # Some packages leave their tests there as data.
    return {name for name in names if name.endswith(".pyc") and "__pycache__" not in name}


def test_its_plist(macos_app: Path) -> None:
    found = layout.info_plist(macos_app)
    wanted = info_plist(__version__)
    assert {key: found.get(key) for key in wanted} == wanted
    for icon in (
        found["CFBundleIconFile"],
        wanted["CFBundleDocumentTypes"][0]["CFBundleTypeIconFile"],
    ):
        assert (layout.resources(macos_app) / icon).is_file()


def test_signing_leaves_nothing_out(macos_app: Path) -> None:
    order = signing_order(macos_app)
    inside = set(find_macho(macos_app))
    signed = {path if path.is_file() else _program(path) for path in order}
    assert inside <= signed
    for number, path in enumerate(order):
        assert not any(path in later.parents for later in order[number:])


def _program(bundle: Path) -> Path:
    if bundle.suffix == ".app":
        return layout.programs(bundle) / layout.NAME
    return (bundle / "Versions" / "Current" / bundle.stem).resolve()


# Broken on purpose


def test_what_py2app_finds_by_itself(macos_app: Path, tmp_path: Path) -> None:
    """It takes mlx apart, puts libsndfile into the zip, and says where it was built."""
    script = tmp_path / "main.py"
    script.write_text("import mlx.core\nimport soundfile\n")
    app = places.build_for_macos(script)
    problems = check_bundle(app, signed=False)
    assert "libmlx.dylib: there are 0 of it, not one" in problems
    assert any("core" in line and "libmlx.dylib, which is not" in line for line in problems)
    assert any(
        line.endswith("native code: _soundfile_data/libsndfile_arm64.dylib") for line in problems
    )
    assert any("PythonExecutable is a path of the machine" in line for line in problems)


def test_a_wheel_for_macos_26(to_break: Path, tmp_path: Path) -> None:
    """The one that pip takes by itself on macOS 26."""
    wheels.pip(
        *("download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={tmp_path}"),
        *("--platform=macosx_26_0_arm64", f"--python-version={places.VERSION}"),
        f"mlx=={wheels.pins()['mlx']}",
    )
    (wheel,) = tmp_path.glob("mlx-*_26_0_arm64.whl")
    mlx = layout.python_folder(to_break) / "mlx"
    shutil.rmtree(mlx / "__pycache__", ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        (core,) = (name for name in archive.namelist() if name.startswith("mlx/core."))
        places.replace(mlx / Path(core).name, archive.read(core))
    (problem,) = check_bundle(to_break, signed=False)
    assert problem.endswith("needs macOS 26.2, the app promises 14.0")


def test_a_file_that_is_not_signed(to_break: Path) -> None:
    path = layout.python_folder(to_break) / "_soundfile_data" / "libsndfile_arm64.dylib"
    places.replace(path, mach_o.thin())
    assert check_bundle(to_break) == [f"{path.relative_to(to_break)}: not signed"]


def test_libsndfile_in_the_zip(to_break: Path) -> None:
    library = layout.python_folder(to_break)
    name = "_soundfile_data/libsndfile_arm64.dylib"
    path = next(library.parent.glob("python3*.zip"))
    places.replace(path, path.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(library / name, name)
    assert check_bundle(to_break, signed=False) == [
        f"{path.relative_to(to_break)}: holds native code: {name}"
    ]


def test_only_wheels_for_macos_14(macos_app: Path) -> None:
    tags = {path.stem.rsplit("-", 1)[-1] for path in places.WHEELS.glob("*.whl")}
    versions = {tag.split("_")[1] for tag in tags if tag.startswith("macosx")}
    assert versions <= {"10", "11", "12", "13", "14"}
    assert wheels.missing_from(places.WHEELS) == {}
