"""The process that plays: commands come as lines of JSON, and events go out as such.

    {"do": "load", "id": 3, "path": "/music/song.wav"}      keep: go on at the same position
    {"do": "play"}  {"do": "pause"}  {"do": "seek", "position": 12.5}
    {"do": "loop", "start": 1.0, "end": 2.5}                without start and end: none
    {"do": "volume", "gain": 0.5}  {"do": "device", "name": ""}  {"do": "devices"}

Every command has an `id`, a rising number; an event carries that of the last command before it,
so that the window can tell news from what was on its way. The process ends when its input does:
if the app is killed, so is the sound.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlx_music_app.audio import devices
from mlx_music_app.audio.devices import NoSoundOutput
from mlx_music_app.audio.mixer import Levels, Mixer
from mlx_music_app.audio.output import Output, SilentOutput
from mlx_music_app.audio.tracks import Track, TrackError

log = logging.getLogger(__name__)

#: Seconds between looks at what goes on, and events, while playing and while not.
_TICK, _IDLE_TICK = 1 / 30, 0.5

#: Tracks kept decoded: two to compare, and the next.
_KEPT = 3

#: A stream that plays silence keeps a Mac awake: it is closed after so many seconds of pause.
_REST = 3.0

#: Where there is no device to ask, a file is still opened, for its length.
_RATE_WITHOUT_DEVICE = 48_000

#: How much of the other file must be decoded before playback changes over to it, in seconds.
_AHEAD = 0.5


class Server:
    """Carries out commands and reports. All of it runs on one thread; the callback on another."""

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        self._emit = emit
        self._mixer = Mixer()
        self._output: Output | SilentOutput | None = None
        self._tracks: dict[tuple[Any, ...], Track] = {}
        self._next: Track | None = None  # changed over to as soon as enough of it is decoded
        self._wanted = ""  # the device that was chosen; "" follows the system
        self._loop: tuple[float, float] | None = None
        self._rate = 0  # of the tracks
        self._last_id = 0
        self._was_playing = False
        self._quiet_since = time.monotonic()
        self._hardware, self._hardware_seen = devices.hardware_state(), 0.0
        self._underflows = 0  # of streams that are closed

    # Commands

    def carry_out(self, command: dict[str, Any]) -> None:
        """Do what one line says. Raises nothing for what can go wrong with files and devices."""
        action = getattr(self, f"_do_{command.pop('do')}")
        self._last_id = command.pop("id", self._last_id)
        try:
            action(**command)
        except NoSoundOutput as error:
            self._fail(str(error))

    def _do_load(self, path: str, keep: bool = False) -> None:
        self._next = None
        try:
            track = self._track(Path(path))
        except TrackError as error:
            if keep:
                self._emit_event("failed", message=str(error), path=path)
            else:
                self._mixer.do(lambda: self._mixer.set_track(None, 0))
                self._fail(str(error), path=path)
            return
        if keep and self._mixer.track is not None:
            self._next = track
            self._change_over()
        else:
            self._mixer.do(lambda: self._mixer.set_track(track, 0))
            self._settle()
        self._emit_event("loaded", path=path, duration=track.duration)

    def _do_play(self) -> None:
        if self._mixer.track is None:
            return
        self._ensure_output()
        self._mixer.do(self._mixer.play)
        self._quiet_since = time.monotonic()

    def _do_pause(self) -> None:
        self._mixer.do(self._mixer.pause)
        self._settle()

    def _do_seek(self, position: float) -> None:
        # A file that is yet to come takes the position over.
        frame = round(position * (self._rate or _RATE_WITHOUT_DEVICE))
        self._mixer.do(lambda: self._mixer.seek(frame))
        self._settle()

    def _do_loop(self, start: float | None = None, end: float | None = None) -> None:
        self._loop = None if start is None or end is None else (start, end)
        self._apply_loop()

    def _do_volume(self, gain: float) -> None:
        self._mixer.do(lambda: self._mixer.set_volume(gain))
        self._settle()

    def _do_device(self, name: str) -> None:
        if name == self._wanted and self._output is not None:
            return
        self._wanted = name
        if self._output is not None:
            self._change_output()

    def _do_devices(self) -> None:
        if not self._mixer.playing:
            self._look_again()
        self._emit_devices()

    # Looking after what plays

    def tick(self) -> None:
        """What must be seen to all the time; called at least every `_TICK` seconds in playing."""
        self._settle()
        if self._output is not None and self._output.lost:
            self._device_lost()
        if self._next is not None:
            self._change_over()
        track = self._mixer.track
        if track is not None and track.error is not None:
            message, track.error = track.error, None
            self._fail(message)
        self._watch_hardware()
        self._report()
        if self._output is not None and not self._mixer.playing:
            if time.monotonic() - self._quiet_since > _REST:
                self._close_output()
        else:
            self._quiet_since = time.monotonic()

    def pause_between_ticks(self) -> float:
        """Seconds."""
        busy = self._output is not None or self._next is not None
        return _TICK if busy else _IDLE_TICK

    def close(self) -> None:
        self._close_output()
        for track in self._tracks.values():
            track.close()

    def _report(self) -> None:
        mixer = self._mixer
        if not mixer.settled:
            return  # what would be said now is old already
        finished = mixer.finished
        if finished:
            mixer.finished = False
        playing = mixer.playing
        if playing or self._was_playing:
            levels = mixer.levels() if playing else Levels()
            latency = self._output.latency if self._output is not None else 0
            self._emit_event(
                "tick",
                position=mixer.heard(latency) / (self._rate or _RATE_WITHOUT_DEVICE),
                playing=playing,
                peak=levels.peak,
                rms=levels.rms,
                underflows=self._underflows + (self._output.underflows if self._output else 0),
                starved=mixer.starved,
                slowest=self._output.slowest if self._output else 0.0,
            )
        if finished:
            self._emit_event("finished")
        self._was_playing = playing

    def _settle(self) -> None:
        """Where no callback does it, do what the mixer is asked for."""
        if self._output is None:
            self._mixer.settle()

    # Files

    def _track(self, path: Path) -> Track:
        if not self._rate:
            self._rate = self._device_rate()
        try:
            stat = path.stat()
        except OSError as error:
            raise TrackError(f"{path.name} is not where it was ({path.parent}).") from error
        key = (path, stat.st_mtime_ns, stat.st_size, self._rate)
        track = self._tracks.pop(key, None) or Track(path, self._rate)
        self._tracks[key] = track  # the last one is the youngest
        for old in list(self._tracks)[:-_KEPT]:
            if self._tracks[old] is not self._mixer.track:
                self._tracks.pop(old).close()
        return track

    def _change_over(self) -> None:
        track, mixer = self._next, self._mixer
        assert track is not None
        needed = min(track.frames, mixer.position + round(_AHEAD * self._rate))
        if track.ready < needed and not track.error:
            return
        self._next = None
        mixer.do(lambda: mixer.set_track(track, min(mixer.position, track.frames)))
        self._settle()

    def _apply_loop(self) -> None:
        loop, rate = self._loop, self._rate or _RATE_WITHOUT_DEVICE
        frames = None
        if loop is not None and round(loop[1] * rate) > round(loop[0] * rate):
            frames = (round(loop[0] * rate), round(loop[1] * rate))
        self._mixer.do(lambda: self._mixer.set_loop(frames))
        self._settle()

    # Devices

    def _device_rate(self) -> int:
        try:
            return devices.find_device(self._wanted).rate
        except NoSoundOutput:
            return _RATE_WITHOUT_DEVICE

    def _ensure_output(self) -> None:
        if self._output is not None:
            return
        try:
            self._open_output(self._wanted)
            return
        except NoSoundOutput as error:
            log.info("%s", error)
        # The list may be old: look again; and then take what the system takes.
        devices.restart_portaudio()
        try:
            self._open_output(self._wanted)
        except NoSoundOutput:
            if not self._wanted:
                raise
            self._open_output("")
            self._emit_event("lost", name=self._wanted, plays=True)

    def _open_output(self, name: str) -> None:
        device = devices.find_device(name)
        if device.rate != self._rate:
            self._change_rate(device.rate)
        # Until the stream runs, nobody else looks into the mixer.
        self._mixer.settle()
        kind = SilentOutput if device.name == devices.SILENT else Output
        self._output = kind(device, self._mixer)
        self._emit_devices()

    def _change_rate(self, rate: int) -> None:
        """Decode again for a device of another rate, and go on at the same place."""
        mixer, old = self._mixer, self._next or self._mixer.track
        self._next = None
        seconds = mixer.position / (self._rate or rate)
        self._rate = rate
        self._apply_loop()
        if old is not None:
            track = self._track(old.path)
            mixer.do(lambda: mixer.set_track(track, round(seconds * rate)))
            self._settle()

    def _close_output(self) -> None:
        if self._output is not None:
            output, self._output = self._output, None
            output.close()
            self._underflows += output.underflows
            self._mixer.settle()
            self._mixer.forget()

    def _change_output(self) -> None:
        """Another device is wanted: go on there, where the old one was heard."""
        playing = self._mixer.playing
        if playing:
            self._step_back()
        self._close_output()
        if playing:
            self._ensure_output()
            self._mixer.do(self._mixer.play)

    def _step_back(self) -> None:
        """Stop where the person has heard it stop, not where it was rendered."""
        mixer, output = self._mixer, self._output
        assert output is not None
        heard = mixer.heard(output.latency)
        mixer.do(mixer.pause)
        mixer.do(lambda: mixer.seek(heard))

    def _device_lost(self) -> None:
        output = self._output
        assert output is not None
        playing = self._mixer.playing
        if playing:
            self._step_back()
        self._close_output()
        self._was_playing = playing  # where it stopped is news
        if playing:
            # Going on by itself would burst out of loudspeakers when headphones are pulled.
            self._emit_event("lost", name=output.device.name)
        self._look_again()
        self._emit_devices()

    def _look_again(self) -> None:
        self._close_output()
        try:
            devices.restart_portaudio()
        except NoSoundOutput as error:
            log.info("%s", error)

    def _watch_hardware(self) -> None:
        now = time.monotonic()
        if now - self._hardware_seen < 1.0:
            return
        self._hardware_seen = now
        state = devices.hardware_state()
        if state == self._hardware:
            return
        default_changed = state.split(b"|")[0] != self._hardware.split(b"|")[0]
        if self._mixer.playing and (self._wanted or not default_changed):
            return  # looking would interrupt the sound: later
        self._hardware = state
        playing = self._mixer.playing
        if playing:
            self._step_back()
        self._look_again()
        if playing:
            self._do_play()
        self._emit_devices()

    # Events

    def _emit_devices(self) -> None:
        self._emit_event(
            "devices",
            names=devices.output_devices(),
            default=devices.default_output(),
            current=self._output.device.name if self._output else "",
        )

    def _fail(self, message: str, **more: str) -> None:
        self._mixer.do(self._mixer.pause)
        self._settle()
        self._emit_event("failed", message=message, **more)

    def _emit_event(self, event: str, **values: Any) -> None:
        self._emit({"event": event, "id": self._last_id, **values})


def _hurry() -> None:
    """Ask the system to let this process go first. The callback's own thread is real-time where
    the system has such, but it may have to wait for this one to let Python's lock go."""
    # The callback must not wait for other threads, nor for the collection of garbage.
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()
    gc.disable()
    if sys.platform == "darwin":
        # QOS_CLASS_USER_INTERACTIVE, of sys/qos.h; it is not granted to processes of low priority.
        ctypes.CDLL(None).pthread_set_qos_class_self_np(0x21, 0)


def main() -> int:
    """Serve until the input ends."""
    # Libraries of sound systems print what they like: only our own lines may go out.
    events = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO, format="audio: %(message)s")
    _hurry()

    def emit(event: dict[str, Any]) -> None:
        os.write(events, json.dumps(event).encode() + b"\n")

    server = Server(emit)
    try:
        _serve(server, sys.stdin.fileno())
    except BrokenPipeError:
        pass  # the app is gone
    finally:
        server.close()
    return 0


def _serve(server: Server, commands: int) -> None:
    rest = b""
    while True:
        ready, _, _ = select.select([commands], [], [], server.pause_between_ticks())
        if ready:
            data = os.read(commands, 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                server.carry_out(json.loads(line))
        server.tick()


if __name__ == "__main__":
    sys.exit(main())
