"""A second start hands its files to the first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from PySide6.QtNetwork import QLocalSocket
from pytestqt.qtbot import QtBot

from mlx_music_app.single_instance import FirstInstance, hand_over, server_name

SECOND = """
import sys
from pathlib import Path
from mlx_music_app.single_instance import hand_over
print(hand_over([Path(name) for name in sys.argv[1:]]))
"""


def test_nobody_is_there(qtbot: QtBot) -> None:
    assert not hand_over([])


def test_files_arrive(qtbot: QtBot, tmp_path: Path) -> None:
    first = FirstInstance()
    assert first.listen()
    second = subprocess.Popen(
        [sys.executable, "-c", SECOND, str(tmp_path / "a.wav"), "b c.wav"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with qtbot.waitSignal(first.startedAgain, timeout=20_000) as started:
        pass
    assert started.args == [[tmp_path / "a.wav", Path("b c.wav").absolute()]]
    assert second.communicate(timeout=20)[0] == "True\n"
    first.close()
    assert not hand_over([])


def test_nonsense_and_leftovers_do_no_harm(qtbot: QtBot) -> None:
    first, again = FirstInstance(), FirstInstance()
    assert first.listen()
    said: list[object] = []
    first.startedAgain.connect(said.append)
    socket = QLocalSocket()
    socket.connectToServer(server_name())
    assert socket.waitForConnected(1000)
    socket.write(b"\xff{nonsense\n")
    socket.flush()
    qtbot.wait(50)
    socket.write(json.dumps(["/x.wav"]).encode() + b"\n")
    socket.flush()
    qtbot.waitUntil(lambda: said == [[Path("/x.wav")]])
    socket.close()
    # As after a crash: the name is taken, and nobody would answer.
    assert again.listen()
    again.close()
    first.close()
