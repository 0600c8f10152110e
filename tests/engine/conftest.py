"""The built-in model's stand-in: synthetic weights that say of themselves what Sketch says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlx_music import resources
from tests.doubles import write_sketch


@pytest.fixture(scope="session")
def sketch_folder(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stand-in lies; its parent is a resources folder. Do not change it."""
    return write_sketch(checkpoint, tmp_path_factory.mktemp("resources"))


@pytest.fixture
def sketch(sketch_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, and "sketch" means it."""
    monkeypatch.setenv(resources.VARIABLE, str(sketch_folder.parent))
    return sketch_folder
