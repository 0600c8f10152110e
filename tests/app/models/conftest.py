from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mlx_music.ace_step import finding
from mlx_music.ace_step.published import MODEL_ID
from mlx_music_app.background import Background
from mlx_music_app.models import catalogue
from mlx_music_app.models.service import ModelService
from mlx_music_app.preferences import Preferences
from tests.app.models.doubles import EngineDouble, ServiceMaker
from tests.engine.weights.conftest import client, hub  # noqa: F401
from tests.engine.weights.fake_hub import FakeHub, Repo


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model of this machine is seen, none is built in, and the lyric vocabulary is there."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("MLX_MUSIC_RESOURCES", str(tmp_path / "resources"))
    vocabulary = tmp_path / "vocab.json"
    vocabulary.write_text("{}")
    monkeypatch.setenv("MLX_MUSIC_LYRIC_VOCAB", str(vocabulary))


@pytest.fixture
def engine(qapp: object) -> Iterator[EngineDouble]:
    engine = EngineDouble()
    yield engine
    engine.shutdown()


@pytest.fixture
def preferences(qapp: object, app_home: Path) -> Preferences:
    return Preferences()


@pytest.fixture
def background(qapp: object) -> Iterator[Background]:
    background = Background()
    yield background
    assert background.wait()


@pytest.fixture
def make_service(
    qtbot: QtBot, engine: EngineDouble, background: Background, preferences: Preferences
) -> Iterator[ServiceMaker]:
    """Makes a service, as a start of the app does; each is ended like the app."""
    made: list[ModelService] = []

    def make() -> ModelService:
        service = ModelService(engine, background, preferences)
        made.append(service)
        return service

    yield make
    for service in made:
        assert service.shutdown()
    background.wait()
    qtbot.wait(1)  # what was still on its way to the main thread


@pytest.fixture
def service(make_service: ServiceMaker) -> ModelService:
    return make_service()


@pytest.fixture
def published(hub: FakeHub, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Repo:  # noqa: F811
    """The published model on a hub of this machine, small; a transfer takes several steps."""
    from mlx_music.weights import download

    files = {
        path.relative_to(checkpoint).as_posix(): path.read_bytes()
        for path in checkpoint.rglob("*")
        if path.is_file()
    }
    monkeypatch.setattr(catalogue, "MODEL_BYTES", sum(map(len, files.values())))
    monkeypatch.setattr(download, "_CHUNK_BYTES", 50_000)
    return hub.add(MODEL_ID, files)


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A whole model in a folder of the person's."""
    return Path(shutil.copytree(checkpoint, tmp_path / "My model"))


@pytest.fixture
def sketch(checkpoint: Path, tmp_path: Path) -> Path:
    """A model that comes with the app."""
    target = tmp_path / "resources" / "sketch"
    shutil.copytree(checkpoint, target)
    about = {
        "name": "Sketch",
        "licence": "MIT License",
        "max_duration": 30,
        "sings": False,
        "erg": False,
        "defaults": {"duration": 10, "num_inference_steps": 4},
    }
    (target / finding.ABOUT_FILE).write_text(json.dumps(about))
    return target
