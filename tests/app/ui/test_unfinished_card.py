"""What the last run left, in the window."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from mlx_music_app.application import Session
from mlx_music_app.engine.saved_queue import queue_file, read_queue, write_queue
from mlx_music_app.ui.main_window import MainWindow
from tests.app.engine.fakes import FakeEngine, job


@pytest.fixture
def window(open_session: Callable[[], Session], fake_engine: FakeEngine) -> MainWindow:
    """Started after three jobs were left."""
    fake_engine.go.clear()
    write_queue([job("a", title="Night Bus"), job("b", takes=2), job("c")], queue_file())
    made = open_session().window
    assert made is not None
    return made


def status(window: MainWindow) -> str:
    return window.sidebar._status.accessibleName()


def test_nothing_is_said_if_nothing_was_left(open_session: Callable[[], Session]) -> None:
    window = open_session().window
    assert window is not None
    window.open_queue()
    assert window.unfinished.isHidden()
    assert status(window).startswith("Queue: Ready")


def test_the_card_and_the_status_line(window: MainWindow) -> None:
    assert not window.queue_is_open
    assert status(window).startswith("Queue: 3 jobs unfinished")
    window.open_queue()
    card = window.unfinished
    assert card.isVisible()
    assert card.words == "3 jobs were not finished"
    assert card.accessibleName() == "3 jobs were not finished"
    assert card.accessibleDescription() == "Night Bus, B, C"
    assert card.y() < window.queue.y()
    assert status(window).startswith("Queue: Ready")
    window.toggle_queue()
    assert status(window).startswith("Queue: 3 jobs unfinished")
    assert window.parts.controller.jobs() == []


def test_a_long_title_stays_within_the_card(open_session: Callable[[], Session]) -> None:
    title = "Donaudampfschifffahrtsgesellschaftskapitänsmützenschirm" * 2
    write_queue([job("a", title=title)], queue_file())
    window = open_session().window
    assert window is not None
    window.open_queue()
    card = window.unfinished
    assert card.minimumSizeHint().width() < 250
    assert card.accessibleDescription() == title


def test_the_buttons_have_names_and_take_keys(window: MainWindow, qtbot: QtBot) -> None:
    window.open_queue()
    card = window.unfinished
    assert [b.text() for b in card.findChildren(QAbstractButton)] == ["Go on", "Forget"]
    assert card.go_on.accessibleName() == "Go on with 3 unfinished jobs"
    assert card.forget.accessibleName() == "Forget 3 unfinished jobs"
    for button in (card.go_on, card.forget):
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
    window.activateWindow()
    card.go_on.setFocus()
    qtbot.keyClick(card.go_on, Qt.Key.Key_Tab)
    assert window.focusWidget() is card.forget


def test_go_on(window: MainWindow, qtbot: QtBot) -> None:
    window.open_queue()
    qtbot.keyClick(window.unfinished.go_on, Qt.Key.Key_Space)
    assert window.unfinished.isHidden()
    assert [card.title.text() for card in window.queue.cards()] == ["Night Bus", "B", "C"]
    assert window.parts.unfinished_jobs() == 3
    assert len(read_queue(queue_file())) == 3


def test_forget(window: MainWindow, open_session: Callable[[], Session], qtbot: QtBot) -> None:
    window.open_queue()
    qtbot.keyClick(window.unfinished.forget, Qt.Key.Key_Space)
    assert window.unfinished.isHidden()
    assert window.parts.controller.jobs() == []
    again = open_session().window
    assert again is not None
    assert again.unfinished.isHidden()


def test_quitting_keeps_them_and_what_was_being_made(
    window: MainWindow, open_session: Callable[[], Session]
) -> None:
    window.compose.generateRequested.emit(job("new"))
    assert window.parts.close()  # while it runs
    again = open_session().window
    assert again is not None
    assert [job.title for job in again.parts.saved_queue.left] == ["Night Bus", "B", "C", "New"]
    assert again.unfinished.words == "4 jobs were not finished"
    assert again.unfinished.accessibleDescription() == "Night Bus, B, C, 1 more"


def test_a_damaged_queue_is_told(open_session: Callable[[], Session]) -> None:
    queue_file().parent.mkdir(parents=True)
    queue_file().write_text("{")
    window = open_session().window
    assert window is not None
    assert "queue-damaged.json" in window.notice.text
    assert window.unfinished.isHidden()
