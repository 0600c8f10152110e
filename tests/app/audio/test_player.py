"""The player and its process: they find each other, and nothing is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from pytestqt.qtbot import QtBot

from mlx_music_app.audio import player as player_module
from mlx_music_app.audio.player import Player, server_command


@pytest.fixture
def player(qtbot: QtBot) -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    sf.write(tmp_path / "song.wav", np.zeros((48_000, 2), np.float32), 48_000)
    return tmp_path / "song.wav"


def _process_id(player: Player) -> int:
    assert player._process is not None
    return int(player._process.processId())


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_process_runs_before_there_is_something_to_play(player: Player) -> None:
    player.set_volume(0.5)
    player.set_device("Speakers")
    player.set_loop(None, None)
    player.play()
    assert player._process is None
    assert not player.playing


def test_loads_and_ends(qtbot: QtBot, player: Player, song: Path) -> None:
    with qtbot.waitSignal(player.loaded) as loaded:
        player.load(song)
    assert loaded.args == [song]
    assert player.duration == 1.0
    process_id = _process_id(player)
    player.close()
    assert not _runs(process_id)


def test_a_relative_path_is_found(
    qtbot: QtBot, player: Player, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(song.parent)
    with qtbot.waitSignal(player.loaded):
        player.load("song.wav")
    assert player.path == song


def test_seeking_stays_within_the_file(qtbot: QtBot, player: Player, song: Path) -> None:
    with qtbot.waitSignal(player.loaded):
        player.load(song)
    player.seek(99.0)
    assert player.position == 1.0
    player.seek(-1.0)
    assert player.position == 0.0


def test_a_missing_file_is_said(qtbot: QtBot, player: Player, tmp_path: Path) -> None:
    with qtbot.waitSignal(player.failed) as failed:
        player.load(tmp_path / "gone.wav")
    assert "gone.wav is not where it was" in failed.args[0]
    assert player.path is None


def test_a_process_that_dies_is_started_again(
    qtbot: QtBot, player: Player, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "_SHORT_LIFE", -1)
    with qtbot.waitSignal(player.loaded):
        player.load(song)
    player.seek(0.5)
    old = _process_id(player)
    with qtbot.waitSignals([player.deviceLost, player.loaded]):
        os.kill(old, 9)
    assert _process_id(player) != old
    assert player.position == 0.5


def test_one_that_dies_at_once_is_not(qtbot: QtBot, player: Player, song: Path) -> None:
    with qtbot.waitSignal(player.loaded):
        player.load(song)
    with qtbot.waitSignal(player.failed) as failed:
        os.kill(_process_id(player), 9)
    assert "stopped working" in failed.args[0]
    # It can be tried again.
    with qtbot.waitSignal(player.loaded):
        player.load(song)


def test_a_process_that_cannot_be_started_is_said(
    qtbot: QtBot, player: Player, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(song.parent / "no-such-program"))
    with qtbot.waitSignal(player.failed) as failed:
        player.load(song)
    assert "cannot be started" in failed.args[0]


def test_the_built_app_plays_through_its_own_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", "macosx_app", raising=False)
    program = "/Applications/MLX Music.app/Contents/MacOS/MLX Music"
    monkeypatch.setenv("EXECUTABLEPATH", program)
    assert server_command() == (program, ["--audio-server"])


def test_the_playing_process_loads_neither_qt_nor_the_model() -> None:
    code = (
        "import sys, mlx_music_app.audio.server, mlx_music_app.audio.tracks;"
        "print([name for name in ('PySide6', 'mlx.core', 'mlx_music') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_process_ends_with_an_app_that_was_killed(song: Path) -> None:
    code = (
        "import sys; from PySide6.QtCore import QCoreApplication;"
        "from mlx_music_app.audio.player import Player;"
        "app = QCoreApplication([]); player = Player(); player.load(sys.argv[1]);"
        "player.loaded.connect(lambda _: print(player._process.processId(), flush=True));"
        "app.exec()"
    )
    app = subprocess.Popen(
        [sys.executable, "-c", code, str(song)], stdout=subprocess.PIPE, text=True
    )
    with app:
        assert app.stdout is not None
        process_id = int(app.stdout.readline())
        app.kill()
    deadline = time.monotonic() + 5
    while _is_serving(process_id):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_serving(process_id: int) -> bool:
    """Nobody may be there to take leave of it, so that it stays listed as a zombie."""
    run = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process_id)], capture_output=True, text=True, check=False
    )
    return bool(run.stdout.strip()) and not run.stdout.strip().startswith("Z")
