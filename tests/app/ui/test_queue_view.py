"""The queue's cards, over a controller whose model waits to be told."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot

from mlx_music import GenerationError
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.jobs import JobState, JobStatus
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.job_words import stage_words, state_words, time_left
from mlx_music_app.ui.queue_card import JOB_MIME
from mlx_music_app.ui.queue_view import QueueView
from tests.app.engine.fakes import FakeEngine, job


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine(steps=10)
    engine.go.clear()
    return engine


@pytest.fixture
def controller(qtbot: QtBot, tmp_path: Path, engine: FakeEngine) -> Iterator[EngineController]:
    made = EngineController(Preferences(), TakeFiles(tmp_path / "music"), opener=engine.open)
    yield made
    engine.go.set()
    assert made.shutdown(5000)
    gc.collect()


@pytest.fixture
def view(qtbot: QtBot, controller: EngineController) -> QueueView:
    view = QueueView(controller)
    qtbot.addWidget(view)
    view.resize(320, 800)
    view.show()
    qtbot.waitExposed(view)
    return view


def titles(view: QueueView) -> list[str]:
    """As they stand on the screen."""
    return [card.title.text() for card in sorted(view.cards(), key=lambda card: card.y())]


def wait_idle(qtbot: QtBot, controller: EngineController) -> None:
    qtbot.waitUntil(lambda: not controller.busy, timeout=5000)


def test_an_empty_queue_teaches(
    qtbot: QtBot, view: QueueView, controller: EngineController, engine: FakeEngine
) -> None:
    assert view.empty.isVisible()
    job_id = controller.submit(job("funk"))
    assert not view.empty.isVisible()
    controller.cancel(job_id)
    wait_idle(qtbot, controller)
    assert not view.empty.isVisible()
    qtbot.mouseClick(view._page.clear_button, Qt.MouseButton.LeftButton)
    assert view.empty.isVisible()
    assert controller.jobs() == []


def test_a_running_job_shows_how_far_it_is(
    qtbot: QtBot, view: QueueView, controller: EngineController, engine: FakeEngine
) -> None:
    job_id = controller.submit(job("slow   funk,\nbass", title="Night Bus", takes=2))
    card = view.card(job_id)
    assert card.title.text() == "Night Bus"
    assert card.prompt.text() == "slow funk, bass"
    assert card.bar.isVisible()
    assert card.picture.isVisible()
    assert not card.left.isVisible()
    engine.step_seconds = 0.03
    engine.go.set()
    qtbot.waitUntil(lambda: "Step" in card.state.text(), timeout=3000)
    assert card.state.text().startswith("Take 1 of 2 · Step ")
    assert card.state.text().endswith("of 10")
    qtbot.waitUntil(card.left.isVisible, timeout=3000)
    assert card.left.text().endswith("left")
    assert 0 < card.bar.value() < card.bar.maximum()
    qtbot.waitUntil(lambda: card.picture.picture() is not None, timeout=3000)
    wait_idle(qtbot, controller)
    assert card.state.text() == "Done · 2 takes"
    assert not card.bar.isVisible()
    assert not card.picture.isVisible()
    assert "Done" in card.accessibleName()
    assert [action.text() for action in card.menu().actions()] == ["Show takes", "Remove"]


def test_cancel_retry_and_remove_by_mouse(
    qtbot: QtBot, view: QueueView, controller: EngineController, engine: FakeEngine
) -> None:
    engine.errors = {"bad": GenerationError("the latents are not finite; try another seed")}
    engine.go.set()
    failed = controller.submit(job("bad"))
    wait_idle(qtbot, controller)
    card = view.card(failed)
    assert card.error.text() == "the latents are not finite; try another seed"
    assert card.error.isVisible()
    assert card.again.isVisible()
    engine.errors.clear()
    qtbot.mouseClick(card.again, Qt.MouseButton.LeftButton)
    with pytest.raises(KeyError):
        view.card(failed)
    (done,) = view.cards()
    wait_idle(qtbot, controller)
    assert done.status.state is JobState.DONE
    assert not done.again.isVisible()

    engine.go.clear()
    running = controller.submit(job("long"))
    assert engine.inside.wait(5)
    qtbot.mouseClick(view.card(running).close_button, Qt.MouseButton.LeftButton)
    wait_idle(qtbot, controller)
    cancelled = view.card(running)
    assert cancelled.state.text() == "Cancelled"
    assert cancelled.close_button.toolTip() == "Remove"
    qtbot.mouseClick(cancelled.close_button, Qt.MouseButton.LeftButton)
    assert view.cards() == [done]


def test_order_by_buttons_and_keys(
    qtbot: QtBot, view: QueueView, controller: EngineController
) -> None:
    ids = [controller.submit(job(name)) for name in ("one", "two", "three", "four")]
    qtbot.waitUntil(lambda: titles(view) == ["One", "Two", "Three", "Four"])
    two, three, four = (view.card(job_id) for job_id in ids[1:])
    assert not two.up.isVisible()
    assert two.down.isVisible()
    assert not four.down.isVisible()
    assert not view.card(ids[0]).down.isVisible()  # it runs
    qtbot.mouseClick(three.up, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: titles(view) == ["One", "Three", "Two", "Four"])
    two.setFocus()
    qtbot.keyClick(two, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: titles(view) == ["One", "Three", "Four", "Two"])
    assert two.hasFocus()
    qtbot.keyClick(two, Qt.Key.Key_Up)
    assert four.hasFocus()
    assert four.property("selected") is True
    qtbot.keyClick(four, Qt.Key.Key_Delete)
    assert controller.status(four.job.id).state is JobState.CANCELLED
    qtbot.keyClick(four, Qt.Key.Key_Return)
    assert [each.request.prompt for each in controller.jobs()] == ["one", "three", "two", "four"]
    assert view.cards()[3].hasFocus()


def drop(view: QueueView, job_id: str, y: int) -> None:
    data = QMimeData()
    data.setData(JOB_MIME, job_id.encode())
    event = QDropEvent(
        QPointF(50, y),
        Qt.DropAction.MoveAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    view._page.dropEvent(event)


def test_order_by_dragging(qtbot: QtBot, view: QueueView, controller: EngineController) -> None:
    ids = [controller.submit(job(name)) for name in ("one", "two", "three", "four")]
    qtbot.waitUntil(lambda: titles(view) == ["One", "Two", "Three", "Four"])
    drop(view, ids[3], view.card(ids[1]).y() + 2)
    qtbot.waitUntil(lambda: titles(view) == ["One", "Four", "Two", "Three"])
    drop(view, ids[3], 10_000)
    qtbot.waitUntil(lambda: titles(view) == ["One", "Two", "Three", "Four"])
    drop(view, ids[1], view.card(ids[2]).geometry().bottom())
    qtbot.waitUntil(lambda: titles(view) == ["One", "Three", "Two", "Four"])
    drop(view, ids[0], 10_000)  # it runs, and stays
    drop(view, "unknown", 0)
    assert titles(view) == ["One", "Three", "Two", "Four"]


def test_a_view_shows_what_was_there_before_it(
    qtbot: QtBot, controller: EngineController, engine: FakeEngine
) -> None:
    first = controller.submit(job("one"))
    controller.submit(job("two"))
    late = QueueView(controller)
    qtbot.addWidget(late)
    assert [card.title.text() for card in late.cards()] == ["One", "Two"]
    assert late.card(first).status.state is JobState.RUNNING


def test_everything_has_a_name(qtbot: QtBot, view: QueueView, controller: EngineController) -> None:
    controller.submit(job("one"))
    second = controller.submit(job("two"))
    card = view.card(second)
    assert card.accessibleName() == "Two, Waiting"
    for made in (card.takes, card.up, card.down, card.again, card.close_button):
        assert made.accessibleName().endswith(": Two")
        assert made.toolTip()
    assert [action.text() for action in card.menu().actions()] == ["Cancel"]


def test_words() -> None:
    assert time_left(2) == "A few seconds left"
    assert time_left(38) == "40 s left"
    assert time_left(58) == "1 min left"
    assert time_left(200) == "3 min left"
    assert time_left(4000) == "1 h 5 min left"
    assert time_left(7200) == "2 h left"
    running = JobStatus(JobState.RUNNING, stage="sample", step=12, total=60)
    assert stage_words(running) == "Step 12 of 60"
    assert state_words(job(), running) == "Step 12 of 60"
    decoding = JobStatus(JobState.RUNNING, stage="decode", step=1, total=4)
    assert stage_words(decoding) == "Turning it into sound, 25 %"
    assert stage_words(JobStatus(JobState.RUNNING)) == "Getting ready"
    kept = JobStatus(JobState.CANCELLED, made=2)
    assert state_words(job(takes=4), kept) == "Cancelled · 2 takes kept"
    assert state_words(job(takes=4), JobStatus(JobState.QUEUED)) == "Waiting · 4 takes"
    assert np.isfinite(running.fraction)
