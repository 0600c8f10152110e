"""Downloading: pausing, going on, quitting in between, damage, discarding, no network."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import constants
from pytestqt.qtbot import QtBot

from mlx_music.ace_step import vocabulary
from mlx_music.ace_step.published import MODEL_ID, TRANSFORMER
from mlx_music.errors import LyricsError
from mlx_music_app.models import space
from mlx_music_app.models.info import State
from mlx_music_app.models.service import IMPORT, ModelService
from tests.app.models.doubles import ServiceMaker
from tests.engine.weights.fake_hub import FakeHub, Repo

WEIGHTS = f"{TRANSFORMER}/diffusion_pytorch_model.safetensors"
DONE = {"timeout": 20_000}


def installed(service: ModelService, model_id: str = MODEL_ID) -> dict[str, bytes]:
    model = service.model(model_id)
    assert model is not None
    assert model.state is State.READY
    assert model.folder is not None
    files = (path for path in model.folder.rglob("*") if path.is_file())
    return {path.relative_to(model.folder).as_posix(): path.read_bytes() for path in files}


def state(service: ModelService, model_id: str = MODEL_ID) -> State:
    model = service.model(model_id)
    assert model is not None
    return model.state


def partials() -> list[Path]:
    return list(Path(constants.HF_HUB_CACHE).rglob("*.partial"))


def pause_half_way(service: ModelService, qtbot: QtBot) -> None:
    """Download, and pause when more than half is there."""

    def watch(model_id: str, fraction: float, text: str) -> None:
        if fraction > 0.5:
            service.pause(model_id)

    service.progress.connect(watch)
    service.download(MODEL_ID)
    qtbot.waitUntil(lambda: service.activity(MODEL_ID) is None, timeout=20_000)
    service.progress.disconnect(watch)


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is reported at each step, not ten times a second, and steps take their time."""
    from mlx_music.weights import download
    from mlx_music_app.models import tasks

    monkeypatch.setattr(tasks, "_REPORT_SECONDS", 0.0)
    add = download._Tally.add

    def slowly(self: download._Tally, size: int) -> None:
        time.sleep(0.003)
        add(self, size)

    monkeypatch.setattr(download._Tally, "add", slowly)


def test_download(published: Repo, service: ModelService, qtbot: QtBot) -> None:
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.download(MODEL_ID)
    files = installed(service)
    assert files == {name: published.files[name] for name in files}
    assert service.best() == MODEL_ID
    assert service.activity(MODEL_ID) is None


def test_nothing_is_asked_of_the_hub_unasked(
    published: Repo, hub: FakeHub, service: ModelService, qtbot: QtBot
) -> None:
    service.measure()
    service.refresh()
    service.space_problem(MODEL_ID)
    qtbot.waitUntil(lambda: service.memory_need(MODEL_ID) is not None, timeout=10_000)
    assert hub.requests == []


@pytest.mark.usefixtures("every_step")
def test_pause_quit_start_again_and_go_on(
    published: Repo,
    hub: FakeHub,
    service: ModelService,
    make_service: ServiceMaker,
    qtbot: QtBot,
) -> None:
    pause_half_way(service, qtbot)
    assert partials()
    assert service.shutdown()
    later = make_service()
    model = later.model(MODEL_ID)
    assert model is not None
    assert model.state is State.PARTIAL
    assert 0.3 < model.fraction < 1.0
    hub.requests.clear()
    with qtbot.waitSignal(later.downloaded, **DONE):
        later.resume(MODEL_ID)
    files = installed(later)
    assert files == {name: published.files[name] for name in files}
    assert any(request.range for request in hub.transfers())
    assert not partials()


