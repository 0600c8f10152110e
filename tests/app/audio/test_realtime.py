"""Playback in real time, through a JACK server, while a song is made in the same process.

`tests/benchmarks/playback.py` does the same for longer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mlx_music_app.audio.player import Player
from tests.app.audio import jack

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(bool(jack.missing()), reason=jack.missing() or "-"),
]


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with jack.server():
        yield


@pytest.fixture
def player(qtbot: QtBot) -> Iterator[Player]:
    player = Player()
    yield player
    player.close()


def test_plays_without_a_gap_while_a_song_is_made_and_the_lock_is_held(
    qtbot: QtBot, player: Player, tmp_path: Path, checkpoint: Path
) -> None:
    jack.write_signal(tmp_path / "signal.wav", 3.0)
    recorder = jack.Recorder(tmp_path / "recorded.npy")
    # Opens the stream, so that the recorder finds it.
    with qtbot.waitSignal(player.loaded):
        player.load(tmp_path / "signal.wav")
    player.set_volume(0.0)
    with qtbot.waitSignal(player.devicesChanged):
        player.play()
    player.stop()
    qtbot.wait(50)
    qtbot.waitUntil(recorder.connect)
    player.set_volume(1.0)
    qtbot.wait(100)

    stop = threading.Event()
    maker = threading.Thread(target=_make_songs, args=(checkpoint, stop), name="engine")
    maker.start()
    with qtbot.waitSignal(player.finished, timeout=10_000):
        player.play()
        qtbot.wait(1000)
        jack.hold_the_lock(0.9)
    stop.set()
    maker.join()

    heard = jack.Heard.of(recorder.stop())
    print(f"\n{heard}, {player.stats}")
    assert heard == jack.Heard(frames=round(3.0 * jack.RATE), gaps=0, lost=0)
    assert player.stats["starved"] == 0


def _make_songs(checkpoint: Path, stop: threading.Event) -> None:
    from mlx_music import ACEStep

    model = ACEStep.from_pretrained(checkpoint)
    while not stop.is_set():
        model.generate(prompt="folk, guitar", duration=5.0, num_inference_steps=10)
