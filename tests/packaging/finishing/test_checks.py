"""Each check of a finished app finds what it is for."""

from __future__ import annotations

import os
import plistlib
import shutil
import zipfile
from pathlib import Path

import pytest

from resources.packaging import checks
from resources.packaging.checks import check_bundle
from resources.packaging.layout import PackagingError
from tests.packaging.finishing import mach_o
from tests.packaging.finishing.bundles import PACKAGES, metal_library
from tests.packaging.finishing.mach_o import ADHOC, EXECUTABLE, RUNTIME

LIBRARY = f"{PACKAGES}/_soundfile_data/libsndfile_arm64.dylib"
QT = f"{PACKAGES}/PySide6/Qt/lib"
PROGRAM = "Contents/MacOS/MLX Music"


def put(path: Path, content: bytes) -> None:
    """Write a native file that is signed, so that only its content can be wrong."""
    mach_o.write(path, content)
    mach_o.sign_file(path)


def test_a_finished_app_is_fit(finished: Path) -> None:
    assert check_bundle(finished) == []


def test_what_is_no_app(tmp_path: Path) -> None:
    with pytest.raises(PackagingError, match="no app, it has no Contents/Info"):
        check_bundle(tmp_path / "Other.app")


def test_no_architecture(finished: Path) -> None:
    put(finished / LIBRARY, mach_o.thin(cpu=mach_o.X86_64))
    assert check_bundle(finished) == [f"{LIBRARY}: has no arm64 part, only x86_64"]


def test_not_thinned(finished: Path) -> None:
    signed = (finished / LIBRARY).read_bytes()
    mach_o.write(finished / LIBRARY, mach_o.fat(mach_o.thin(cpu=mach_o.X86_64), signed))
    assert check_bundle(finished) == [f"{LIBRARY}: not thinned, it holds x86_64, arm64"]


def test_damaged(finished: Path) -> None:
    mach_o.write(finished / LIBRARY, mach_o.thin(name="x" * 50)[:60])
    (problem,) = check_bundle(finished)
    assert problem.startswith(f"{finished / LIBRARY}: damaged Mach-O file")


def test_a_library_for_a_newer_system(finished: Path) -> None:
    """As in mlx's wheel for macOS 26."""
    path = f"{PACKAGES}/mlx/lib/libmlx.dylib"
    put(finished / path, mach_o.thin(name="@rpath/libmlx.dylib", system=(26, 2)))
    assert check_bundle(finished) == [f"{path}: needs macOS 26.2, the app promises 14.0"]


def test_kernels_for_a_newer_system(finished: Path) -> None:
    path = f"{PACKAGES}/mlx/lib/mlx.metallib"
    (finished / path).write_bytes(metal_library((26, 2)))
    assert check_bundle(finished) == [f"{path}: needs macOS 26.2, the app promises 14.0"]


def test_kernels_that_say_nothing(finished: Path) -> None:
    path = f"{PACKAGES}/mlx/lib/mlx.metallib"
    (finished / path).write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert check_bundle(finished) == [f"{path}: no Metal library, or of a kind that is new"]


def test_older_and_unknown_systems_are_fine(finished: Path) -> None:
    put(finished / LIBRARY, mach_o.thin(system=None))
    assert check_bundle(finished) == []


@pytest.mark.parametrize(
    "name",
    [
        "@rpath/libogg.dylib",
        "@loader_path/libogg.dylib",
        "@executable_path/../Frameworks/libogg.dylib",
        "/opt/homebrew/lib/libogg.dylib",
        "/Library/Frameworks/Python.framework/Versions/3.12/Python",
    ],
)
def test_a_library_that_is_not_there(finished: Path, name: str) -> None:
    put(finished / LIBRARY, mach_o.thin(loads=[name], rpaths=["@loader_path/"]))
    assert check_bundle(finished) == [f"{LIBRARY}: loads {name}, which is not in the app"]


def test_a_library_outside_of_the_app(finished: Path) -> None:
    put(finished.parent / "libogg.dylib", mach_o.thin())
    up = "@executable_path/../../../libogg.dylib"
    put(finished / LIBRARY, mach_o.thin(loads=[up]))
    assert check_bundle(finished) == [f"{LIBRARY}: loads {up}, which is not in the app"]


def test_a_library_through_an_rpath_of_the_program(finished: Path) -> None:
    allowed = plistlib.dumps({checks.LIBRARY_VALIDATION_OFF: True})
    program = mach_o.thin(kind=EXECUTABLE, rpaths=["@executable_path/../Frameworks"])
    mach_o.write(finished / PROGRAM, program)
    mach_o.sign_file(finished / PROGRAM, flags=ADHOC | RUNTIME, entitlements=allowed)
    put(finished / LIBRARY, mach_o.thin(loads=["@rpath/libssl.3.dylib"]))
    assert check_bundle(finished) == []


