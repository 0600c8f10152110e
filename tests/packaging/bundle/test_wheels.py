"""The packages inside the app: which, and how they are asked for."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from resources.packaging import wheels
from resources.packaging.layout import PackagingError
from resources.packaging.plist import MINIMUM_SYSTEM

#: The machine that the app runs on.
_MAC = {
    "sys_platform": "darwin",
    "platform_system": "Darwin",
    "platform_machine": "arm64",
    "os_name": "posix",
    "python_version": wheels.PYTHON,
    "python_full_version": f"{wheels.PYTHON}.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}

Calls = list[tuple[tuple[str, ...], dict[str, Any]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """How pip was called; nothing is done."""
    calls: Calls = []
    monkeypatch.setattr(wheels, "pip", lambda *words, **more: calls.append((words, more)))
    return calls


def test_all_that_the_app_needs_is_pinned() -> None:
    pins = wheels.pins()
    for line in metadata.requires("mlx-music") or ():
        needed = Requirement(line)
        wanted = needed.marker is None or any(
            needed.marker.evaluate({**_MAC, "extra": extra}) for extra in ("", "app")
        )
        if wanted:
            version = pins.get(wheels.normalised(needed.name))
            assert version is not None, f"{needed.name} is not in {wheels.REQUIREMENTS.name}"
            assert needed.specifier.contains(version), f"{needed} is pinned to {version}"
    assert pins["mlx"] == pins["mlx-metal"]
    assert pins["pyside6-essentials"].startswith("6.9.")
    assert f"macosx_{MINIMUM_SYSTEM.replace('.', '_')}_arm64" == wheels.PLATFORM


def test_what_builds_it_is_the_extra() -> None:
    pins = wheels.pins(wheels.BUILD_REQUIREMENTS)
    extra = [
        Requirement(line)
        for line in metadata.requires("mlx-music") or ()
        if 'extra == "bundle"' in line.replace("'", '"')
    ]
    exact = {wheels.normalised(needed.name): str(needed.specifier) for needed in extra}
    assert exact["py2app"] == f"=={pins['py2app']}"
    assert exact["macholib"] == f"=={pins['macholib']}"


def test_an_open_requirement_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("# A list\nMLX_Metal==1.0  # of two\nnumpy>=2\n")
    with pytest.raises(PackagingError, match=r'"numpy>=2" names no exact version'):
        wheels.pins(path)
    path.write_text("# A list\nMLX_Metal==1.0  # of two\n")
    assert wheels.pins(path) == {"mlx-metal": "1.0"}


def test_wheels_for_macos_14_are_asked_for(asked: Calls, tmp_path: Path) -> None:
    wheels.fetch(tmp_path, "3.12")
    (download, _), (build, _) = asked
    assert download[0] == "download"
    assert {
        "--no-deps",
        "--platform=macosx_14_0_arm64",
        "--python-version=3.12",
        "--only-binary=:all:",
        f"mlx-metal=={wheels.pins()['mlx-metal']}",
    } <= set(download)
    assert build[:2] == ("wheel", "--no-deps")
    assert {word.partition("==")[0] for word in build if "==" in word} == wheels.SOURCE_ONLY


def test_what_is_there_is_not_fetched_again(asked: Calls, tmp_path: Path) -> None:
    for name, version in wheels.pins().items():
        (tmp_path / f"{name.replace('-', '_')}-{version}-py3-none-any.whl").touch()
    wheels.fetch(tmp_path)
    assert asked == []
    (tmp_path / f"mlx_metal-{wheels.pins()['mlx-metal']}-py3-none-any.whl").unlink()
    assert list(wheels.missing_from(tmp_path)) == ["mlx-metal"]


def test_the_environment_is_made_of_them_alone(
    asked: Calls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels.venv, "create", lambda folder, **_: folder.mkdir(exist_ok=True))
    python = wheels.make_environment(tmp_path / "environment", tmp_path)
    assert python == tmp_path / "environment" / "bin" / "python"
    packages, tools, project = asked
    assert {"--no-index", f"--find-links={tmp_path}", "--no-deps"} <= set(packages[0])
    assert str(wheels.BUILD_REQUIREMENTS) in tools[0]
    assert str(wheels.PROJECT) in project[0]
    assert not any("editable" in word for word in project[0])
    assert {call[1]["python"] for call in asked} == {python}

    del asked[:]
    wheels.make_environment(tmp_path / "environment", tmp_path)
    assert [call[0] for call in asked] == [tools[0], project[0]]
    monkeypatch.setattr(wheels, "pins", lambda: {"numpy": "0"})
    wheels.make_environment(tmp_path / "environment", tmp_path)
    assert asked[2][0][-1] == "numpy==0"


def test_another_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheels, "PYTHON", "3.99")
    with pytest.raises(PackagingError, match=r"with Python 3\.99, and .* is 3\.\d+; name"):
        wheels.require_python()


def test_a_failing_pip(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PackagingError, match="pip no-such-command has failed"):
        wheels.pip("no-such-command")
    assert "no-such-command" in capfd.readouterr().err
