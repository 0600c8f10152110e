"""Resources are found in a checkout, beside an installed package, and in an app bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlx_music import resources


def put(folder: Path, name: str = "sketch/model.json") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package of an engine without resources, at a place like that in a checkout."""
    monkeypatch.delenv(resources.VARIABLE, raising=False)
    monkeypatch.delenv("RESOURCEPATH", raising=False)
    package = tmp_path / "engine" / "mlx_music"
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    return package


def test_a_checkout(package: Path, tmp_path: Path) -> None:
    assert resources.find_resource("sketch/model.json") is None
    path = put(tmp_path / "resources")
    assert resources.find_resource("sketch/model.json") == path
    assert resources.find_resource("sketch") == path.parent
    assert resources.find_resource("icons") is None


def test_a_wheel(package: Path, tmp_path: Path) -> None:
    put(tmp_path / "resources")
    path = put(package / "_resources")
    assert resources.find_resource("sketch/model.json") == path


def test_a_bundle(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder has resources at its top; that of another app has none of ours."""
    installed = put(package / "_resources")
    monkeypatch.setenv("RESOURCEPATH", str(tmp_path / "Resources"))
    assert resources.find_resource("sketch/model.json") == installed
    path = put(tmp_path / "Resources")
    assert resources.find_resource("sketch/model.json") == path


def test_another_folder_is_the_only_one(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(package / "_resources")
    monkeypatch.setenv("RESOURCEPATH", str(tmp_path / "Resources"))
    monkeypatch.setenv(resources.VARIABLE, str(tmp_path / "other"))
    assert resources.find_resource("sketch/model.json") is None
    path = put(tmp_path / "other")
    assert resources.find_resource("sketch/model.json") == path
