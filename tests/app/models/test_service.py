"""Listing models, importing, quantizing, verifying, deleting."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mlx_music.ace_step.published import MODEL_ID, TRANSFORMER
from mlx_music.backend import dtype_of
from mlx_music_app.models import removal, space
from mlx_music_app.models.info import Kind, State
from mlx_music_app.models.service import IMPORT, ModelService
from tests.app.models.doubles import EngineDouble, ServiceMaker


def add(service: ModelService, folder: Path, qtbot: QtBot) -> str:
    with qtbot.waitSignal(service.imported):
        service.import_folder(folder)
    return str(folder)


def test_nothing_is_installed(service: ModelService) -> None:
    (model,) = service.models()
    assert (model.id, model.state, model.size) == (MODEL_ID, State.ABSENT, "8.3 GB to download")
    assert model.licence == "Apache License 2.0"
    assert service.best() == ""
    assert [(choice.value, choice.installed) for choice in service.choices()] == [(MODEL_ID, False)]


def test_the_built_in_model_comes_first(sketch: Path, make_service: ServiceMaker) -> None:
    service = make_service()
    model = service.models()[0]
    assert (model.id, model.name, model.kind, model.state) == (
        "sketch", "Sketch", Kind.BUILT_IN, State.READY,
    )  # fmt: skip
    choice, other = service.choices()
    assert (other.value, other.installed) == (MODEL_ID, False)
    assert choice.default_fields == {"duration": 10, "num_inference_steps": 4}
    assert (choice.sings, choice.max_duration, choice.installed) == (False, 30, True)
    assert service.best() == "sketch"
    service.delete("sketch")
    assert sketch.is_dir()


def test_an_imported_folder_is_used_where_it_is_and_remembered(
    service: ModelService, make_service: ServiceMaker, folder: Path, qtbot: QtBot
) -> None:
    model_id = add(service, folder, qtbot)
    for now in (service, make_service()):
        model = now.model(model_id)
        assert model is not None
        assert (model.kind, model.state, model.folder) == (Kind.LINKED, State.READY, folder)
        assert model.nbytes == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        assert model.precision == "float32"
        assert now.best() == model_id


def test_what_is_no_model_is_refused_with_the_reason(
    service: ModelService, folder: Path, qtbot: QtBot
) -> None:
    shutil.rmtree(folder / "umt5-base")
    with qtbot.waitSignal(service.failed) as caught:
        service.import_folder(folder)
    assert caught.args is not None
    assert caught.args[0] == IMPORT
    assert "umt5-base/config.json" in caught.args[1]
    assert service.error(IMPORT) == caught.args[1]
    assert service.model(str(folder)) is None


def test_a_folder_that_is_gone_shows_as_such_and_can_be_forgotten(
    service: ModelService, make_service: ServiceMaker, folder: Path, qtbot: QtBot
) -> None:
    model_id = add(service, folder, qtbot)
    folder.rename(folder.with_name("elsewhere"))
    later = make_service()
    model = later.model(model_id)
    assert model is not None
    assert model.state is State.DAMAGED
    assert "not there" in model.problem
    assert model_id not in [choice.value for choice in later.choices()]
    with qtbot.waitSignal(later.changed):
        later.delete(model_id)
    assert later.model(model_id) is None
    assert make_service().model(model_id) is None


def test_forgetting_a_folder_leaves_its_files(
    service: ModelService, folder: Path, qtbot: QtBot
) -> None:
    model_id = add(service, folder, qtbot)
    assert service.freed_by(model_id) == 0
    with qtbot.waitSignal(service.changed):
        service.delete(model_id)
    assert service.model(model_id) is None
    assert (folder / TRANSFORMER / "config.json").is_file()


def test_a_copied_import_is_independent(service: ModelService, folder: Path, qtbot: QtBot) -> None:
    with qtbot.waitSignal(service.imported) as caught:
        service.import_folder(folder, copy=True)
    assert caught.args is not None
    shutil.rmtree(folder)
    model = service.model(caught.args[0])
    assert model is not None
    assert (model.kind, model.state, model.name) == (Kind.OWN, State.READY, "My model")


def test_a_copy_that_is_stopped_leaves_nothing(
    service: ModelService, folder: Path, qtbot: QtBot
) -> None:
    service.import_folder(folder, copy=True)
    service.stop(IMPORT)
    qtbot.waitUntil(lambda: service.activity(IMPORT) is None)
    (only,) = service.models()
    assert only.id == MODEL_ID
    assert service.error(IMPORT) == ""


def test_quantizing_makes_a_smaller_model(
    service: ModelService, make_service: ServiceMaker, folder: Path, qtbot: QtBot
) -> None:
    model_id = add(service, folder, qtbot)
    shown: list[tuple[str, float, str]] = []
    service.progress.connect(lambda *values: shown.append(values))
    with qtbot.waitSignal(service.quantized, timeout=20_000) as caught:
        service.quantize(model_id, "balanced")
        activity = service.activity(model_id)
        assert activity is not None
        assert activity.what == "quantize"
    assert caught.args is not None
    for now in (service, make_service()):
        model = now.model(caught.args[0])
        assert model is not None
        assert (model.name, model.kind) == ("My model balanced", Kind.OWN)
        assert (model.precision, model.smaller) == ("4 and 8 bits", True)
        assert model.ready
    assert shown[-1][1] == 1.0
    assert service.activity(model_id) is None


def test_quantizing_can_be_stopped(service: ModelService, folder: Path, qtbot: QtBot) -> None:
    model_id = add(service, folder, qtbot)
    service.quantize(model_id, "speed")
    service.stop(model_id)
    qtbot.waitUntil(lambda: service.activity(model_id) is None, timeout=20_000)
    assert [model.kind for model in service.models()] == [Kind.HUB, Kind.LINKED]
    assert service.error(model_id) == ""


def test_no_room_for_a_smaller_copy(
    service: ModelService, folder: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_id = add(service, folder, qtbot)
    monkeypatch.setattr(space, "free_bytes", lambda path: 1000)
    service.quantize(model_id, "quality")
    assert "1.0 kB free; free some space" in service.error(model_id)
    assert service.activity(model_id) is None


def test_verifying_tells_each_file(service: ModelService, folder: Path, qtbot: QtBot) -> None:
    model_id = add(service, folder, qtbot)
    with qtbot.waitSignal(service.verified):
        service.verify(model_id)
    report = service.report(model_id)
    assert report is not None
    assert report.ok
    weights = folder / TRANSFORMER / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with qtbot.waitSignal(service.verified):
        service.verify(model_id)
    report = service.report(model_id)
    assert report is not None
    (bad,) = [file for file in report.files if not file.ok]
    assert bad.path == weights


def test_a_model_at_work_is_not_deleted(
    service: ModelService, engine: EngineDouble, folder: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(service.imported) as caught:
        service.import_folder(folder, copy=True)
    assert caught.args is not None
    model_id = caught.args[0]
    engine.live = [model_id]
    service.delete(model_id)
    assert "is making music" in service.error(model_id)
    assert Path(model_id).is_dir()


def test_an_own_model_goes_to_the_trash(
    service: ModelService,
    engine: EngineDouble,
    folder: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trashed: list[Path] = []

    def trash(path: Path) -> None:
        trashed.append(path)
        shutil.rmtree(path)

    monkeypatch.setattr(removal, "move_to_trash", trash)
    with qtbot.waitSignal(service.imported) as caught:
        service.import_folder(folder, copy=True)
    assert caught.args is not None
    model_id = caught.args[0]
    model = service.model(model_id)
    assert model is not None
    assert service.freed_by(model_id) == model.nbytes
    engine.model = model_id  # in memory, from the last song
    service.delete(model_id)
    qtbot.waitUntil(lambda: service.activity(model_id) is None)
    assert trashed == [Path(model_id)]
    assert engine.unloaded == [model_id]
    assert service.model(model_id) is None


def test_what_a_crash_left_of_a_copy_is_removed(
    make_service: ServiceMaker, app_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    left = app_home / "data" / "models" / ".mlx-music-0123456789abcdef"
    left.mkdir(parents=True)
    (left / "weights").write_bytes(b"1")
    make_service()
    assert left.is_dir()  # another app may be writing it
    for path in (left / "weights", left):
        os.utime(path, (1, 1))
    make_service()
    assert not left.exists()


def test_memory_is_measured(service: ModelService, folder: Path, qtbot: QtBot) -> None:
    model_id = add(service, folder, qtbot)
    assert service.memory_need(model_id) is None
    service.measure()
    qtbot.waitUntil(lambda: service.memory_need(model_id) is not None, timeout=10_000)
    need = service.memory_need(model_id)
    published = service.memory_need(MODEL_ID)
    assert need is not None
    assert published is not None
    assert need.fits
    assert 0 < need.least <= need.comfortable < published.least < published.comfortable
    assert 2.6e9 * dtype_of(None).size < published.least < 3.5e9 * dtype_of(None).size
    assert "this machine has" in need.text


def test_a_damaged_list_of_folders_is_kept_aside(
    make_service: ServiceMaker, app_home: Path, folder: Path, qtbot: QtBot
) -> None:
    file = app_home / "data" / "models.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{not json")
    service = make_service()
    assert file.with_name("models.json.damaged").read_text() == "{not json"
    add(service, folder, qtbot)
    assert json.loads(file.read_text())["folders"] == [str(folder)]


def test_a_list_that_cannot_be_kept_is_told_and_used(
    service: ModelService, folder: Path, qtbot: QtBot, app_home: Path
) -> None:
    """A disk that is full, or a folder that is not ours."""
    (app_home / "data" / "models.json").mkdir(parents=True)
    with qtbot.waitSignal(service.failed) as failed:
        model_id = add(service, folder, qtbot)
    assert "cannot be kept" in failed.args[1]
    assert service.model(model_id) is not None
