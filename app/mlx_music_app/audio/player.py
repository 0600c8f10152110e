"""The player that the window talks to. The sound is made in another process: see the package."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QCoreApplication,
    QElapsedTimer,
    QObject,
    QProcess,
    QProcessEnvironment,
    QTimer,
    Signal,
)

import mlx_music_app
from mlx_music_app.audio.mixer import Levels

log = logging.getLogger(__name__)

#: What the app's own program does with this argument instead of opening a window.
SERVER_ARGUMENT = "--audio-server"

#: A process that plays and says nothing for so long hangs in a driver.
_HUNG = 6_000  # milliseconds

#: Ending sooner than this after its start, the process is not started again.
_SHORT_LIFE = 5_000  # milliseconds

_STOPPED = (
    "The sound has stopped working. Choose another output, or quit MLX Music and open it again."
)


class Player(QObject):
    """Plays one file at a time. Positions and durations are seconds; all calls return at once.

    position, duration, playing and path are what the person has asked for last, corrected by
    what is heard as news of it comes in, about thirty times a second.
    """

    positionChanged = Signal(float)
    stateChanged = Signal(bool)
    levelChanged = Signal(float, float)
    loaded = Signal(object)  # Path: its duration is known now
    unloaded = Signal()  # there is nothing to play any more
    finished = Signal()  # the end of the file was reached
    deviceLost = Signal(str)
    devicesChanged = Signal()
    failed = Signal(str)  # one line for the person
    loopChanged = Signal(object)
    volumeChanged = Signal(float)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._path: Path | None = None
        self._before: Path | None = None  # what still plays if the file cannot be opened
        self._duration = self._position = 0.0
        self._playing = False
        self._loop: tuple[float, float] | None = None
        self._volume = 1.0
        self._device = ""
        self._devices: tuple[str, ...] = ()
        self._default_device = self._current_device = ""
        self._level = Levels()
        self._last_id = 0
        self._loading_id = 0  # of the last load, for which no answer has come yet; 0 is none
        self._stats: dict[str, float] = {"underflows": 0, "starved": 0, "slowest": 0.0}
        self._age = QElapsedTimer()
        self._watchdog = QTimer(self)
        self._watchdog.setSingleShot(True)
        self._watchdog.setInterval(_HUNG)
        self._watchdog.timeout.connect(self._on_silence)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    # What is

    @property
    def path(self) -> Path | None:
        return self._path

    @property
    def position(self) -> float:
        return self._position

    @property
    def duration(self) -> float:
        """0 until the file is open."""
        return self._duration

    @property
    def playing(self) -> bool:
        return self._playing

    @property
    def loop(self) -> tuple[float, float] | None:
        return self._loop

    @property
    def volume(self) -> float:
        return self._volume

    @property
    def level(self) -> Levels:
        """What is heard: peak and RMS of left and right, after the volume."""
        return self._level

    @property
    def device(self) -> str:
        """The chosen output; "" follows the system."""
        return self._device

    @property
    def current_device(self) -> str:
        """The output that was last opened, "" before there was one."""
        return self._current_device

    @property
    def devices(self) -> tuple[str, ...]:
        """Outputs, as last seen: see `refresh_devices`."""
        return self._devices

    @property
    def default_device(self) -> str:
        return self._default_device

    @property
    def stats(self) -> dict[str, float]:
        """underflows: times the device had to wait for sound. starved: frames that were not
        decoded in time. slowest: seconds that the longest callback took."""
        return dict(self._stats)

    # What to do

    def load(self, path: Path | str) -> None:
        """Open a file, at its beginning. If something plays, this plays on from here."""
        self.set_loop(None, None)
        self._open(Path(path), keep=False)
        self._move_to(0.0)

    def swap(self, path: Path | str) -> None:
        """Open another file at the same position, without a gap: to compare two takes."""
        self._open(Path(path), keep=True)

    def play(self) -> None:
        if self._path is None or self._playing:
            return
        if self._send("play"):
            self._set_playing(True)

    def pause(self) -> None:
        if self._playing:
            self._send("pause")
            self._set_playing(False)

    def toggle(self) -> None:
        if self._playing:
            self.pause()
        else:
            self.play()

    def stop(self) -> None:
        """Pause, and go back to the beginning."""
        self.pause()
        self.seek(0.0)

    def unload(self) -> None:
        """Stop, and forget the file: it is about to be gone."""
        if self._path is None:
            return
        self.stop()
        self.set_loop(None, None)
        self._path = self._before = None
        self._loading_id = 0  # an answer that is under way is about what is gone
        self._duration = 0.0
        self.unloaded.emit()

    def seek(self, seconds: float) -> None:
        if self._path is None:
            return
        seconds = max(0.0, seconds)
        if self._duration:
            seconds = min(seconds, self._duration)
        self._send("seek", position=seconds)
        self._move_to(seconds)

    def set_loop(self, start: float | None, end: float | None) -> None:
        """Play from `start` to `end` again and again, to the sample; None for no loop."""
        loop = None if start is None or end is None or end <= start else (start, end)
        if loop != self._loop:
            self._send("loop", start=loop[0] if loop else None, end=loop[1] if loop else None)
            self._loop_to(loop)

    def set_volume(self, volume: float) -> None:
        """0 to 1, as on a slider: its half is 12 dB less."""
        volume = min(max(volume, 0.0), 1.0)
        if volume != self._volume:
            self._volume = volume
            if self._process is not None:
                self._send("volume", gain=volume * volume)
            self.volumeChanged.emit(volume)

    def set_device(self, name: str) -> None:
        """Play through the output of that name; "" for the system's own."""
        if name != self._device:
            self._device = name
            if self._process is not None:
                self._send("device", name=name)
            self.devicesChanged.emit()

    def refresh_devices(self) -> None:
        """Look which outputs there are now; `devicesChanged` tells."""
        self._send("devices")

    def close(self) -> None:
        """End the process and wait for it. The player can be used again afterwards."""
        self._watchdog.stop()
        process, self._process = self._process, None
        if process is None:
            return
        process.blockSignals(True)
        process.closeWriteChannel()  # it ends by itself then
        if not process.waitForFinished(1500):
            process.kill()
            process.waitForFinished(1500)
        process.deleteLater()
        self._set_playing(False)

    # The process

    def _open(self, path: Path, *, keep: bool) -> None:
        # The process has its own working folder.
        path = Path(os.path.abspath(path))
        self._before, self._path = (self._path if keep else None), path
        if not keep:
            self._duration = 0.0
        self._send("load", path=str(path), keep=keep)
        self._loading_id = self._last_id

    def _send(self, command: str, **values: Any) -> bool:
        if self._process is None and not self._start():
            return False
        self._write(command, **values)
        return self._process is not None

    def _write(self, command: str, **values: Any) -> None:
        assert self._process is not None
        self._last_id += 1
        line = json.dumps({"do": command, "id": self._last_id, **values})
        self._process.write(line.encode() + b"\n")

    def _start(self) -> bool:
        program, arguments = server_command()
        process = QProcess(self)
        # Whatever lies in the folder that the app was started from must not be imported.
        process.setWorkingDirectory(str(Path(mlx_music_app.__file__).parents[1]))
        environment = QProcessEnvironment.systemEnvironment()
        # Each of its threads would wait for work, spinning, beside the one that matters.
        environment.insert("OPENBLAS_NUM_THREADS", "1")
        process.setProcessEnvironment(environment)
        process.readyReadStandardOutput.connect(self._read)
        process.readyReadStandardError.connect(self._read_log)
        process.errorOccurred.connect(self._on_error)
        process.finished.connect(self._on_end)
        self._process = process
        process.start(program, arguments)
        if self._process is None:  # it has failed already, and has been told of
            return False
        self._age.start()
        if self._volume != 1.0:
            self._write("volume", gain=self._volume * self._volume)
        if self._device:
            self._write("device", name=self._device)
        return True

    def _read(self) -> None:
        process = self._process
        while process is not None and process is self._process and process.canReadLine():
            self._take_in(json.loads(bytes(process.readLine().data())))

    def _read_log(self) -> None:
        if self._process is not None:
            text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
            log.info("%s", text.rstrip())

    def _take_in(self, event: dict[str, Any]) -> None:
        self._watchdog.stop()
        if event["event"] == "tick":
            self._take_tick(event)
        elif event["event"] == "loaded":
            if event["id"] == self._loading_id:
                self._loading_id = 0
                self._duration = event["duration"]
                self.loaded.emit(self._path)
        elif event["event"] == "finished":
            if event["id"] == self._last_id:
                self._set_playing(False)
                self.finished.emit()
        elif event["event"] == "devices":
            self._devices = tuple(event["names"])
            self._default_device = event["default"]
            self._current_device = event["current"] or self._current_device
            self.devicesChanged.emit()
        elif event["event"] == "lost":
            self._set_playing(self._playing and event.get("plays", False))
            self.deviceLost.emit(event["name"])
        elif event["event"] == "failed":
            self._take_failure(event)
        if self._playing:
            self._watchdog.start()

    def _take_tick(self, event: dict[str, Any]) -> None:
        self._stats = {name: event[name] for name in self._stats}
        self._level = Levels(tuple(event["peak"]), tuple(event["rms"]))
        self.levelChanged.emit(*self._level.peak)
        # News from before the last command would make the playhead jump back for a moment.
        if event["id"] == self._last_id and self._path is not None:
            self._set_playing(event["playing"])
            self._move_to(event["position"])

    def _take_failure(self, event: dict[str, Any]) -> None:
        if event["id"] == self._loading_id:
            self._loading_id = 0
            self._path = self._before
        if self._path is None or "path" not in event:
            self._set_playing(False)
        self.failed.emit(event["message"])

    def _on_silence(self) -> None:
        process = self._process
        if process is None or process.bytesAvailable():
            return  # it was the window that did not listen
        log.error("the audio process does not answer")
        process.kill()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            message = self._process.errorString()
            self._process.deleteLater()
            self._process = None
            self._set_playing(False)
            self.failed.emit(f"There is no sound: its process cannot be started ({message}).")

    def _on_end(self) -> None:
        """It has crashed, or was killed because it hung."""
        process, self._process = self._process, None
        if process is None:
            return
        log.error("the audio process has ended (%s)", process.exitCode())
        process.deleteLater()
        self._watchdog.stop()
        self._set_playing(False)
        if self._age.elapsed() > _SHORT_LIFE and self._start():
            self._restore()
            self.deviceLost.emit(self._current_device)
        else:
            self.failed.emit(_STOPPED)

    def _restore(self) -> None:
        """Tell a new process what the last one knew."""
        if self._path is None:
            return
        self._write("load", path=str(self._path), keep=False)
        self._loading_id = self._last_id
        if self._loop is not None:
            self._write("loop", start=self._loop[0], end=self._loop[1])
        self._write("seek", position=self._position)

    # State

    def _set_playing(self, playing: bool) -> None:
        if playing == self._playing:
            return
        self._playing = playing
        if not playing:
            self._watchdog.stop()
            self._level = Levels()
            self.levelChanged.emit(0.0, 0.0)
        self.stateChanged.emit(playing)

    def _move_to(self, position: float) -> None:
        if self._duration:
            position = min(position, self._duration)
        if position != self._position:
            self._position = position
            self.positionChanged.emit(position)

    def _loop_to(self, loop: tuple[float, float] | None) -> None:
        if loop != self._loop:
            self._loop = loop
            self.loopChanged.emit(loop)


def server_command() -> tuple[str, list[str]]:
    """The program that plays, and its arguments.

    In the built app it is the app's own program, whose start looks for the argument before
    anything else; py2app says where that is.
    """
    program = os.environ.get("EXECUTABLEPATH")
    if getattr(sys, "frozen", None) and program:
        return program, [SERVER_ARGUMENT]
    return sys.executable, ["-m", "mlx_music_app.audio.server"]
