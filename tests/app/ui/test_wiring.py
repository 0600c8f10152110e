"""What the parts of the window make of each other's news."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music_app.application import Session
from mlx_music_app.engine.jobs import Job
from mlx_music_app.ui.main_window import MainWindow
from tests.app.engine.fakes import FakeEngine
from tests.app.making import add_take


def make(window: MainWindow, qtbot: QtBot, title: str = "Evening", takes: int = 1) -> Job:
    request = GenerationRequest(prompt="piano", duration=1.0, seed=3)
    job = Job(request=request, model="sketch", title=title, takes=takes)
    window.parts.controller.submit(job)
    qtbot.waitUntil(lambda: not window.is_busy, timeout=5000)
    return job


def test_a_paused_listener_keeps_the_place(window: MainWindow, qtbot: QtBot) -> None:
    first = add_take(window.parts.library, "First")
    player, playback = window.parts.player, window.takes.playback
    window.takes.play(first.id)
    player.tick(0.4)
    player.pause()
    make(window, qtbot)
    assert playback.take == first
    assert player.position == 0.4
    player.tick(player.duration, playing=False)
    make(window, qtbot, "Next")
    assert playback.take.title == "Next"


def test_play_has_something_to_play_after_a_start(open_session: Callable[[], Session]) -> None:
    window = open_session().window
    transport = window.transport
    assert not transport.play.isEnabled()
    assert transport.title.text() == "Nothing to play yet"
    take = add_take(window.parts.library, "Song")
    window.takes.model.flush()
    again = open_session().window
    assert again.transport.play.isEnabled()
    assert again.transport.title.text() == "Nothing is playing"
    again.transport.play.click()
    assert again.is_playing
    assert again.takes.playback.take.id == take.id


def test_a_renamed_take_is_called_so_where_it_plays(window: MainWindow) -> None:
    take = add_take(window.parts.library, "Song")
    window.takes.play(take.id)
    window.parts.library.rename(take.id, "Ballad")
    assert window.transport.title.text() == "Ballad"


def test_a_search_outlives_what_is_made(window: MainWindow, qtbot: QtBot) -> None:
    add_take(window.parts.library, "Song", prompt="techno")
    window.show_place("takes")
    window.takes.filter.search.setText("nothing like it")
    window.takes.filter.apply_now()
    make(window, qtbot)
    assert window.takes.filter.search.text() == "nothing like it"
    assert window.takes.current() is None
    window.takes.filter.clear()
    assert len(window.takes.model.ids()) == 2


def test_a_job_leads_to_its_takes(window: MainWindow, qtbot: QtBot) -> None:
    other = add_take(window.parts.library, "Other")
    job = make(window, qtbot, takes=2)
    window.show_place("compose")
    card = window.queue.card(job.id)
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert window.place == "takes"
    assert [take.title for take in window.takes.selected()] == ["Evening", "Evening"]
    window.show_take(other)
    window.show_place("compose")
    card.takes.click()
    assert len(window.takes.selected()) == 2
    window.show_take(other)
    window.show_place("compose")
    qtbot.keyClick(card, Qt.Key.Key_Return)
    assert len(window.takes.selected()) == 2
    window.show_place("compose")
    window.queue.takesAsked.emit("a job whose takes are gone")
    assert window.place == "compose"
    assert window.notice.text == "What it made is not in the library any more."


def test_the_sidebar_says_what_a_press_does(window: MainWindow, fake_engine: FakeEngine) -> None:
    assert window.sidebar._detail.text() == "Show the queue"
    window.toggle_queue()
    assert window.sidebar._detail.text() == "Hide the queue"
    window.toggle_queue()
    assert window.sidebar._detail.text() == "Show the queue"
