"""Stand-ins for what a test has no use for."""

from __future__ import annotations

from pathlib import Path

from mlx_music_app.audio.player import Player


class SilentPlayer(Player):
    """The player without its process: it remembers what it was asked for.

    `reach` says what the process would say of the position.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, object]] = []

    def load(self, path: Path | str) -> None:
        self.asked.append(("load", Path(path)))
        self._path = Path(path)
        self._duration = 1.0
        self._move_to(0.0)
        self.loaded.emit(self._path)

    def swap(self, path: Path | str) -> None:
        self.asked.append(("swap", Path(path)))
        self._path = Path(path)
        self.loaded.emit(self._path)

    def play(self) -> None:
        self.asked.append(("play", self._path))
        if self._path is not None:
            self._set_playing(True)

    def pause(self) -> None:
        self.asked.append(("pause", self._path))
        self._set_playing(False)

    def seek(self, seconds: float) -> None:
        self.asked.append(("seek", seconds))
        self._move_to(seconds)

    def reach(self, seconds: float) -> None:
        self._move_to(seconds)

    def close(self) -> None:
        self._set_playing(False)

    def _send(self, command: str, **values: object) -> bool:
        self.asked.append((command, values))
        return True
