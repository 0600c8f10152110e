from __future__ import annotations

import threading

from pytestqt.qtbot import QtBot

from mlx_music_app.parts import Parts
from tests.app.doubles import SilentPlayer
from tests.app.making import add_take


def test_closing_does_not_wait_for_a_long_scan(qtbot: QtBot) -> None:
    """The library ends its scan first; to wait for the background before that takes ten seconds."""
    parts = Parts(player=SilentPlayer())
    parts.open()
    for _ in range(3):
        add_take(parts.library)
    upkeep = parts.library._upkeep
    begun = threading.Event()

    def scan() -> None:
        begun.set()
        upkeep._stop.wait(30)

    upkeep._scans.run(scan)
    assert begun.wait(5)
    wait = parts.background.wait
    parts.background.wait = lambda milliseconds=500: wait(milliseconds)  # type: ignore[method-assign]
    assert parts.close()
