"""Widgets must die on the main thread."""

from __future__ import annotations

import gc
import threading
import weakref

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from mlx_music_app.main_thread_gc import MainThreadCollector


class Knot(QObject):
    """An object that only the collector can free."""

    died_on: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.me = self

    def __del__(self) -> None:
        Knot.died_on = threading.get_ident()


def test_cycles_are_freed_on_the_main_thread(qtbot: QtBot) -> None:
    collector = MainThreadCollector()
    collector.start()
    try:
        assert not gc.isenabled()
        gone = weakref.ref(Knot())

        def allocate() -> None:
            kept = [[number] for number in range(200_000)]
            del kept

        thread = threading.Thread(target=allocate)
        thread.start()
        thread.join()
        assert gone() is not None  # the other thread has let it be
        litter = [[number] for number in range(2000)]
        qtbot.waitUntil(lambda: gone() is None, timeout=3000)
        del litter
        assert Knot.died_on == threading.get_ident()
    finally:
        collector.stop()
    assert gc.isenabled()


def test_two_collectors_do_not_disturb_each_other(qtbot: QtBot) -> None:
    first, second = MainThreadCollector(), MainThreadCollector()
    first.start()
    second.start()
    second.start()
    first.stop()
    assert not gc.isenabled()
    second.stop()
    second.stop()
    assert gc.isenabled()
