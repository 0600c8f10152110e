"""Stand-ins for what a test has no use for."""

from __future__ import annotations

from pathlib import Path

from mlx_music_app.audio.player import Player


class SilentPlayer(Player):
    """The player without its process: what would be sent to it is kept.

    duration: of every file, whose opening is answered at once; None leaves all answers to the test.
    """

    def __init__(self, duration: float | None = 1.0) -> None:
        super().__init__()
        self.sent: list[tuple[str, dict[str, object]]] = []
        self._answer = duration

    def answer(self, event: str, **values: object) -> None:
        """What the process says to the last command."""
        self._take_in({"event": event, "id": self._last_id, **values})

    def tick(self, position: float, playing: bool = True, level: float = 0.5) -> None:
        """What the process says about thirty times a second."""
        self.answer(
            "tick",
            position=position,
            playing=playing,
            peak=(level, level),
            rms=(level / 2, level / 2),
            underflows=0,
            starved=0,
            slowest=0.0,
        )

    def reach(self, seconds: float) -> None:
        self._move_to(seconds)

    def close(self) -> None:
        self._watchdog.stop()
        self._set_playing(False)

    def _open(self, path: Path, *, keep: bool) -> None:
        super()._open(path, keep=keep)
        if self._answer is not None:
            self.answer("loaded", duration=self._answer)

    def _send(self, command: str, **values: object) -> bool:
        self._last_id += 1
        self.sent.append((command, values))
        return True
