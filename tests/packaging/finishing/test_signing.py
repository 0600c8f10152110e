"""What is signed, in which order, and how."""

from __future__ import annotations

import plistlib
import shutil
from pathlib import Path

import pytest

from resources.packaging import sign as signing
from resources.packaging.checks import LIBRARY_VALIDATION_OFF, check_bundle
from resources.packaging.frameworks import fix_frameworks
from resources.packaging.layout import PackagingError
from resources.packaging.macho import find_macho
from resources.packaging.prune import prune
from resources.packaging.sign import identity_of, sign, signing_order, verify_signature
from resources.packaging.signature import read_signature
from resources.packaging.thin import thin
from tests.packaging.finishing import mach_o
from tests.packaging.finishing.bundles import PACKAGES
from tests.packaging.finishing.fake_tools import IDENTITY, FakeTools


@pytest.fixture
def app(raw: Path) -> Path:
    """An app that is ready to be signed."""
    prune(raw)
    fix_frameworks(raw)
    thin(raw)
    return raw


def test_the_order_is_inside_out(app: Path) -> None:
    order = signing_order(app)
    for number, path in enumerate(order):
        assert not [outer for outer in order[:number] if outer in path.parents]
    assert [path.name for path in order[-2:]] == ["python", "MLX Music.app"]
    kinds = ["framework" if path.suffix == ".framework" else "file" for path in order[:-2]]
    assert kinds == sorted(kinds)


def test_everything_native_is_signed_once(app: Path) -> None:
    order = signing_order(app)
    assert len(order) == len(set(order))
    by_itself = {path for path in order if path.is_file()}
    frameworks = [path for path in order if path.suffix == ".framework"]
    by_folder = {(path / path.stem).resolve() for path in frameworks}
    by_folder.add(app / "Contents" / "MacOS" / "MLX Music")
    assert not by_itself & by_folder
    assert by_itself | by_folder == set(find_macho(app))


def test_the_order_of_a_framework_in_a_framework(app: Path) -> None:
    outer = app / PACKAGES / "PySide6/Qt/lib/QtCore.framework"
    inner = outer / "Versions" / "A" / "Frameworks" / "Inner.framework"
    shutil.copytree(app / PACKAGES / "PySide6/Qt/lib/QtGui.framework", inner, symlinks=True)
    (inner / "Versions" / "A" / "QtGui").rename(inner / "Versions" / "A" / "Inner")
    order = signing_order(app)
    assert order.index(inner) < order.index(outer)


def test_ad_hoc(app: Path, fake_tools: FakeTools) -> None:
    number = sign(app, None)
    calls = fake_tools.calls("codesign")
    signed = [word for call in calls for word in call if word.startswith(str(app))]
    assert signed == [str(path) for path in signing_order(app)]
    assert len(signed) == number
    assert not fake_tools.calls("security")
    for call in calls:
        assert call[1:7] == ["--force", "--sign", "-", "--timestamp=none", "--options", "runtime"]
        assert "--deep" not in call
    assert check_bundle(app) == []


def test_entitlements_only_on_the_programs(app: Path, fake_tools: FakeTools) -> None:
    sign(app, None)
    for path in find_macho(app):
        signature = read_signature(path, mach_o.only(path))
        assert signature is not None
        assert signature.hardened
        if path.parent.name == "MacOS":
            assert plistlib.loads(signature.entitlements) == {LIBRARY_VALIDATION_OFF: True}
        else:
            assert signature.entitlements == b""


def test_developer_id(app: Path, fake_tools: FakeTools) -> None:
    sign(app, IDENTITY)
    for call in fake_tools.calls("codesign"):
        assert call[1:5] == ["--force", "--sign", IDENTITY, "--timestamp"]
        # None are needed, and an empty list of them is left out.
        assert "--entitlements" not in call
    assert check_bundle(app) == []


def test_entitlements_that_are_asked_for(
    app: Path, fake_tools: FakeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "entitlements.plist"
    path.write_bytes(plistlib.dumps({"com.apple.security.device.audio-input": True}))
    monkeypatch.setattr(signing, "ENTITLEMENTS", path)
    sign(app, IDENTITY)
    program = app / "Contents" / "MacOS" / "MLX Music"
    signature = read_signature(program, mach_o.only(program))
    assert signature is not None
    assert plistlib.loads(signature.entitlements) == plistlib.loads(path.read_bytes())


def test_signing_again_replaces_the_signatures(app: Path, fake_tools: FakeTools) -> None:
    sign(app, None)
    sign(app, IDENTITY)
    assert check_bundle(app) == []


def test_an_identity_that_is_not_there(app: Path, fake_tools: FakeTools) -> None:
    with pytest.raises(PackagingError) as error:
        sign(app, "Developer ID Application: Bob")
    assert "CODESIGN_IDENTITY" in str(error.value)
    assert f"those there: {IDENTITY}" in str(error.value)
    assert "\n" not in str(error.value)
    assert not fake_tools.calls("codesign")


def test_a_failure_is_one_line(app: Path, fake_tools: FakeTools) -> None:
    fake_tools.answer("codesign", code=1, complains="a.so: replacing\na.so: no space left\n")
    with pytest.raises(PackagingError) as error:
        sign(app, None)
    assert str(error.value) == "codesign failed, exit code 1: a.so: replacing; a.so: no space left"
    assert len(fake_tools.calls("codesign")) == 1


def test_a_server_of_time_that_is_away_is_asked_again(app: Path, fake_tools: FakeTools) -> None:
    says = "a.so: The timestamp service is not available.\n"
    fake_tools.answer("codesign", code=1, complains=says, times=2)
    sign(app, IDENTITY)
    assert check_bundle(app) == []


def test_what_is_in_the_way_of_signing(app: Path, fake_tools: FakeTools) -> None:
    library = app / "Contents" / "Frameworks" / "libssl.3.dylib"
    library.chmod(0o500)
    sign(app, None)
    assert library.stat().st_mode & 0o777 == 0o744
    assert fake_tools.calls()[0] == ["xattr", "-c", "-r", str(app)]


def test_without_codesign(app: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingError, match=r"^codesign is missing: it comes with macOS$"):
        verify_signature(app)


def test_an_app_without_its_program(app: Path) -> None:
    (app / "Contents" / "MacOS" / "MLX Music").unlink()
    with pytest.raises(PackagingError, match="MLX Music is not there"):
        signing_order(app)


def test_verifying(finished: Path, fake_tools: FakeTools) -> None:
    verify_signature(finished)
    assert fake_tools.calls("codesign") == [
        ["codesign", "--verify", "--deep", "--strict", "--verbose=2", str(finished)]
    ]
    mach_o.write(finished / PACKAGES / "new.so", mach_o.thin())
    with pytest.raises(PackagingError, match="not signed at all"):
        verify_signature(finished)


def test_the_identity_comes_from_the_environment() -> None:
    assert identity_of({"CODESIGN_IDENTITY": IDENTITY}) == IDENTITY
    assert identity_of({"CODESIGN_IDENTITY": " "}) is None
    assert identity_of({"CODESIGN_IDENTITY": "-"}) is None
    assert identity_of({}) is None
