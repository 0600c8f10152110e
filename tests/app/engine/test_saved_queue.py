"""What is kept of the queue, and what is found at the next start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.jobs import Job, JobState
from mlx_music_app.engine.saved_queue import (
    SavedQueue,
    job_from_dict,
    job_to_dict,
    queue_file,
    read_queue,
    write_queue,
)
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.preferences import Preferences
from tests.app.engine.fakes import FakeEngine, job
from tests.app.engine.queue_program import StopsAfter


@pytest.fixture
def saved(controller: EngineController) -> SavedQueue:
    made = SavedQueue(controller)
    made.open()
    return made


@pytest.fixture
def restarted(
    qtbot: QtBot, preferences: Preferences, files: TakeFiles, engine: FakeEngine
) -> Iterator[Callable[[], tuple[EngineController, SavedQueue]]]:
    """The app's next start."""
    made: list[EngineController] = []

    def start() -> tuple[EngineController, SavedQueue]:
        made.append(EngineController(preferences, files, opener=engine.open))
        queue = SavedQueue(made[-1])
        queue.open()
        return made[-1], queue

    yield start
    engine.go.set()
    for controller in made:
        assert controller.shutdown(5000)


def on_disk() -> list[tuple[str, int]]:
    return [(job.title, job.takes) for job in read_queue(queue_file())]


def wait_for_funk(files: TakeFiles) -> None:
    """Without an event loop: what was made is heard of only in the shutdown."""
    deadline = time.monotonic() + 5
    while not list(files.folder.glob("Funk*.wav")) and time.monotonic() < deadline:
        time.sleep(0.005)


