"""What is heard: playhead, loop, volume and fades, computed block by block.

`render` runs in PortAudio's callback. Everything that changes what it does is handed to it
through a queue and done between two blocks, so nothing here needs a lock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlx_music_app.audio.tracks import Track

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Frames of every fade: starting, stopping, jumping, changing files. 5 ms at 48 kHz.
FADE = 256

#: Frames in which the volume goes from nothing to full at the fastest: no steps to be heard.
_VOLUME_RAMP = 1024

_RISE: NDArray[np.float32] = np.linspace(0.0, 1.0, FADE, endpoint=False, dtype=np.float32)[:, None]
_FALL: NDArray[np.float32] = 1.0 - _RISE


@dataclass(frozen=True)
class Levels:
    """Of what was rendered since the last look: peak and RMS of left and right, 1 is full scale."""

    peak: tuple[float, float] = (0.0, 0.0)
    rms: tuple[float, float] = (0.0, 0.0)


class Mixer:
    """Plays one track into blocks of (frames, 2) float32. Positions are frames of the device."""

    def __init__(self) -> None:
        self.track: Track | None = None
        self.position = 0
        self.loop: tuple[int, int] | None = None
        self.playing = False
        self.finished = False  # set when the end was reached; whoever looks clears it
        self.starved = 0  # frames of silence because decoding had not come so far
        self._volume = self._volume_target = 1.0
        self._since_jump = 0  # frames rendered since playback last started or jumped
        self._rises = False  # whether those fade in; a track's very beginning does not
        self._tail = np.zeros((FADE, 2), np.float32)  # what fades out of what was heard before
        self._tail_left = 0
        self._commands: deque[Callable[[], None]] = deque()
        self._peak = np.zeros(2, np.float32)
        self._squares = np.zeros(2, np.float64)
        self._measured = 0

    # From any thread

    def do(self, command: Callable[[], None]) -> None:
        """Have one of the methods below called between two blocks."""
        self._commands.append(command)

    def settle(self) -> None:
        """Do what is asked for now: for when no stream runs, or between blocks."""
        while self._commands:
            self._commands.popleft()()

    @property
    def settled(self) -> bool:
        """Whether all that was asked for is done."""
        return not self._commands

    def forget(self) -> None:
        """No fade goes on in the next stream of what was heard in the last. For no stream."""
        self._tail_left = 0

    def heard(self, latency: int) -> int:
        """The frame that comes out of the loudspeaker now, `latency` frames after its rendering."""
        behind = min(latency, self._since_jump) if self.playing else 0
        position, loop = self.position - behind, self.loop
        if loop is not None and behind and position < loop[0] <= self.position:
            position = max(loop[0], position + loop[1] - loop[0])
        return max(0, position)

    def levels(self) -> Levels:
        """Since the last call. A block that ends meanwhile may count in neither; nobody sees it."""
        peak, squares, count = self._peak, self._squares, self._measured
        self._peak, self._squares, self._measured = np.zeros(2, np.float32), np.zeros(2), 0
        rms = np.sqrt(squares / max(count, 1))
        return Levels((float(peak[0]), float(peak[1])), (float(rms[0]), float(rms[1])))

    # Commands: from `settle` only

    def play(self) -> None:
        if self.track is None or self.playing:
            return
        if self.loop is not None and not self.loop[0] <= self.position < self.loop[1]:
            self.position = self.loop[0]
        elif self.position >= self.track.frames:
            self.position = 0
        self.playing = True
        if not self._tail_left:
            self._volume = self._volume_target  # nothing sounds that could click
        self._jump(self.position)

    def pause(self) -> None:
        self._keep_tail()
        self.playing = False

    def seek(self, position: int) -> None:
        self._keep_tail()
        self._jump(max(0, position))

    def set_track(self, track: Track | None, position: int) -> None:
        """Go on with another track at `position`, playing or not as before."""
        self._keep_tail()
        self.track = track
        self._jump(position)

    def set_loop(self, loop: tuple[int, int] | None) -> None:
        self.loop = loop

    def set_volume(self, gain: float) -> None:
        self._volume_target = gain

    def _jump(self, position: int) -> None:
        self.position, self._since_jump, self._rises = position, 0, position > 0
        self.finished = False

    # The callback

    def render(self, out: NDArray[np.float32]) -> None:
        """Fill `out` (frames, 2) float32 with what comes next."""
        self.settle()
        filled = self._render_track(out) if self.playing else 0
        out[filled:] = 0.0
        if self._tail_left:
            self._add_tail(out)
        self._apply_volume(out)
        self._measure(out)

    def _render_track(self, out: NDArray[np.float32]) -> int:
        filled = 0
        while filled < len(out) and self.playing:
            count = self._take(out[filled:])
            if count == 0:
                break
            filled += count
        if self.playing and self._since_jump:
            self.starved += len(out) - filled
        return filled

    def _take(self, out: NDArray[np.float32]) -> int:
        """Copy frames up to the loop's or the track's end, and say how many."""
        track = self.track
        if track is None:
            return 0
        end, loop = track.frames, self.loop
        if loop is not None and self.position < loop[1] <= end:
            end = loop[1]
        count = min(len(out), end - self.position)
        playable = max(0, min(count, track.ready - self.position))
        if playable:
            block = out[:playable]
            block[:] = track.samples[self.position : self.position + playable]
            self._fade_in(block)
            self.position += playable
            self._since_jump += playable
        if self.position >= end:
            self._at_end(loop is not None and end == loop[1])
        return playable

    def _at_end(self, loops: bool) -> None:
        if loops and self.loop is not None:
            self.position = self.loop[0]
        else:
            self.playing, self.finished = False, True

    def _fade_in(self, block: NDArray[np.float32]) -> None:
        start = self._since_jump
        if self._rises and start < FADE:
            rise = _RISE[start : start + len(block)]
            block[: len(rise)] *= rise

    def _keep_tail(self) -> None:
        """Take along the next frames of what plays now, fading: there is no click then."""
        if not self.playing or self.track is None:
            return
        position, start = self.position, self._since_jump
        end = min(self.track.ready, self.track.frames)
        frames = self.track.samples[position : min(position + FADE, end)]
        rest = self._tail[FADE - self._tail_left :].copy() if self._tail_left else None
        self._tail[:] = 0.0
        self._tail[: len(frames)] = frames
        if self._rises and start < FADE:  # it was still fading in
            self._tail[: FADE - start] *= _RISE[start:]
        self._tail *= _FALL
        if rest is not None:
            self._tail[: len(rest)] += rest
        self._tail_left = FADE

    def _add_tail(self, out: NDArray[np.float32]) -> None:
        start = FADE - self._tail_left
        part = self._tail[start : start + len(out)]
        out[: len(part)] += part
        self._tail_left -= len(part)

    def _apply_volume(self, out: NDArray[np.float32]) -> None:
        now, target = self._volume, self._volume_target
        if now == target:
            if now != 1.0:
                out *= now
            return
        step = (1.0 if target > now else -1.0) / _VOLUME_RAMP
        ramp = now + step * np.arange(1, len(out) + 1, dtype=np.float32)
        np.clip(ramp, min(now, target), max(now, target), out=ramp)
        out *= ramp[:, None]
        reached = abs(target - now) * _VOLUME_RAMP <= len(out)
        self._volume = target if reached else float(ramp[-1])

    def _measure(self, out: NDArray[np.float32]) -> None:
        if not len(out):
            return
        np.maximum(self._peak, np.abs(out).max(axis=0), out=self._peak)
        self._squares += np.einsum("ij,ij->j", out, out)
        self._measured += len(out)
