"""The whole window over real services, with an engine and a player that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from mlx_music_app.application import Session
from mlx_music_app.parts import Parts
from mlx_music_app.ui.main_window import MainWindow
from tests.app.doubles import SilentPlayer
from tests.app.engine.fakes import FakeEngine


@pytest.fixture
def fake_engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def open_session(
    qtbot: QtBot, qapp: QApplication, fake_engine: FakeEngine
) -> Iterator[Callable[[], Session]]:
    """Start the app, as often as one likes; each is ended when the next one or the test is."""
    sessions: list[Session] = []

    def end() -> None:
        if sessions:
            session = sessions.pop()
            fake_engine.go.set()
            if session.window is not None:
                session.window.close_without_asking()
            assert session.end()
            session.crashes.remove()

    def start() -> Session:
        end()
        session = Session(qapp, Parts(player=SilentPlayer(), opener=fake_engine.open))
        sessions.append(session)
        session.start()
        return session

    yield start
    end()


@pytest.fixture
def session(open_session: Callable[[], Session], qtbot: QtBot) -> Session:
    return open_session()


@pytest.fixture
def window(session: Session) -> MainWindow:
    assert session.window is not None
    return session.window
