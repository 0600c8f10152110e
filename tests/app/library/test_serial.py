from __future__ import annotations

import threading
import time

from PySide6.QtCore import QObject, Slot
from pytestqt.qtbot import QtBot

from mlx_music_app.background import Background
from mlx_music_app.library.serial import Serial


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []
        self.threads: set[int] = set()

    @Slot(object)
    def hear(self, what: object) -> None:
        self.heard.append(what)
        self.threads.add(threading.get_ident())


def test_one_after_another_whatever_fails(qtbot: QtBot) -> None:
    background = Background(threads=4)
    serial, listener = Serial(background), Listener()
    order: list[int] = []

    def job(number: int) -> int:
        time.sleep(0.002 * (5 - number))
        order.append(number)
        if number == 2:
            raise ValueError("no")
        return number

    for number in range(5):
        serial.run(lambda n=number: job(n), listener.hear, listener.hear)  # type: ignore[misc]
    assert serial.wait()
    assert order == [0, 1, 2, 3, 4]
    assert serial.waiting == 0
    qtbot.waitUntil(lambda: len(listener.heard) == 5)
    assert [str(what) for what in listener.heard] == ["0", "1", "no", "3", "4"]
    assert listener.threads == {threading.get_ident()}
    serial.run(lambda: order.append(5))
    assert serial.wait()
    assert order[-1] == 5
    background.wait()
