"""The disk image, notarization, and starting the built app."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from resources.packaging.dmg import check_content, make_dmg, mounted
from resources.packaging.layout import PackagingError
from resources.packaging.notarize import credentials, notarize_app, notarize_dmg
from resources.packaging.trial import try_app
from tests.packaging.finishing.bundles import VERSION
from tests.packaging.finishing.fake_tools import IDENTITY, FakeTools

WHO = ["--keychain-profile", "ann"]


@pytest.fixture
def dmg(tmp_path: Path) -> Path:
    return tmp_path / "dist" / "MLX-Music-0.1.0-arm64.dmg"


def test_an_image_holds_the_app_and_a_link(
    finished: Path, dmg: Path, fake_tools: FakeTools
) -> None:
    make_dmg(finished, dmg, None)
    assert [path.name for path in dmg.parent.iterdir()] == [dmg.name]
    with mounted(dmg) as place:
        assert sorted(path.name for path in place.iterdir()) == ["Applications", finished.name]
        app = check_content(place)
        core = "Contents/Resources/lib/python3.12/PySide6/Qt/lib/QtCore.framework/QtCore"
        assert os.readlink(app / core) == "Versions/Current/QtCore"
    assert not place.exists()
    (create,) = fake_tools.calls("hdiutil", "create")
    assert create[2:4] == ["-volname", "MLX Music"]
    assert [create[create.index(name) + 1] for name in ("-fs", "-format")] == ["HFS+", "UDZO"]
    assert not fake_tools.calls("codesign")


def test_an_image_is_signed_with_an_identity(
    finished: Path, dmg: Path, fake_tools: FakeTools
) -> None:
    make_dmg(finished, dmg, IDENTITY)
    (call,) = fake_tools.calls("codesign")
    assert call[:-1] == ["codesign", "--force", "--sign", IDENTITY, "--timestamp"]


def test_a_busy_image_is_tried_again(finished: Path, dmg: Path, fake_tools: FakeTools) -> None:
    says = "hdiutil: create failed - Resource busy\n"
    fake_tools.answer("hdiutil", "create", code=1, complains=says, times=3)
    make_dmg(finished, dmg, None)
    assert len(fake_tools.calls("hdiutil", "create")) == 4


def test_an_image_that_fails_leaves_nothing(
    finished: Path, dmg: Path, fake_tools: FakeTools
) -> None:
    fake_tools.answer("hdiutil", "create", code=1, complains="hdiutil: create failed - full\n")
    with pytest.raises(PackagingError) as error:
        make_dmg(finished, dmg, None)
    assert str(error.value) == "hdiutil create failed, exit code 1: hdiutil: create failed - full"
    assert list(dmg.parent.iterdir()) == []


def test_a_failing_image_does_not_replace_an_older_one(
    finished: Path, dmg: Path, fake_tools: FakeTools
) -> None:
    dmg.parent.mkdir()
    dmg.write_text("older")
    fake_tools.answer("hdiutil", "verify", code=1, complains="damaged")
    with pytest.raises(PackagingError, match="hdiutil verify failed"):
        make_dmg(finished, dmg, None)
    assert dmg.read_text() == "older"


def test_an_image_is_detached_after_a_failure(
    finished: Path, dmg: Path, fake_tools: FakeTools
) -> None:
    make_dmg(finished, dmg, None)
    fake_tools.answer("hdiutil", "attach")
    with pytest.raises(PackagingError, match="no link to /Applications"), mounted(dmg) as place:
        check_content(place)
    assert fake_tools.calls("hdiutil", "detach") == [["hdiutil", "detach", str(place)]]


def test_an_image_that_stays_busy_is_detached_by_force(
    finished: Path, dmg: Path, fake_tools: FakeTools
) -> None:
    make_dmg(finished, dmg, None)
    fake_tools.answer("hdiutil", "detach", code=16, complains="Resource busy", times=6)
    with mounted(dmg):
        pass
    assert len(fake_tools.calls("hdiutil", "detach")) == 7
    assert fake_tools.calls("hdiutil", "detach", "-force")


def test_an_image_without_the_app(tmp_path: Path) -> None:
    (tmp_path / "Applications").symlink_to("/Applications")
    with pytest.raises(PackagingError, match=r"has no MLX Music\.app"):
        check_content(tmp_path)


def test_credentials(tmp_path: Path) -> None:
    key = tmp_path / "key.p8"
    key.touch()
    ids = {"NOTARY_KEY_ID": "K", "NOTARY_ISSUER": "I"}
    assert credentials({"CODESIGN_IDENTITY": IDENTITY}) is None
    assert credentials({"NOTARY_PROFILE": "", "NOTARY_KEY": ""}) is None
    assert credentials({"NOTARY_PROFILE": "ann"}) == WHO
    by_key = ["--key", str(key), "--key-id", "K", "--issuer", "I"]
    assert credentials({"NOTARY_KEY": str(key), **ids}) == by_key
    with pytest.raises(PackagingError, match="NOTARY_KEY_ID set, but not NOTARY_KEY, NOTARY_I"):
        credentials({"NOTARY_KEY_ID": "K"})
    with pytest.raises(PackagingError, match=r"NOTARY_KEY: there is no file /nowhere/key\.p8"):
        credentials({"NOTARY_KEY": "/nowhere/key.p8", **ids})


def test_notarizing_the_app(finished: Path, fake_tools: FakeTools) -> None:
    notarize_app(finished, WHO)
    calls = fake_tools.calls()
    (archive,) = {call[-1] for call in fake_tools.calls("ditto")}
    assert calls[0] == ["ditto", "-c", "-k", "--keepParent", str(finished), archive]
    assert calls[1][:6] == ["xcrun", "notarytool", "submit", archive, *WHO]
    assert calls[1][6:] == ["--wait", "--timeout", "2h", "--output-format", "json"]
    assert calls[2] == ["xcrun", "stapler", "staple", str(finished)]
    assert calls[3] == ["xcrun", "stapler", "validate", str(finished)]
    assert calls[4][:4] == ["spctl", "--assess", "--type", "execute"]
    assert len(calls) == 5


def test_notarizing_the_image(tmp_path: Path, fake_tools: FakeTools) -> None:
    notarize_dmg(tmp_path / "a.dmg", WHO)
    calls = fake_tools.calls()
    assert [call[:3] for call in calls[:3]] == [
        ["xcrun", "notarytool", "submit"],
        ["xcrun", "stapler", "staple"],
        ["xcrun", "stapler", "validate"],
    ]
    judge = ["--assess", "--type", "open", "--context", "context:primary-signature"]
    assert calls[3] == ["spctl", *judge, "--verbose=2", str(tmp_path / "a.dmg")]


def test_what_apple_does_not_accept(
    finished: Path, fake_tools: FakeTools, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = json.dumps({"id": "77", "status": "Invalid", "message": "Processing complete"})
    fake_tools.answer("xcrun", "notarytool", "submit", says=answer)
    fake_tools.answer("xcrun", "notarytool", "log", says='{"issues": "not signed: a.so"}')
    with pytest.raises(PackagingError) as error:
        notarize_app(finished, WHO)
    assert str(error.value) == "Apple did not accept app.zip: Invalid (submission 77)"
    assert "not signed: a.so" in capsys.readouterr().out
    assert fake_tools.calls("xcrun", "notarytool", "log") == [
        ["xcrun", "notarytool", "log", "77", *WHO]
    ]
    assert not fake_tools.calls("xcrun", "stapler")


@pytest.mark.parametrize("says", ["", "not json", "[]", "{}"])
def test_no_answer_from_apple(tmp_path: Path, fake_tools: FakeTools, says: str) -> None:
    fake_tools.answer("xcrun", "notarytool", "submit", says=says)
    with pytest.raises(PackagingError, match=r"notarytool gave no answer for a\.dmg"):
        notarize_dmg(tmp_path / "a.dmg", WHO)


def test_wrong_credentials(tmp_path: Path, fake_tools: FakeTools) -> None:
    says = "Error: HTTP status code: 401. Invalid credentials."
    fake_tools.answer("xcrun", "notarytool", "submit", code=69, complains=says)
    with pytest.raises(PackagingError) as error:
        notarize_dmg(tmp_path / "a.dmg", WHO)
    assert str(error.value) == f"xcrun notarytool submit failed, exit code 69: {says}"


def test_a_ticket_that_is_late(tmp_path: Path, fake_tools: FakeTools) -> None:
    says = "The staple and validate action failed! Error 65.\n"
    fake_tools.answer("xcrun", "stapler", "staple", code=65, says=says, times=2)
    notarize_dmg(tmp_path / "a.dmg", WHO)
    assert len(fake_tools.calls("xcrun", "stapler", "staple")) == 3


def test_an_app_that_gatekeeper_rejects(finished: Path, fake_tools: FakeTools) -> None:
    fake_tools.answer("spctl", code=3, complains=f"{finished}: rejected\n")
    with pytest.raises(PackagingError, match=r"spctl failed, exit code 3.*rejected"):
        notarize_app(finished, WHO)


def program(app: Path, self_test: str) -> None:
    """Make the app's program one that this system runs."""
    path = app / "Contents" / "MacOS" / "MLX Music"
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo "MLX Music {VERSION}"; exit; fi\n'
        f"{self_test}\n"
    )