def other_value(value: Any) -> Any:
    """One of the same type that is not the default."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"{value}😀, “ü”\n"
    if isinstance(value, int | float):
        return value + 1
    return value


def test_every_field_comes_back(tmp_path: Path) -> None:
    defaults = GenerationRequest().to_dict()
    request = GenerationRequest(
        **{name: other_value(v) for name, v in defaults.items() if isinstance(v, str | int | float)}
    ).replace(seed=7, retake_seed=2**32 - 1, lora=("rap.safetensors:0.8",), oss_steps=(1, 5))
    whole = Job(request, "org/model", "Night \udc80 Bus", 4, 12)
    plain = job("plain")
    write_queue([whole, plain], tmp_path / "q.json")
    assert read_queue(tmp_path / "q.json") == [whole, plain]
    assert set(job_to_dict(whole)) == set(Job.__dataclass_fields__)


def test_one_job_that_cannot_be_kept_does_not_cost_the_others(tmp_path: Path) -> None:
    """A half of a character in a prompt is no text: its job fails as soon as it is run."""
    write_queue([job("a"), job("\ud83d", title="B"), job("c")], tmp_path / "q.json")
    assert [job.title for job in read_queue(tmp_path / "q.json")] == ["A", "C"]


def test_no_file_is_an_empty_queue(saved: SavedQueue) -> None:
    assert saved.left == ()
    assert saved.opening_problem == ""
    assert not queue_file().exists()


def spoil(change: Callable[[dict[str, Any]], Any]) -> bytes:
    values = {"format": 1, "jobs": [job_to_dict(job("a"))]}
    change(values)
    return json.dumps(values).encode()


DAMAGED = {
    "empty": b"",
    "half": spoil(lambda v: None)[:-20],
    "not text": b"\xff\xfe\x00",
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "newer": spoil(lambda v: v.update(format=2)),
    "unknown field": spoil(lambda v: v.update(paused=True)),
    "unknown field of a job": spoil(lambda v: v["jobs"][0].update(colour="red")),
    "unknown field of a request": spoil(lambda v: v["jobs"][0]["request"].update(swing=0.5)),
    "wrong type in a request": spoil(lambda v: v["jobs"][0]["request"].update(duration="long")),
    "missing field": spoil(lambda v: v["jobs"][0].pop("model")),
    "wrong type": spoil(lambda v: v["jobs"][0].update(takes="2")),
    "true is no parent": spoil(lambda v: v["jobs"][0].update(parent=True)),
    "no takes": spoil(lambda v: v["jobs"][0].update(takes=0)),
    "no job": spoil(lambda v: v["jobs"].append(None)),
    "twice": spoil(lambda v: v["jobs"].append(v["jobs"][0])),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_file_is_put_aside(controller: EngineController, kind: str) -> None:
    file = queue_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(DAMAGED[kind])
    saved = SavedQueue(controller)
    saved.open()
    aside = file.with_name("queue-damaged.json")
    assert saved.left == ()
    assert str(aside) in saved.opening_problem
    assert aside.read_bytes() == DAMAGED[kind]
    controller.submit(job("funk"))
    assert on_disk() == [("Funk", 1)]


def test_the_spoiled_files_are_whole_otherwise() -> None:
    values = json.loads(spoil(lambda v: None))
    assert job_from_dict(values["jobs"][0]).title == "A"


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "q.json"
    before = [job("a")]
    write_queue(before, file)
    seen: list[list[Job]] = []

    def fail(source: Path, target: Path) -> None:
        seen.append(read_queue(Path(source)))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    after = [job("b"), job("c")]
    with pytest.raises(OSError, match="No space"):
        write_queue(after, file)
    assert seen == [after]
    assert read_queue(file) == before


def test_the_file_follows_the_queue(
    qtbot: QtBot, controller: EngineController, saved: SavedQueue, engine: FakeEngine
) -> None:
    engine.go.clear()
    running = controller.submit(job("running"))
    first = controller.submit(job("first", takes=2))
    second = controller.submit(job("second"))
    third = controller.submit(job("third"))
    assert on_disk() == [("Running", 1), ("First", 2), ("Second", 1), ("Third", 1)]
    assert read_queue(queue_file()) == [
        controller.job(job_id) for job_id in (running, first, second, third)
    ]
    assert all(kept.request.seed is not None for kept in read_queue(queue_file()))
    controller.move(third, 0)
    assert on_disk() == [("Running", 1), ("Third", 1), ("First", 2), ("Second", 1)]
    controller.cancel(first)
    assert on_disk() == [("Running", 1), ("Third", 1), ("Second", 1)]
    controller.remove(second)
    assert on_disk() == [("Running", 1), ("Third", 1)]
    controller.cancel(running)  # at once, though its step has not ended
    assert on_disk() == [("Third", 1)]
    engine.go.set()
    qtbot.waitUntil(lambda: controller.status(third).state is JobState.DONE)
    assert on_disk() == []
    controller.retry(first)
    assert on_disk() == [("First", 2)]


def test_a_running_job_counts_only_what_is_missing(
    qtbot: QtBot,
    controller: EngineController,
    saved: SavedQueue,
    engine: FakeEngine,
    restarted: Callable[[], tuple[EngineController, SavedQueue]],
) -> None:
    engine.made = StopsAfter(engine, 1)
    job_id = controller.submit(job("funk", takes=3, seed=10))
    qtbot.waitUntil(lambda: controller.status(job_id).made == 1)
    (kept,) = read_queue(queue_file())
    assert (kept.id, kept.takes, kept.request.seed) == (job_id, 2, 11)
    # Quitting cancels it, and it stays.
    saved.close()
    assert controller.shutdown(5000)
    assert read_queue(queue_file()) == [kept]
    engine.go.set()
    again, queue = restarted()
    assert queue.left == (kept,)
    queue.go_on()
    qtbot.waitUntil(lambda: not again.busy)
    assert [request.seed for request in engine.made] == [10, 11, 12]
    assert on_disk() == []


def test_a_take_that_ends_while_quitting_is_not_made_again(
    controller: EngineController, saved: SavedQueue, engine: FakeEngine, files: TakeFiles
) -> None:
    engine.go.clear()
    engine.made = StopsAfter(engine, 1)
    job_id = controller.submit(job("funk", takes=2, seed=3))
    controller.submit(job("soul"))
    assert engine.inside.wait(5)
    saved.close()
    engine.go.set()
    wait_for_funk(files)
    assert controller.shutdown(5000)
    first, second = read_queue(queue_file())
    assert (first.id, first.takes, first.request.seed) == (job_id, 1, 4)
    assert second.title == "Soul"


def test_the_last_take_of_a_job_ends_it_while_quitting(
    controller: EngineController, saved: SavedQueue, engine: FakeEngine, files: TakeFiles
) -> None:
    engine.go.clear()
    controller.submit(job("funk"))
    assert engine.inside.wait(5)
    saved.close()
    engine.go.set()
    wait_for_funk(files)
    assert controller.shutdown(5000)
    assert on_disk() == []


def test_nothing_starts_by_itself(
    qtbot: QtBot,
    restarted: Callable[[], tuple[EngineController, SavedQueue]],
    engine: FakeEngine,
) -> None:
    jobs = [job("a", seed=1), job("b", takes=2, seed=2), job("c", seed=4)]
    write_queue(jobs, queue_file())
    engine.go.clear()
    controller, saved = restarted()
    assert controller.jobs() == []
    assert saved.left == tuple(jobs)
    controller.submit(job("new"))
    # Undecided, they stay, also when the app is quit again.
    assert on_disk() == [("A", 1), ("B", 2), ("C", 1), ("New", 1)]
    with qtbot.waitSignal(saved.changed):
        saved.go_on()
    assert [job.title for job in controller.jobs()] == ["New", "A", "B", "C"]
    assert controller.jobs()[1:] == jobs
    assert on_disk() == [("New", 1), ("A", 1), ("B", 2), ("C", 1)]
    assert saved.left == ()


def test_what_is_forgotten_is_gone(
    qtbot: QtBot, restarted: Callable[[], tuple[EngineController, SavedQueue]]
) -> None:
    write_queue([job("a")], queue_file())
    controller, saved = restarted()
    with qtbot.waitSignal(saved.changed):
        saved.forget()
    assert controller.jobs() == []
    assert on_disk() == []
    assert restarted()[1].left == ()


def test_a_full_disk_is_told_once_and_stops_nothing(
    qtbot: QtBot,
    controller: EngineController,
    saved: SavedQueue,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    told: list[str] = []
    saved.problem.connect(told.append)
    with monkeypatch.context() as patch:
        patch.setattr("mlx_music_app.engine.saved_queue.write_queue", fail)
        job_id = controller.submit(job("a", takes=2))
        qtbot.waitUntil(lambda: controller.status(job_id).state is JobState.DONE)
    assert len(told) == 1
    assert str(queue_file()) in told[0]
    assert "No space left" in told[0]


def test_it_is_written_once_per_change(
    qtbot: QtBot, controller: EngineController, saved: SavedQueue, engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """And not for every step."""
    writes: list[int] = []
    monkeypatch.setattr(
        "mlx_music_app.engine.saved_queue.write_queue", lambda jobs, _: writes.append(len(jobs))
    )
    engine.steps, engine.step_seconds = 8, 0.02
    job_id = controller.submit(job("a"))
    qtbot.waitUntil(lambda: controller.status(job_id).state is JobState.DONE)
    assert writes == [1, 0]


def test_killed(
    tmp_path: Path,
    qtbot: QtBot,
    restarted: Callable[[], tuple[EngineController, SavedQueue]],
    engine: FakeEngine,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.app.engine.queue_program", str(tmp_path / "music")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == b"made\n"
        process.kill()
    assert len(list((tmp_path / "music").glob("*.wav"))) == 1
    controller, saved = restarted()
    assert saved.opening_problem == ""
    assert [(job.title, job.takes) for job in saved.left] == [
        ("Running", 2),
        ("First", 2),
        ("Second", 1),
    ]
    seed = saved.left[2].request.seed
    assert seed is not None
    saved.go_on()
    qtbot.waitUntil(lambda: not controller.busy)
    assert [request.seed for request in engine.made] == [6, 7, 8, 9, seed]
