"""Does playback stutter while a song is made? `python tests/benchmarks/playback.py`

Plays through a JACK server in real time, records what arrives in a process of its own, and counts
what is missing; meanwhile a synthetic model makes songs in the player's process, and Python's
lock is held for 0.9 seconds now and then, as reading the tokenizer of the published model does.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer, SignalInstance

# First of all imports: it loads OpenBLAS, which must come before MLX.
import mlx_music
from mlx_music_app.audio.player import Player

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.app.audio import jack  # noqa: E402
from tests.parity import synthetic  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="at most 21")
    parser.add_argument("--no-lock", action="store_true", help="do not hold Python's lock")
    parser.add_argument("--no-songs", action="store_true", help="only play, to know the machine")
    arguments = parser.parse_args()
    if why := jack.missing():
        print(f"skipped: {why}")
        return 0
    app = QCoreApplication([])
    with tempfile.TemporaryDirectory() as folder, jack.server("mlx-music-benchmark"):
        heard, songs, stats = _measure(Path(folder), arguments)
    del app
    print(f"played {arguments.seconds:.0f} s at {jack.RATE} Hz, {jack.PERIOD} frames a period")
    print(f"songs made meanwhile: {songs}")
    print(f"frames that arrived: {heard.frames} of {round(arguments.seconds * jack.RATE)}")
    print(f"gaps: {heard.gaps}, frames lost: {heard.lost}")
    print(f"underruns that JACK reported: {stats['underflows']:.0f}")
    print(
        f"longest callback: {stats['slowest'] * 1e3:.2f} ms of {jack.PERIOD / jack.RATE * 1e3:.1f}"
    )
    return int(heard.gaps > 0)


def _measure(
    folder: Path, arguments: argparse.Namespace
) -> tuple[jack.Heard, int, dict[str, float]]:
    checkpoint = folder / "checkpoint"
    synthetic.write_checkpoint(ROOT / "tests" / "parity" / "reference" / "tiny", checkpoint)
    jack.write_signal(folder / "signal.wav", arguments.seconds)
    player = Player()
    recorder = jack.Recorder(folder / "recorded.npy")
    player.set_volume(0.0)
    player.load(folder / "signal.wav")
    player.play()
    _wait(player.devicesChanged)
    player.stop()
    _sleep(0.1)
    while not recorder.connect():
        _sleep(0.05)
    player.set_volume(1.0)
    _sleep(0.2)

    stop, songs = threading.Event(), [0]
    maker = threading.Thread(target=_make_songs, args=(checkpoint, stop, songs))
    if not arguments.no_songs:
        maker.start()
    holder = QTimer()
    holder.setInterval(4000)
    holder.timeout.connect(_hold)
    if not arguments.no_lock:
        holder.start()
    player.play()
    _wait(player.finished)
    stop.set()
    if maker.is_alive():
        maker.join()
    stats = player.stats
    heard = jack.Heard.of(recorder.stop())
    player.close()
    return heard, songs[0], stats


def _make_songs(checkpoint: Path, stop: threading.Event, songs: list[int]) -> None:
    model = mlx_music.ACEStep.from_pretrained(checkpoint)
    while not stop.is_set():
        model.generate(prompt="folk, guitar", duration=20.0, num_inference_steps=30)
        songs[0] += 1


def _hold() -> None:
    jack.hold_the_lock(0.9)


def _wait(signal: SignalInstance) -> None:
    loop = QEventLoop()
    signal.connect(loop.quit)
    loop.exec()


def _sleep(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        QCoreApplication.processEvents()
        time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(main())