def test_starting_the_app(
    finished: Path, fake_tools: FakeTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("MLX_MUSIC_RESOURCES", "/somewhere")
    program(finished, 'echo "$1 in $PWD"; echo "[$PYTHONPATH$MLX_MUSIC_RESOURCES]"; ls -A "$HOME"')
    assert try_app(finished).splitlines() == ["--self-test in /", "[]"]
    assert len(fake_tools.calls("codesign", "--verify")) == 1


def test_a_self_test_that_fails(
    finished: Path, fake_tools: FakeTools, capsys: pytest.CaptureFixture[str]
) -> None:
    program(finished, "echo 1 ok; echo 2 ok; echo 3 ok; echo 4 failed: no sound; exit 1")
    with pytest.raises(PackagingError, match=r"MLX Music failed, exit code 1: .*no sound"):
        try_app(finished)
    assert "1 ok" in capsys.readouterr().out


def test_another_version(finished: Path, fake_tools: FakeTools) -> None:
    program(finished, "exit 0")
    path = finished / "Contents" / "MacOS" / "MLX Music"
    path.write_text(path.read_text().replace(VERSION, "0.0.9"))
    with pytest.raises(PackagingError, match=r"says 'MLX Music 0\.0\.9', not 'MLX Music 0\.1\.0'"):
        try_app(finished)


def test_an_app_that_changes_itself(finished: Path, fake_tools: FakeTools) -> None:
    library = finished / "Contents" / "Frameworks" / "libssl.3.dylib"
    program(
        finished,
        f"printf x >> '{library}'; printf y | dd of='{library}' conv=notrunc bs=1 "
        "seek=5000 2>/dev/null",
    )
    with pytest.raises(PackagingError, match="not signed at all"):
        try_app(finished)
