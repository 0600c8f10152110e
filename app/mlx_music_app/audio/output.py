"""What plays that which a mixer renders: a PortAudio stream, or none."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mlx_music_app.audio.devices import Device, NoSoundOutput, portaudio
from mlx_music_app.audio.mixer import Mixer

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Seconds that the sound is ahead of the loudspeaker: enough for a busy machine, and so little
#: that a key and what it does feel like one. PortAudio's "high" would be 11 ms on many Macs.
_LATENCY = 0.06

#: A stream that has asked for nothing for so long is dead; Bluetooth takes a second to wake up.
_STALLED = 3.0  # seconds

#: Frames that the silent output asks for at a time.
_BLOCK = 480


class Output:
    """One device, open. Raises NoSoundOutput if it cannot be opened or started."""

    def __init__(self, device: Device, mixer: Mixer) -> None:
        self.device = device
        self.blocks = self.underflows = 0
        self.slowest = 0.0  # seconds that the longest callback took
        self._mixer = mixer
        self._stereo = np.zeros((1, 2), np.float32)
        self._seen, self._seen_at = 0, 0.0
        sd = portaudio()
        try:
            self._stream: Any = sd.OutputStream(
                device=device.index,
                samplerate=device.rate,
                channels=device.channels,
                dtype="float32",
                latency=_LATENCY,
                callback=self._callback,
            )
            self._stream.start()
        except sd.PortAudioError as error:
            raise NoSoundOutput(f"{device.name} cannot play sound ({error}).") from error
        self._seen_at = time.monotonic()

    @property
    def latency(self) -> int:
        """Frames from the rendering of a sample to its sound."""
        return round(float(self._stream.latency) * self.device.rate)

    @property
    def lost(self) -> bool:
        """Whether the device has stopped asking for sound, as when it was unplugged."""
        now = time.monotonic()
        if self.blocks != self._seen:
            self._seen, self._seen_at = self.blocks, now
        return not self._stream.active or now - self._seen_at > _STALLED

    def close(self) -> None:
        """Stop at once. A device that is gone may say errors, which say nothing new."""
        self._stream.close(ignore_errors=True)

    def _callback(self, out: NDArray[np.float32], frames: int, _time: object, status: Any) -> None:
        began = time.perf_counter()
        if status.output_underflow and self.blocks:
            self.underflows += 1
        if out.shape[1] == 2:
            self._mixer.render(out)
        else:
            if len(self._stereo) != frames:
                self._stereo = np.zeros((frames, 2), np.float32)
            self._mixer.render(self._stereo)
            np.mean(self._stereo, axis=1, keepdims=True, out=out)
        self.blocks += 1
        self.slowest = max(self.slowest, time.perf_counter() - began)


class SilentOutput:
    """In place of `Output` where no device may be opened: sound passes at its own pace, unheard."""

    latency, underflows, lost = 0, 0, False

    def __init__(self, device: Device, mixer: Mixer) -> None:
        self.device = device
        self.slowest = 0.0
        self._mixer = mixer
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="silent output", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        block = np.zeros((_BLOCK, 2), np.float32)
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            began = time.perf_counter()
            self._mixer.render(block)
            self.slowest = max(self.slowest, time.perf_counter() - began)
            due += _BLOCK / self.device.rate