@pytest.mark.usefixtures("every_step")
def test_going_on_while_it_is_still_pausing(
    published: Repo, service: ModelService, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.download(MODEL_ID)
        service.pause(MODEL_ID)
        activity = service.activity(MODEL_ID)
        assert activity is not None
        assert activity.ending
        service.resume(MODEL_ID)
    assert state(service) is State.READY


@pytest.mark.usefixtures("every_step")
def test_discarding_an_unfinished_download(
    published: Repo, service: ModelService, qtbot: QtBot
) -> None:
    pause_half_way(service, qtbot)
    assert service.freed_by(MODEL_ID) > 0
    service.cancel(MODEL_ID, discard=True)
    qtbot.waitUntil(lambda: state(service) is State.ABSENT, timeout=5000)
    assert not list(Path(constants.HF_HUB_CACHE).rglob("blobs/*"))


@pytest.mark.usefixtures("every_step")
def test_discarding_while_it_runs(published: Repo, service: ModelService, qtbot: QtBot) -> None:
    service.download(MODEL_ID)
    with qtbot.waitSignal(service.progress):
        pass
    service.cancel(MODEL_ID, discard=True)
    qtbot.waitUntil(lambda: service.activity(MODEL_ID) is None, timeout=5000)
    assert state(service) is State.ABSENT
    assert service.error(MODEL_ID) == ""


def test_damage_is_found_and_repaired(
    published: Repo, hub: FakeHub, service: ModelService, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.download(MODEL_ID)
    model = service.model(MODEL_ID)
    assert model is not None
    assert model.folder is not None
    blob = (model.folder / WEIGHTS).resolve()
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    with qtbot.waitSignal(service.verified, **DONE):
        service.verify(MODEL_ID)
    report = service.report(MODEL_ID)
    assert report is not None
    assert [file.name for file in report.files if not file.ok] == [WEIGHTS]
    hub.requests.clear()
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.repair(MODEL_ID)
    assert installed(service)[WEIGHTS] == published.files[WEIGHTS]
    assert {Path(request.path).name for request in hub.transfers()} == {Path(WEIGHTS).name}
    assert service.report(MODEL_ID) is None


def test_a_file_that_is_cut_short_is_seen_and_repaired_without_a_check(
    published: Repo, service: ModelService, make_service: ServiceMaker, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.download(MODEL_ID)
    model = service.model(MODEL_ID)
    assert model is not None
    assert model.folder is not None
    blob = (model.folder / WEIGHTS).resolve()
    blob.write_bytes(blob.read_bytes()[:-100])
    later = make_service()
    assert state(later) is State.DAMAGED
    with qtbot.waitSignal(later.downloaded, **DONE):
        later.repair(MODEL_ID)
    assert installed(later)[WEIGHTS] == published.files[WEIGHTS]


def test_deleting_frees_what_it_said(
    published: Repo, service: ModelService, make_service: ServiceMaker, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.download(MODEL_ID)
    size = sum(map(len, installed(service).values()))
    assert 0 <= service.freed_by(MODEL_ID) - size < 100  # and the names of branches
    service.delete(MODEL_ID)
    qtbot.waitUntil(lambda: service.activity(MODEL_ID) is None)
    assert state(service) is State.ABSENT
    assert state(make_service()) is State.ABSENT
    assert not list(Path(constants.HF_HUB_CACHE).glob("models--*"))


def test_no_room_is_said_before_the_first_byte(
    published: Repo, hub: FakeHub, service: ModelService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda folder: 5_000)
    service.download(MODEL_ID)
    assert "5.0 kB free; free some space" in service.error(MODEL_ID)
    assert service.activity(MODEL_ID) is None
    assert hub.requests == []


def test_offline_is_said_in_the_engines_words(
    published: Repo, service: ModelService, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with qtbot.waitSignal(service.failed, **DONE) as caught:
        service.download(MODEL_ID)
    assert caught.args is not None
    assert caught.args[0] == MODEL_ID
    assert "offline mode is on" in caught.args[1]
    assert service.error(MODEL_ID) == caught.args[1]
    service.dismiss(MODEL_ID)
    assert service.error(MODEL_ID) == ""


def test_a_missing_vocabulary_is_told_and_got(
    published: Repo, make_service: ServiceMaker, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = False

    def find_vocabulary(*, download: bool = True) -> Path:
        nonlocal there
        if not (there or download):
            raise LyricsError("the lyric vocabulary is not downloaded")
        there = True
        return Path("vocab.json")

    monkeypatch.setattr(vocabulary, "find_vocabulary", find_vocabulary)
    service = make_service()
    assert "not downloaded" in service.vocabulary_problem
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.download(MODEL_ID)
    assert service.vocabulary_problem == ""


def test_another_repository_by_its_id(
    published: Repo,
    hub: FakeHub,
    service: ModelService,
    make_service: ServiceMaker,
    qtbot: QtBot,
) -> None:
    hub.add("someone/Their-Model", dict(published.files), commit="b" * 40)
    with qtbot.waitSignal(service.downloaded, **DONE):
        hub_id = service.add_hub_id(" https://huggingface.co/someone/Their-Model/tree/main ")
    assert hub_id == "someone/Their-Model"
    for now in (service, make_service()):
        assert state(now, hub_id) is State.READY
    service.delete(hub_id)
    qtbot.waitUntil(lambda: service.model(hub_id) is None)
    assert make_service().model(hub_id) is None


def test_a_repository_of_something_else(hub: FakeHub, service: ModelService, qtbot: QtBot) -> None:
    hub.add("someone/Other", {"config.json": b"{}"})
    with qtbot.waitSignal(service.failed, **DONE):
        service.add_hub_id("someone/Other")
    assert "another kind of model" in service.error("someone/Other")
    assert state(service, "someone/Other") is State.ABSENT


@pytest.mark.parametrize(
    "text", ["", "name", "a/b c", "/Users/me/model", "Users/me/model", "../x", "~/y"]
)
def test_what_is_no_id_asks_nobody(
    text: str, hub: FakeHub, service: ModelService, qtbot: QtBot
) -> None:
    assert service.add_hub_id(text) == ""
    assert "org/name" in service.error(IMPORT)
    assert hub.requests == []


SCRIPT = """
import time

from PySide6.QtCore import QCoreApplication
from mlx_music.ace_step.published import MODEL_ID
from mlx_music.weights import download
from mlx_music_app.background import Background
from mlx_music_app.models.service import ModelService
from mlx_music_app.preferences import Preferences

download._CHUNK_BYTES = 50_000
app = QCoreApplication([])
service = ModelService(None, Background(), Preferences())

def show(model_id, fraction, text):
    print(fraction, flush=True)

add = download._Tally.add
def slowly(self, size):
    time.sleep(0.02)
    add(self, size)
download._Tally.add = slowly
service.progress.connect(show)
service.failed.connect(lambda model_id, line: print(line, flush=True))
service.download(MODEL_ID)
app.exec()
"""


def test_killed_in_the_middle_of_a_download(
    published: Repo, hub: FakeHub, make_service: ServiceMaker, app_home: Path, qtbot: QtBot
) -> None:
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_CACHE": constants.HF_HUB_CACHE,
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "*",
    }
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if float(line) > 0.3:
                process.send_signal(signal.SIGKILL)
                break
    service = make_service()
    model = service.model(MODEL_ID)
    assert model is not None
    assert model.state is State.PARTIAL
    assert 0.2 < model.fraction < 1.0
    with qtbot.waitSignal(service.downloaded, **DONE):
        service.resume(MODEL_ID)
    files = installed(service)
    assert files == {name: published.files[name] for name in files}
    with qtbot.waitSignal(service.verified, **DONE):
        service.verify(MODEL_ID)
    report = service.report(MODEL_ID)
    assert report is not None
    assert report.ok


def test_quitting_does_not_wait_for_a_hub_that_does_not_answer(
    published: Repo, hub: FakeHub, service: ModelService, qtbot: QtBot
) -> None:
    hub.silent = True
    service.download(MODEL_ID)
    qtbot.waitUntil(lambda: bool(hub.requests))
    begun = time.monotonic()
    assert not service.shutdown(0.2)
    assert time.monotonic() - begun < 1.0
    hub.released.set()
    qtbot.waitUntil(lambda: service.activity(MODEL_ID) is None, timeout=20_000)
