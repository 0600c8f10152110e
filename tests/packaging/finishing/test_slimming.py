"""Pruning, thinning, and rebuilding frameworks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from resources.packaging.frameworks import fix_frameworks
from resources.packaging.layout import PackagingError
from resources.packaging.prune import prune, size_of
from resources.packaging.thin import thin, thin_file
from tests.packaging.finishing import mach_o
from tests.packaging.finishing.bundles import PACKAGES, framework


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_pruning_keeps_what_the_app_loads(raw: Path) -> None:
    before = size_of(raw)
    freed = prune(raw)
    assert freed > 0
    assert size_of(raw) == before - freed
    pyside = raw / PACKAGES / "PySide6"
    library = "libpyside6.abi3.6.9.dylib"
    assert names(pyside) == {"__init__.py", "Qt", "QtCore.abi3.so", "QtWidgets.abi3.so", library}
    assert names(pyside / "Qt") == {"lib", "plugins"}
    # QtDBus is needed by QtGui, and that by QtWidgets and a plugin; QtQml by nothing left.
    kept = {f"{name}.framework" for name in ("QtCore", "QtDBus", "QtGui", "QtWidgets")}
    assert names(pyside / "Qt" / "lib") == kept
    assert [p.name for p in (pyside / "Qt/plugins").rglob("*.dylib")] == ["libqcocoa.dylib"]
    assert names(pyside / "Qt" / "plugins") == {"platforms"}


def test_pruning_removes_what_is_for_compilers_and_other_systems(raw: Path) -> None:
    prune(raw)
    packages = raw / PACKAGES
    assert names(packages / "mlx") == {"core.cpython-312-darwin.so", "lib"}
    assert names(packages / "shiboken6") == {"libshiboken6.abi3.6.9.dylib"}
    assert names(packages / "numpy") == {"core.py", "linalg"}
    assert names(packages / "numpy" / "linalg") == set()
    sound = packages / "_sounddevice_data" / "portaudio-binaries"
    assert names(sound) == {"libportaudio.dylib"}


def test_pruning_twice_is_harmless(raw: Path) -> None:
    prune(raw)
    assert prune(raw) == 0


def test_pruning_needs_pyside_as_a_tree(raw: Path) -> None:
    shutil.rmtree(raw / PACKAGES / "PySide6" / "Qt")
    with pytest.raises(PackagingError, match="PySide6 is no whole package"):
        prune(raw)


def test_frameworks_get_their_links(raw: Path) -> None:
    core = raw / PACKAGES / "PySide6/Qt/lib/QtCore.framework"
    assert fix_frameworks(raw) == 6
    assert {path.name: os.readlink(path) for path in core.iterdir() if path.is_symlink()} == {
        "QtCore": "Versions/Current/QtCore",
        "Resources": "Versions/Current/Resources",
    }
    assert os.readlink(core / "Versions" / "Current") == "A"
    assert (core / "Resources" / "Info.plist").read_text() == "text"
    python = raw / "Contents/Frameworks/Python.framework"
    assert os.readlink(python / "Python") == "Versions/Current/Python"
    assert fix_frameworks(raw) == 0


def test_a_wrong_link_is_put_right(raw: Path) -> None:
    fix_frameworks(raw)
    current = raw / PACKAGES / "PySide6/Qt/lib/QtCore.framework/Versions/Current"
    current.unlink()
    current.symlink_to("5")
    assert fix_frameworks(raw) == 1
    assert os.readlink(current) == "A"


def test_a_copy_that_is_none_is_not_thrown_away(raw: Path) -> None:
    path = raw / PACKAGES / "PySide6/Qt/lib/QtCore.framework/Resources/Info.plist"
    path.write_text("another")
    with pytest.raises(PackagingError, match=r"QtCore\.framework/Resources differs from"):
        fix_frameworks(raw)
    assert path.read_text() == "another"


def test_a_framework_with_two_versions_is_named(raw: Path) -> None:
    framework(raw / PACKAGES / "PySide6/Qt/lib/QtCore.framework", "B")
    with pytest.raises(PackagingError, match=r"QtCore\.framework: 2 versions in it, not one"):
        fix_frameworks(raw)


def test_thinning_cuts_out_exactly_the_part(tmp_path: Path) -> None:
    arm = mach_o.thin(content=bytes(range(256)) * 5000, name="lib")
    path = mach_o.write(tmp_path / "lib", mach_o.fat(mach_o.thin(cpu=mach_o.X86_64), arm))
    path.chmod(0o750)
    assert thin_file(path)
    assert path.read_bytes() == arm
    assert path.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in tmp_path.iterdir()] == ["lib"]
    assert not thin_file(path)


def test_thinning_cuts_a_fat_file_of_one_part(tmp_path: Path) -> None:
    path = mach_o.write(tmp_path / "lib", mach_o.fat(mach_o.thin()))
    assert thin_file(path)
    assert path.read_bytes() == mach_o.thin()


def test_thinning_keeps_a_signature_intact(tmp_path: Path) -> None:
    whole = mach_o.write(tmp_path / "whole", mach_o.thin())
    mach_o.sign_file(whole)
    fat = mach_o.fat(mach_o.thin(cpu=mach_o.X86_64), whole.read_bytes())
    path = mach_o.write(tmp_path / "fat", fat)
    thin_file(path)
    assert path.read_bytes() == whole.read_bytes()


def test_thinning_leaves_other_architectures_to_the_checks(tmp_path: Path) -> None:
    path = mach_o.write(tmp_path / "lib", mach_o.thin(cpu=mach_o.X86_64))
    assert not thin_file(path)
    assert mach_o.parts_of(path) == ["x86_64"]


def test_thinning_goes_through_the_whole_app(raw: Path) -> None:
    before = size_of(raw)
    freed = thin(raw)
    assert freed > 0
    assert size_of(raw) == before - freed
    core = raw / PACKAGES / "PySide6/Qt/lib/QtCore.framework/Versions/A/QtCore"
    assert mach_o.parts_of(core) == ["arm64"]
    assert thin(raw) == 0
