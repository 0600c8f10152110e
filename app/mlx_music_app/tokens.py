"""Counting the tokens of lyrics, off the main thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlx_music.ace_step.lyrics import LyricTokenizer


class TokenCounter:
    """Called with lyrics and language, from any thread. It reads the vocabulary when needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokenizer: LyricTokenizer | None = None

    def __call__(self, lyrics: str, language: str | None) -> int:
        """Tokens that the model would read. Raises `MLXMusicError`, also where the vocabulary is
        not downloaded: the network is not for counting."""
        from mlx_music.ace_step.lyrics import LyricTokenizer
        from mlx_music.ace_step.vocabulary import find_vocabulary

        with self._lock:
            if self._tokenizer is None:
                self._tokenizer = LyricTokenizer(find_vocabulary(download=False))
            return len(self._tokenizer.encode(lyrics, language))
