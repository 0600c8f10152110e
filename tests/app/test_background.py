from __future__ import annotations

import threading
import weakref

from PySide6.QtCore import QObject, Slot
from pytestqt.qtbot import QtBot

from mlx_music_app.background import Background


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []
        self.threads: set[int] = set()

    @Slot(object)
    def hear(self, what: object) -> None:
        self.heard.append(what)
        self.threads.add(threading.get_ident())


def test_tells_on_the_main_thread(qtbot: QtBot) -> None:
    background, listener = Background(), Listener()

    def fail() -> None:
        raise ValueError("no")

    background.run(lambda: 7, listener.hear, listener.hear)
    background.run(fail, listener.hear, listener.hear)
    qtbot.waitUntil(lambda: len(listener.heard) == 2)
    assert sorted(map(str, listener.heard)) == ["7", "no"]
    assert listener.threads == {threading.get_ident()}
    error = next(what for what in listener.heard if isinstance(what, ValueError))
    assert error.__traceback__ is None  # its frames hold whatever was at work
    assert background.wait()


def test_nothing_of_the_main_thread_is_let_go_elsewhere(qtbot: QtBot) -> None:
    """What the caller hands over dies where it was made, however slow the thread is to end."""
    background, listener = Background(), Listener()
    deaths: list[int] = []

    class Window(QObject):
        def work(self) -> int:
            return 1

    for number in range(1, 201):
        window = Window()
        weakref.finalize(window, lambda: deaths.append(threading.get_ident()))
        work = background.run(window.work, listener.hear)
        weakref.finalize(work, lambda: deaths.append(threading.get_ident()))
        del window, work
        qtbot.waitUntil(lambda n=number: len(listener.heard) == n)  # type: ignore[misc]
    assert background.wait()
    qtbot.waitUntil(lambda: len(deaths) == 400)
    assert set(deaths) == {threading.get_ident()}