def test_an_rpath_of_the_machine_that_built_it(finished: Path) -> None:
    put(finished / LIBRARY, mach_o.thin(rpaths=["/Users/ann/lib"]))
    problem = f"{LIBRARY}: looks for libraries in /Users/ann/lib, outside of the app"
    assert check_bundle(finished) == [problem]


def test_mlx_twice(finished: Path) -> None:
    """As when a copy is put with the other libraries, where it has no kernels."""
    folder = finished / "Contents" / "Frameworks"
    shutil.copy2(finished / PACKAGES / "mlx/lib/libmlx.dylib", folder)
    problems = check_bundle(finished)
    assert problems[0].startswith("libmlx.dylib: there are 2 of it, not one: Contents/Frameworks")
    assert problems[1:] == ["Contents/Frameworks/libmlx.dylib: has no mlx.metallib beside it"]


def test_mlx_missing(finished: Path) -> None:
    """As when py2app follows imports into mlx, whose libraries it does not see."""
    shutil.rmtree(finished / PACKAGES / "mlx" / "lib")
    module = f"{PACKAGES}/mlx/core.cpython-312-darwin.so"
    assert check_bundle(finished) == [
        f"{module}: loads @rpath/libmlx.dylib, which is not in the app",
        "libmlx.dylib: there are 0 of it, not one",
    ]


def test_kernels_missing(finished: Path) -> None:
    (finished / PACKAGES / "mlx/lib/mlx.metallib").unlink()
    library = f"{PACKAGES}/mlx/lib/libmlx.dylib"
    assert check_bundle(finished) == [f"{library}: has no mlx.metallib beside it"]


def test_kernels_twice(finished: Path) -> None:
    (finished / "Contents" / "Resources" / "mlx.metallib").write_bytes(metal_library())
    assert check_bundle(finished) == ["mlx.metallib: there are 2 of it, not one"]


def test_native_code_in_the_zip(finished: Path) -> None:
    path = "Contents/Resources/lib/python312.zip"
    with zipfile.ZipFile(finished / path, "a") as archive:
        archive.writestr("_soundfile_data/libsndfile_arm64.dylib", mach_o.thin())
    held = "_soundfile_data/libsndfile_arm64.dylib"
    assert check_bundle(finished) == [f"{path}: holds native code: {held}"]


def test_a_damaged_zip(finished: Path) -> None:
    path = "Contents/Resources/lib/python312.zip"
    (finished / path).write_bytes(b"PK")
    assert check_bundle(finished) == [f"{path}: no zip, or a damaged one"]


def test_a_framework_without_links(finished: Path) -> None:
    core = finished / QT / "QtCore.framework"
    (core / "Resources").unlink()
    shutil.copytree(core / "Versions" / "A" / "Resources", core / "Resources")
    assert check_bundle(finished) == [
        f"{QT}/QtCore.framework/Resources: should be a link to Versions/Current/Resources",
        f"{QT}/QtCore.framework/Resources: a copy, where a framework has links",
    ]


def test_a_framework_without_a_current_version(finished: Path) -> None:
    (finished / QT / "QtCore.framework/Versions/Current").unlink()
    problems = check_bundle(finished)
    assert f"{QT}/QtCore.framework/Versions/Current: should be a link to A" in problems


def test_a_framework_without_its_library(finished: Path) -> None:
    (finished / QT / "QtDBus.framework/Versions/A/QtDBus").unlink()
    problems = check_bundle(finished)
    assert f"{QT}/QtDBus.framework: has no QtDBus" in problems


@pytest.mark.parametrize(
    ("name", "start", "system"),
    [
        ("_zlib.so", b"\x7fELF", "Linux"),
        ("port.dll", b"MZ\x90", "Windows"),
        ("lib.a", b"!<arch>\n", "a linker"),
    ],
)
def test_a_file_for_another_system(finished: Path, name: str, start: bytes, system: str) -> None:
    (finished / PACKAGES / name).write_bytes(start + bytes(100))
    assert check_bundle(finished) == [f"{PACKAGES}/{name}: a file for {system}"]


def test_text_that_starts_like_a_windows_program_is_fine(finished: Path) -> None:
    (finished / PACKAGES / "words.txt").write_bytes(b"MZungu")
    assert check_bundle(finished) == []


@pytest.mark.parametrize("target", ["/usr/bin/python3", "../../../outside", "nowhere"])
def test_a_link_out_of_the_app(finished: Path, target: str) -> None:
    (finished.parent / "outside").touch()
    link = finished / "Contents" / "Resources" / "link"
    link.symlink_to(target)
    problem = f"Contents/Resources/link: links to {target}, which is not in the app"
    assert check_bundle(finished) == [problem]


