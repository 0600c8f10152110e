"""The first start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QFileDialog
from pytestqt.qtbot import QtBot

from mlx_music.ace_step.published import MODEL_ID
from mlx_music_app.background import Background
from mlx_music_app.models import space
from mlx_music_app.ui.first_run import FirstRunView
from tests.app.models.conftest import (  # noqa: F401
    apart,
    background,
    client,
    engine,
    folder,
    hub,
    make_service,
    preferences,
    published,
    sketch,
)
from tests.app.models.doubles import ServiceMaker
from tests.engine.weights.fake_hub import FakeHub, Repo

# Fixtures are arguments by design.
# ruff: noqa: F811


@pytest.fixture
def open_view(
    make_service: ServiceMaker, background: Background, qtbot: QtBot
) -> Iterator[Callable[[], FirstRunView]]:
    made: list[FirstRunView] = []

    def make() -> FirstRunView:
        view = FirstRunView(make_service())
        qtbot.addWidget(view)
        view.resize(800, 700)
        view.show()
        made.append(view)
        return view

    yield make
    for view in made:
        view.hide()
    background.wait()
    qtbot.wait(1)


def press(button: QAbstractButton, qtbot: QtBot) -> None:
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_sketch_works_at_once(
    sketch: Path, open_view: Callable[[], FirstRunView], qtbot: QtBot
) -> None:
    view = open_view()
    assert view.sketch.name.text() == "Sketch, ready now"
    assert view.start.property("role") == "primary"
    assert view.get.property("role") == ""
    with qtbot.waitSignal(view.startRequested) as started:
        press(view.start, qtbot)
    assert started.args == ["sketch"]


def test_return_starts(sketch: Path, open_view: Callable[[], FirstRunView], qtbot: QtBot) -> None:
    view = open_view()
    with qtbot.waitSignal(view.startRequested):
        qtbot.keyClick(view.start, Qt.Key.Key_Space)


def test_without_sketch_it_says_what_to_do(open_view: Callable[[], FirstRunView]) -> None:
    view = open_view()
    assert not view.start.isVisible()
    assert "without Sketch" in view.sketch.words.text()
    assert view.get.property("role") == "primary"
    assert "8.3 GB" in view.full.name.text()
    assert "free on this disk" in view.full.facts.text()
    assert view.licence.text() == "Apache License 2.0"


def test_the_download_shows_and_ends_in_music(
    published: Repo, hub: FakeHub, open_view: Callable[[], FirstRunView], qtbot: QtBot
) -> None:
    view = open_view()
    assert hub.requests == []  # nothing is asked before the person asks
    press(view.get, qtbot)
    assert view.transfer.isVisible()
    assert not view.get.isVisible()
    qtbot.waitUntil(lambda: view.full.name.text() == "ACE-Step v1, ready", timeout=20_000)
    assert not view.transfer.isVisible()
    with qtbot.waitSignal(view.startRequested) as started:
        press(view.get, qtbot)
    assert started.args == [MODEL_ID]


def test_offline(sketch: Path, open_view: Callable[[], FirstRunView], qtbot: QtBot) -> None:
    view = open_view()
    press(view.get, qtbot)
    qtbot.waitUntil(view.notice.isVisible, timeout=20_000)
    assert "offline mode is on" in view.notice.words.text()
    assert view.start.isVisible()


def test_no_room_is_said_beforehand(
    open_view: Callable[[], FirstRunView], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda folder: 2_000_000_000)
    view = open_view()
    assert "2.0 GB free; free some space" in view.full.warning.text()


def test_a_folder_that_is_there_already(
    folder: Path,
    open_view: Callable[[], FirstRunView],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    view = open_view()
    with qtbot.waitSignal(view.startRequested) as started:
        press(view.choose, qtbot)
    assert started.args == [str(folder)]
