"""A sound card that is none: a JACK server in real time, and a process that records from it.

What is played through it arrives sample for sample, so that every gap can be counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

RATE, PERIOD = 48_000, 512

#: One step of the test signal: every frame has its own value, exact in float32.
STEP = 2.0**-20

_RECORDER = """
import sys, time
import numpy as np, sounddevice as sd
blocks, flags = [], [0]
def callback(data, frames, when, status):
    flags[0] += bool(status.input_overflow)
    blocks.append(data.copy())
with sd.InputStream(channels=2, samplerate={rate}, dtype="float32", callback=callback):
    print("recording", flush=True)
    sys.stdin.readline()
np.save(sys.argv[1], np.concatenate(blocks))
print(flags[0], flush=True)
"""


def missing() -> str:
    """Why there can be no such server here, or ""."""
    for program in ("jackd", "jack_connect", "jack_lsp"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return ""


@contextmanager
def server(name: str = "mlx-music-test") -> Iterator[None]:
    """Run a server, and let PortAudio find it, in this process's environment."""
    before = {key: os.environ.get(key) for key in ("JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER")}
    os.environ.update(JACK_DEFAULT_SERVER=name, JACK_NO_START_SERVER="1")
    process = subprocess.Popen(
        ["jackd", "-n", name, *_realtime(), "-d", "dummy", "-r", str(RATE), "-p", str(PERIOD)],
        env={**os.environ, "JACK_NO_AUDIO_RESERVATION": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for_ports()
        yield
    finally:
        process.terminate()
        process.wait(5)
        for key, value in before.items():
            os.environ.pop(key, None) if value is None else os.environ.update({key: value})


def _realtime() -> list[str]:
    """Real-time scheduling where it is allowed, as CoreAudio always has it: without it, every
    other busy program on the machine counts as a gap."""
    try:
        allowed = os.sched_getscheduler(0)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, allowed, os.sched_param(0))
    except (AttributeError, PermissionError):
        return ["--no-realtime"]
    return ["--realtime"]


def _ports() -> list[str]:
    run = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=False)
    return run.stdout.split() if run.returncode == 0 else []


def _wait_for_ports() -> None:
    deadline = time.monotonic() + 5
    while "system:playback_1" not in _ports():
        assert time.monotonic() < deadline, "the JACK server did not start"
        time.sleep(0.05)


class Recorder:
    """Records, in its own process, what another client plays."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._process = subprocess.Popen(
            [sys.executable, "-c", _RECORDER.format(rate=RATE), str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "recording\n"
        self._own = {port.split(":")[0] for port in _ports()} - {"system"}

    def connect(self) -> bool:
        """Listen to the client that plays; False while there is none."""
        outputs = sorted(
            port for port in _ports() if ":out_" in port and port.split(":")[0] not in self._own
        )
        inputs = sorted(port for port in _ports() if ":in_" in port)
        if len(outputs) < 2:
            return False
        for source, target in zip(outputs[-2:], inputs[:2], strict=True):
            subprocess.run(["jack_connect", source, target], check=True, capture_output=True)
        return True

    def stop(self) -> np.ndarray:
        """What was recorded: (frames, 2) float32."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.close()
        self._process.wait(10)
        return np.load(self._file)


def write_signal(file: Path, seconds: float) -> None:
    """A file of which every frame says where it stands."""
    frames = np.arange(1, round(seconds * RATE) + 1, dtype=np.float64) * STEP
    assert frames[-1] < 1
    sf.write(file, np.stack([frames, -frames], axis=1).astype(np.float32), RATE, subtype="FLOAT")


@dataclass(frozen=True)
class Heard:
    """What arrived. gaps: places where the next frame is not the next of the file."""

    frames: int
    gaps: int
    lost: int  # frames of silence, or skipped

    @classmethod
    def of(cls, recorded: np.ndarray) -> Heard:
        """Of the signal above, from its first to its last frame that is heard."""
        at = np.rint(recorded[:, 0] / STEP).astype(np.int64)
        sounding = np.flatnonzero(at)
        if not len(sounding):
            return cls(0, 0, 0)
        at = at[sounding[0] : sounding[-1] + 1]
        steps = np.diff(at)
        return cls(len(at), int((steps != 1).sum()), len(at) - len(np.unique(at[at > 0])))


def hold_the_lock(seconds: float) -> None:
    """Keep Python's lock for so long, as reading a large tokenizer does."""
    import ctypes

    # Functions of a PyDLL are called without letting the lock go.
    ctypes.PyDLL(None).usleep(round(seconds * 1e6))
