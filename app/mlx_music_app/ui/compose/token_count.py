"""Counts what the model will hear of the lyrics, off the main thread, once typing pauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from mlx_music_app.background import Background

#: Lyrics and language to a number of tokens; may take a while, and raise an `MLXMusicError`.
CountTokens = Callable[[str, "str | None"], int]

_PAUSE_MS = 400


class TokenCounter(QObject):
    """Asks for one count at a time, and always for the newest lyrics."""

    counted = Signal(object)  # int, or None while it is not known
    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._count: CountTokens | None = None
        self._background: Background | None = None
        self._wanted: tuple[str, str | None] = ("", None)
        self._asked: tuple[str, str | None] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._ask)

    def use(self, count: CountTokens | None, background: Background | None) -> None:
        """What counts, from now on; None for nothing."""
        self._count, self._background = count, background
        self._timer.start(0)

    def want(self, lyrics: str, language: str | None) -> None:
        """The lyrics have become these."""
        if (lyrics, language) != self._wanted:
            self._wanted = (lyrics, language)
            self._timer.start(_PAUSE_MS)

    def _ask(self) -> None:
        count, background = self._count, self._background
        if count is None or background is None or not self._wanted[0].strip():
            self.counted.emit(None)
            return
        if self._asked is not None:
            return  # asked again when the answer is there
        wanted = self._asked = self._wanted

        def work() -> tuple[Any, int]:
            return wanted, count(*wanted)

        background.run(work, self._done, self._failed)

    def _done(self, answer: tuple[Any, int]) -> None:
        self._asked = None
        if answer[0] == self._wanted:
            self.counted.emit(answer[1])
        else:
            self._ask()

    def _failed(self, error: Exception) -> None:
        asked, self._asked = self._asked, None
        if asked == self._wanted:
            self.counted.emit(None)
            self.failed.emit(str(error))
        else:
            self._ask()
