"""What a model's name leads to: the built-in one, a folder, or the hub's cache."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from mlx_music import resources
from mlx_music.ace_step.about import ABOUT_FILE, PUBLISHED
from mlx_music.ace_step.finding import find_model, installed_folder, models_on_disk
from mlx_music.ace_step.published import MODEL_ID
from mlx_music.errors import CheckpointError
from tests.doubles import SKETCH, write_sketch


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache; "sketch" is not built in, and this folder is empty too."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv(resources.VARIABLE, str(tmp_path / "none"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "hub"


def install(checkpoint: Path, cache: Path, repo_id: str, commit: str = "a" * 40) -> Path:
    repository = cache / f"models--{repo_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    return shutil.copytree(checkpoint, repository / "snapshots" / commit)


def test_built_in(cache: Path, sketch: Path) -> None:
    assert find_model("sketch") == installed_folder("sketch") == sketch
    with pytest.raises(CheckpointError, match="sketch: a built-in model has no revisions"):
        find_model("sketch", revision="main")


def test_a_folder_of_that_name(cache: Path, sketch: Path, checkpoint: Path) -> None:
    shutil.copytree(checkpoint, "sketch")
    assert find_model("sketch") == sketch
    assert find_model("./sketch") == Path("sketch")
    assert find_model(Path("sketch")) == Path("sketch")


def test_an_installation_without_it(cache: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_model("sketch")
    message = str(caught.value)
    assert message.startswith("sketch: this installation lacks its built-in model (looked in ")
    assert "none); install MLX Music anew, or get ACE-Step v1 with `mlx-music download`" in message
    assert installed_folder("sketch") is None


def test_a_built_in_model_that_is_incomplete(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(resources.VARIABLE, str(tmp_path))
    (tmp_path / "sketch").mkdir()
    (tmp_path / "sketch" / ABOUT_FILE).write_text("{}")
    with pytest.raises(CheckpointError, match=r"/sketch: ace_step_transformer/config\.json, "):
        find_model("sketch")


def test_installed_is_complete(cache: Path, checkpoint: Path) -> None:
    assert installed_folder(MODEL_ID) is None
    folder = install(checkpoint, cache, MODEL_ID)
    assert installed_folder(MODEL_ID) == folder
    (folder / "umt5-base" / "tokenizer.json").unlink()
    assert installed_folder(MODEL_ID) is None
    assert installed_folder(MODEL_ID, complete=False) == folder


def test_models_on_disk(
    cache: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sketch = write_sketch(checkpoint, tmp_path / "resources")
    monkeypatch.setenv(resources.VARIABLE, str(tmp_path / "resources"))
    (sketch / "recipe").mkdir()
    (sketch / "recipe" / "notes.py").write_text("no part of the model")
    folder = install(checkpoint, cache, MODEL_ID)
    tuned = install(checkpoint, cache, "somebody/tuned", commit="b" * 40)
    (tuned / ABOUT_FILE).write_text("{}")
    other = cache / "models--somebody--chat" / "snapshots" / ("c" * 40)
    other.mkdir(parents=True)
    (other / "model.safetensors").touch()

    built_in, published, last = models_on_disk()
    assert (built_in.model, built_in.path, built_in.built_in) == ("sketch", sketch, True)
    assert built_in.about is not None
    assert built_in.about.to_dict() == SKETCH
    own = sketch / ABOUT_FILE
    sizes = [path.stat().st_size for path in (own, *checkpoint.rglob("*")) if path.is_file()]
    assert built_in.nbytes == sum(sizes)
    assert (published.model, published.path, published.built_in) == (MODEL_ID, folder, False)
    assert (published.revisions, published.commit) == (("main",), "a" * 40)
    assert published.about is PUBLISHED
    assert (last.model, last.about) == ("somebody/tuned", None)
    assert "'name' is missing" in last.problem
