"""The newest arrives, seldom enough, and on the main thread."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

from PySide6.QtCore import QObject, Slot
from pytestqt.qtbot import QtBot

from mlx_music_app.engine.mailbox import Mailbox


class Receiver(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.values: list[int] = []
        self.times: list[float] = []
        self.threads: set[int] = set()

    @Slot(object)
    def take(self, value: int) -> None:
        self.values.append(value)
        self.times.append(time.monotonic())
        self.threads.add(threading.get_ident())


def test_a_flood_becomes_a_trickle(qtbot: QtBot) -> None:
    mailbox, receiver = Mailbox(50), Receiver()
    mailbox.delivered.connect(receiver.take)

    def flood() -> None:
        for value in range(1, 3001):
            mailbox.put(value)
            if value % 10 == 0:
                time.sleep(0.001)

    thread = threading.Thread(target=flood)
    started = time.monotonic()
    thread.start()
    qtbot.waitUntil(lambda: receiver.values[-1:] == [3000], timeout=5000)
    thread.join()
    seconds = time.monotonic() - started
    assert receiver.values == sorted(receiver.values)
    assert 2 <= len(receiver.values) <= seconds / 0.05 + 2
    gaps = [b - a for a, b in pairwise(receiver.times)]
    assert min(gaps) >= 0.045  # a timer may be a little early
    assert receiver.threads == {threading.get_ident()}


def test_flush_hands_on_at_once_and_once(qtbot: QtBot) -> None:
    mailbox, receiver = Mailbox(50), Receiver()
    mailbox.delivered.connect(receiver.take)
    mailbox.put(1)
    mailbox.flush()
    assert receiver.values == [1]
    mailbox.put(2)
    mailbox.put(3)
    mailbox.flush()
    mailbox.flush()
    qtbot.wait(120)
    assert receiver.values == [1, 3]
