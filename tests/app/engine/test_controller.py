"""The queue as the windows see it, over a model that makes silence."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from mlx_music import AudioError, Cancelled, CheckpointError, GenerationError
from mlx_music.metadata import read_description
from mlx_music_app import paths
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.jobs import JobState, MadeTake
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.preferences import Preferences
from tests.app.engine.fakes import FakeEngine, job


def states(controller: EngineController) -> list[str]:
    return [controller.status(each.id).state.value for each in controller.jobs()]


def wait_idle(qtbot: QtBot, controller: EngineController) -> None:
    qtbot.waitUntil(lambda: not controller.busy, timeout=5000)


def test_a_job_makes_files_that_are_whole(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    made: list[MadeTake] = []
    present: list[bool] = []

    def note(take: MadeTake) -> None:
        made.append(take)
        present.append(take.path.is_file())
        assert threading.current_thread() is threading.main_thread()

    controller.takeMade.connect(note)
    with qtbot.waitSignal(controller.idle):
        job_id = controller.submit(job(title="Night Bus", takes=3, seed=7))
    assert present == [True] * 3
    assert [take.request.seed for take in made] == [7, 8, 9]
    assert len({take.path for take in made}) == 3
    for take in made:
        description = read_description(take.path)
        assert description.request == take.request
        assert take.job.id == job_id
        assert take.notes == ("a note",)
        assert take.duration == 1.0
    status = controller.status(job_id)
    assert (status.state, status.made, status.fraction) == (JobState.DONE, 3, 1.0)
    assert engine.opened == [("fake", None)]
    assert threading.get_ident() not in engine.threads
    assert len(engine.threads) == 1


def test_seeds_are_fixed_when_a_job_is_queued(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    controller.submit(job(takes=2))
    wait_idle(qtbot, controller)
    first = controller.jobs()[0]
    assert first.request.seed is not None
    controller.retry(first.id)
    wait_idle(qtbot, controller)
    seeds = [request.seed for request in engine.made]
    assert seeds[:2] == seeds[2:] == [first.request.seed, seeds[1]]
    assert states(controller) == ["done"]


def test_jobs_wait_in_line_and_can_be_moved(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    engine.go.clear()
    ids = [controller.submit(job(name)) for name in ("one", "two", "three", "four")]
    assert states(controller) == ["running", "queued", "queued", "queued"]
    with qtbot.waitSignal(controller.orderChanged):
        controller.move(ids[3], 0)
    with qtbot.assertNotEmitted(controller.orderChanged):
        controller.move(ids[3], 0)
        controller.move(ids[0], 2)  # it runs
    controller.move(ids[1], 99)
    assert [each.id for each in controller.jobs()] == [ids[0], ids[3], ids[2], ids[1]]
    assert controller.running() == controller.job(ids[0])
    engine.go.set()
    wait_idle(qtbot, controller)
    assert [request.prompt for request in engine.made] == ["one", "four", "three", "two"]
    # Finished, newest first.
    assert [each.request.prompt for each in controller.jobs()] == ["two", "three", "four", "one"]
    controller.clear_finished()
    assert controller.jobs() == []


def test_cancel_ends_a_running_job_within_a_step(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine, files: TakeFiles
) -> None:
    engine.go.clear()
    first, second = controller.submit(job("one")), controller.submit(job("two"))
    assert engine.inside.wait(5)
    controller.cancel(first)
    qtbot.waitUntil(lambda: controller.status(first).state is JobState.CANCELLED, timeout=2000)
    assert controller.status(second).state is JobState.RUNNING
    engine.go.set()
    wait_idle(qtbot, controller)
    assert states(controller) == ["done", "cancelled"]
    assert len(list(files.folder.iterdir())) == 1
    # The model has stayed.
    assert engine.opened == [("fake", None)]


def test_cancel_and_remove_while_waiting(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    engine.go.clear()
    running, second, third = (controller.submit(job(name)) for name in ("a", "b", "c"))
    controller.cancel(second)
    assert controller.status(second).state is JobState.CANCELLED
    with qtbot.waitSignal(controller.jobRemoved) as removed:
        controller.remove(third)
    assert removed.args == [third]
    with qtbot.waitSignal(controller.jobRemoved, timeout=3000) as removed:
        controller.remove(running)
    assert removed.args == [running]
    assert [each.id for each in controller.jobs()] == [second]
    with pytest.raises(KeyError):
        controller.status(running)
    assert engine.made == []


def test_a_failure_is_told_and_the_next_job_runs(
    qtbot: QtBot,
    controller: EngineController,
    engine: FakeEngine,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine.errors = {
        "bad": GenerationError("the latents are not finite; try a lower guidance_scale"),
        "worse": ZeroDivisionError("secret"),
        "huge": RuntimeError("[metal::malloc] Attempting to allocate 99999 bytes"),
    }
    with caplog.at_level(logging.INFO), qtbot.waitSignal(controller.idle, timeout=5000):
        ids = [controller.submit(job(name)) for name in ("bad", "worse", "huge", "good")]
    bad, worse, huge, good = (controller.status(job_id) for job_id in ids)
    assert bad.state is worse.state is JobState.FAILED
    assert bad.error == "the latents are not finite; try a lower guidance_scale"
    assert str(paths.log_folder()) in worse.error
    assert "\n" not in worse.error
    assert "memory" in huge.error
    assert "ZeroDivisionError" in caplog.text
    assert "Traceback" in caplog.text
    assert good.state is JobState.DONE


def test_requests_and_models_that_are_no_good_fail_readably(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    wrong = controller.submit(job(" "))
    wait_idle(qtbot, controller)
    assert controller.status(wrong).error.startswith("prompt: is empty")
    assert engine.opened == []  # no model is loaded for that
    retake = controller.submit(job("x", task="retake"))
    wait_idle(qtbot, controller)
    assert controller.status(retake).error.startswith("seed: is missing")
    engine.open_error = CheckpointError("fake: is damaged; get it again")
    broken = controller.submit(job("x"))
    wait_idle(qtbot, controller)
    assert controller.status(broken).error == "fake: is damaged; get it again"
    engine.open_error = None
    again = controller.retry(broken)
    wait_idle(qtbot, controller)
    assert controller.status(again).state is JobState.DONE
    with pytest.raises(KeyError):
        controller.status(broken)


def test_retry_makes_what_is_missing(
    qtbot: QtBot,
    controller: EngineController,
    engine: FakeEngine,
    files: TakeFiles,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save = files.save

    def full_disk(output: Any, title: str, **rest: Any) -> Any:
        if output.request.seed == 12:
            raise AudioError("disk: is full; free some space")
        return save(output, title, **rest)

    monkeypatch.setattr(files, "save", full_disk)
    job_id = controller.submit(job(takes=4, seed=10))
    wait_idle(qtbot, controller)
    status = controller.status(job_id)
    assert (status.state, status.made) == (JobState.FAILED, 2)
    assert status.error == "disk: is full; free some space"
    monkeypatch.setattr(files, "save", save)
    engine.made.clear()
    again = controller.retry(job_id)
    wait_idle(qtbot, controller)
    assert [request.seed for request in engine.made] == [12, 13]
    assert controller.status(again).made == 2


def test_nothing_is_made_that_could_not_be_kept(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine, files: TakeFiles, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    files.folder = tmp_path / "file" / "music"  # as on a disk that is not there
    lost = controller.submit(job())
    qtbot.waitUntil(lambda: controller.status(lost).state is JobState.FAILED)
    assert "cannot be written" in controller.status(lost).error
    assert engine.opened == []
    assert engine.made == []


def test_nothing_is_made_that_the_disk_has_no_room_for(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room for three takes of a second, 24 bits and two channels, at 48 kHz."""
    usage = shutil.disk_usage("/")._replace(free=3 * 48_000 * 2 * 3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    many, few = controller.submit(job(takes=4)), controller.submit(job(takes=3))
    wait_idle(qtbot, controller)
    assert "0.9 MB left, and this takes about 1.2 MB" in controller.status(many).error
    assert controller.status(few).made == 3
    assert len(engine.made) == 3


def test_the_model_stays_until_another_is_needed(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine, preferences: Preferences
) -> None:
    loaded: list[str] = []
    controller.modelChanged.connect(loaded.append)
    for model in ("a", "a", "b"):
        controller.submit(job(model=model))
    wait_idle(qtbot, controller)
    assert engine.opened == [("a", None), ("b", None)]
    assert loaded == ["a", "", "b"]
    assert controller.model == "b"
    preferences.set("memory_limit", 8.0)
    controller.submit(job(model="b"))
    wait_idle(qtbot, controller)
    assert engine.opened[-1] == ("b", 8.0)


class Calls:
    """Who asks for work on the engine's thread."""

    def __init__(self) -> None:
        self.results: list[Any] = []
        self.errors: list[Exception] = []
        self.events: list[Any] = []
        self.threads: set[int] = set()

    def done(self, result: Any) -> None:
        self.threads.add(threading.get_ident())
        self.results.append(result)

    def failed(self, error: Exception) -> None:
        self.threads.add(threading.get_ident())
        self.errors.append(error)

    def event(self, event: Any) -> None:
        self.threads.add(threading.get_ident())
        self.events.append(event)


def test_other_work_waits_in_the_same_line(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    calls, order = Calls(), []

    def work(progress: Any) -> int:
        order.append(len(engine.made))
        progress.start("quantize", 2)
        progress.step(2)
        assert threading.get_ident() in engine.threads
        return 42

    def broken(progress: Any) -> None:
        raise CheckpointError("no")

    engine.go.clear()
    controller.submit(job("one"))
    controller.run_on_engine(work, calls.done, calls.failed, calls.event, unload=True)
    controller.run_on_engine(broken, calls.done, calls.failed)
    cancelled = controller.run_on_engine(work, calls.done, calls.failed)
    controller.submit(job("two"))
    cancelled.cancel()
    engine.go.set()
    wait_idle(qtbot, controller)
    assert order == [1]
    assert calls.results == [42]
    assert [type(error) for error in calls.errors] == [CheckpointError, Cancelled]
    assert (calls.events[-1].stage, calls.events[-1].step) == ("quantize", 2)
    assert calls.threads == {threading.get_ident()}
    # The model was let go for it and opened again.
    assert [name for name, _ in engine.opened] == ["fake", "fake"]


def test_reports_are_few_and_the_bar_never_goes_back(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    engine.steps, engine.step_seconds = 400, 0.001
    fractions: list[float] = []
    reports: list[int] = []

    def note(_: str) -> None:
        if controller.running() is not None:
            fractions.append(controller.fraction)
            reports.append(controller.status(controller.running().id).step)  # type: ignore[union-attr]

    controller.jobChanged.connect(note)
    started = time.monotonic()
    with qtbot.waitSignal(controller.idle, timeout=10_000):
        job_id = controller.submit(job(takes=2))
    seconds = time.monotonic() - started
    assert fractions == sorted(fractions)
    assert max(fractions) <= 1.0
    # 800 steps: 20 reports a second, and those of a start, of two takes and of the end.
    assert 5 < len(reports) < 20 * seconds + 5
    assert controller.status(job_id).made == 2
    assert controller.fraction == -1.0


def test_pictures_arrive(qtbot: QtBot, controller: EngineController, engine: FakeEngine) -> None:
    engine.go.clear()
    job_id = controller.submit(job())
    assert controller.picture(job_id) is None
    with qtbot.waitSignal(controller.pictureChanged, timeout=3000):
        engine.go.set()
    wait_idle(qtbot, controller)
    picture = controller.picture(job_id)
    assert picture.shape == (128, 50)
    assert (picture == 60).all()  # the last one, however fast they came


def test_busy_idle_and_fraction(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    busy: list[bool] = []
    idle: list[int] = []
    controller.busyChanged.connect(busy.append)
    controller.idle.connect(lambda: idle.append(1))
    engine.go.clear()
    first = controller.submit(job("a"))
    controller.submit(job("b"))
    assert controller.fraction >= 0.0
    controller.cancel(first)
    engine.go.set()
    wait_idle(qtbot, controller)
    assert busy[0] is True
    assert busy[-1] is False
    assert busy.count(False) == 1
    assert idle == [1]
    assert controller.fraction == -1.0


def test_shutdown_in_a_run_is_clean(
    qtbot: QtBot, preferences: Preferences, files: TakeFiles, engine: FakeEngine
) -> None:
    controller = EngineController(preferences, files, opener=engine.open)
    engine.go.clear()
    controller.submit(job("one", takes=3))
    queued = controller.submit(job("two"))
    assert engine.inside.wait(5)
    assert controller.shutdown(5000)
    assert controller.status(queued).state is JobState.CANCELLED
    assert not controller.busy
    assert not files.folder.exists() or not list(files.folder.iterdir())
    with pytest.raises(RuntimeError):
        controller.submit(job("three"))
    assert controller.shutdown()


def test_a_take_that_was_finished_at_the_end_is_told_of(
    qtbot: QtBot, preferences: Preferences, files: TakeFiles, engine: FakeEngine
) -> None:
    controller = EngineController(preferences, files, opener=engine.open)
    made: list[MadeTake] = []
    controller.takeMade.connect(made.append)
    controller.submit(job("one"))
    for _ in range(500):  # without an event loop: nothing is delivered yet
        if engine.made and list(files.folder.glob("*.wav")):
            break
        threading.Event().wait(0.01)
    assert made == []
    assert controller.shutdown(5000)
    assert [take.path.is_file() for take in made] == [True]
