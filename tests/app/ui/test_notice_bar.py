"""What is said above the content, and for how long."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from mlx_music_app.ui.main_window import MainWindow
from mlx_music_app.ui.notice_bar import NoticeBar
from tests.app.making import add_take


@pytest.fixture
def bar(qtbot: QtBot) -> NoticeBar:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    return bar


def close(bar: NoticeBar) -> None:
    next(b for b in bar.findChildren(QAbstractButton) if "Close" in b.accessibleName()).click()


def test_errors_come_before_news(bar: NoticeBar) -> None:
    bar.say("Rain is done", action=("play", "Listen"))
    assert bar.text == "Rain is done"
    bar.complain("No sound", topic="sound")
    bar.say("Snow is done")
    assert bar.text == "No sound"
    close(bar)
    assert bar.text == "Snow is done"
    close(bar)
    assert bar.text == ""


def test_an_error_does_not_push_another_away(bar: NoticeBar) -> None:
    bar.complain("No sound", topic="sound")
    bar.complain("The disk is full", topic="library")
    assert bar.text == "The disk is full"
    close(bar)
    assert bar.text == "No sound"
    close(bar)
    assert bar.text == ""


def test_a_topic_has_one_error_and_the_last_is_shown(bar: NoticeBar) -> None:
    bar.complain("No sound", topic="sound")
    bar.complain("Song is gone", topic="file")
    bar.complain("Still no sound", topic="sound")
    assert bar.text == "Still no sound"
    bar.settle("file")
    assert bar.text == "Still no sound"
    close(bar)
    assert bar.text == ""


def test_what_is_over_goes_and_lets_news_come(bar: NoticeBar) -> None:
    bar.complain("No sound", topic="sound")
    bar.say("Rain is done")
    bar.settle("file")
    assert bar.text == "No sound"
    bar.settle("sound")
    assert bar.text == "Rain is done"
    bar.settle("sound")  # it takes nothing else away
    assert bar.text == "Rain is done"


def test_sound_that_comes_back_is_no_problem_any_more(window: MainWindow) -> None:
    take = add_take(window.parts.library, "Song")
    player, notice = window.parts.player, window.notice
    window.takes.play(take.id)
    player.answer("failed", message="There is no sound output.")
    assert notice.text == "There is no sound output."
    player.play()
    assert notice.text == "There is no sound output."  # not heard yet
    player.tick(0.1)
    assert notice.text == ""


def test_an_output_that_is_gone(window: MainWindow) -> None:
    take = add_take(window.parts.library, "Song")
    player, notice = window.parts.player, window.notice
    window.takes.play(take.id)
    player.answer("lost", name="Headphones", plays=True)
    assert notice.text == "The output Headphones is gone; another one is used."
    player.answer("lost", name="Speakers")
    assert notice.text == "The output Speakers is gone; playback waits."


def test_a_file_that_comes_back_is_no_problem_any_more(window: MainWindow, qtbot: QtBot) -> None:
    library, notice = window.parts.library, window.notice
    take, other = (add_take(library, name) for name in ("Song", "Other"))
    aside = take.path.with_suffix(".aside")
    take.path.rename(aside)
    with qtbot.waitSignal(library.takeChanged, timeout=5000):
        library.rescan()
    window.takes.play(take.id)
    assert "is not where it was" in notice.text
    library.set_favourite(other.id, True)
    assert "is not where it was" in notice.text
    aside.rename(take.path)
    with qtbot.waitSignal(library.takeChanged, timeout=5000):
        library.rescan()
    qtbot.waitUntil(lambda: notice.text == "", timeout=5000)