def test_the_path_of_the_machine_that_built_it(finished: Path) -> None:
    path = finished / "Contents" / "Info.plist"
    plist = plistlib.loads(path.read_bytes())
    plist["PythonInfoDict"] = {"PythonExecutable": "/Users/ann/build/bin/python"}
    plist["PyRuntimeLocations"].append("~/Library/Frameworks/Python")
    path.write_bytes(plistlib.dumps(plist))
    start = "Contents/Info.plist: "
    end = "is a path of the machine that built it: "
    assert check_bundle(finished) == [
        f"{start}PyRuntimeLocations[1] {end}~/Library/Frameworks/Python",
        f"{start}PythonInfoDict.PythonExecutable {end}/Users/ann/build/bin/python",
    ]


@pytest.mark.parametrize("keys", [{}, {"LSMinimumSystemVersion": "13.0"}])
def test_another_promise(finished: Path, keys: dict[str, str]) -> None:
    path = finished / "Contents" / "Info.plist"
    path.write_bytes(plistlib.dumps({"CFBundleExecutable": "MLX Music", **keys}))
    said = f"its LSMinimumSystemVersion is {keys.get('LSMinimumSystemVersion')}, not 14.0"
    assert check_bundle(finished) == [f"Contents/Info.plist: {said}"]


def test_a_program_that_cannot_be_run(finished: Path) -> None:
    os.chmod(finished / PROGRAM, 0o644)
    problem = "Contents/Info.plist: its CFBundleExecutable, 'MLX Music', is no program"
    assert check_bundle(finished) == [problem]


def test_too_large(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = finished / "Contents" / "Resources" / "sketch" / "weights"
    monkeypatch.setattr(checks, "BUDGET", 1_000_000)
    model.write_bytes(bytes(2_000_000))
    assert check_bundle(finished) == []
    (finished / PACKAGES / "large").write_bytes(bytes(2_000_000))
    (problem,) = check_bundle(finished)
    assert problem == "MLX Music.app: 2 MB without the built-in model, more than 1"


def test_left_unsigned(finished: Path) -> None:
    mach_o.write(finished / PACKAGES / "new.so", mach_o.thin())
    assert check_bundle(finished) == [f"{PACKAGES}/new.so: not signed"]
    assert check_bundle(finished, signed=False) == []


def test_changed_after_signing(finished: Path) -> None:
    with (finished / LIBRARY).open("r+b") as file:
        file.seek(6000)
        file.write(b"changed")
    assert check_bundle(finished) == [f"{LIBRARY}: changed after it was signed"]


def test_left_out_when_signing_with_a_certificate(finished: Path) -> None:
    """A wheel's library is signed, ad hoc: intact, and not to be loaded by the released app."""
    for path in finished.glob("Contents/MacOS/*"):
        mach_o.sign_file(path, flags=RUNTIME, certificate=b"Ann")
    problems = check_bundle(finished)
    assert f"{LIBRARY}: signed ad hoc, the app is not: macOS would not load it" in problems
    assert not [problem for problem in problems if problem.startswith("Contents/MacOS")]


@pytest.mark.parametrize(
    ("flags", "certificate", "problem"),
    [
        (ADHOC, b"", "signed without the hardened runtime"),
        (ADHOC | RUNTIME, b"", f"lacks the entitlement {checks.LIBRARY_VALIDATION_OFF}"),
    ],
)
def test_a_program_signed_wrongly(
    finished: Path, flags: int, certificate: bytes, problem: str
) -> None:
    mach_o.sign_file(finished / PROGRAM, flags=flags, certificate=certificate)
    assert check_bundle(finished) == [f"{PROGRAM}: {problem}"]


def test_a_released_program_with_the_exception_of_ad_hoc_ones(finished: Path) -> None:
    allowed = plistlib.dumps({checks.LIBRARY_VALIDATION_OFF: True})
    mach_o.sign_file(finished / PROGRAM, flags=RUNTIME, certificate=b"Ann", entitlements=allowed)
    problem = f"{PROGRAM}: must not have the entitlement {checks.LIBRARY_VALIDATION_OFF}"
    assert problem in check_bundle(finished)


@pytest.mark.parametrize("folder", ["Contents", f"{QT}/QtCore.framework/Versions/Current"])
def test_a_folder_that_is_not_sealed(finished: Path, folder: str) -> None:
    shutil.rmtree(finished / folder / "_CodeSignature")
    assert check_bundle(finished) == [f"{folder}: not signed as a whole"]
