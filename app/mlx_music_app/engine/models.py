"""The one model that is in memory. For the engine's thread only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx_music import Progress

#: Opens (model, memory limit in GB or None, progress). Another one for tests.
Opener = Callable[[str, "float | None", Progress], Any]


def open_model(model: str, memory_limit: float | None, progress: Progress) -> Any:
    """The model called `model`: a folder, a hub id that is installed, or a built-in one.

    Nothing is downloaded: that is done only where the person asks for it.
    """
    from mlx_music import ACEStep

    return ACEStep.from_pretrained(
        model, download=False, memory_limit=memory_limit, progress=progress
    )


class LoadedModel:
    """Keeps the model that was used last, and lets it go when another is needed."""

    def __init__(self, opener: Opener, changed: Callable[[str], None]) -> None:
        self._opener = opener
        self._changed = changed
        self._key: tuple[str, float | None] | None = None
        self._model: Any = None

    def has(self, model: str, memory_limit: float | None) -> bool:
        return self._key == (model, memory_limit)

    def get(self, model: str, memory_limit: float | None, progress: Progress) -> Any:
        """The model, opened if it is not the one that is loaded. Raises what opening raises."""
        if not self.has(model, memory_limit):
            self.unload()
            self._model = self._opener(model, memory_limit, progress)
            self._key = model, memory_limit
            self._changed(model)
        return self._model

    def unload(self) -> None:
        """Free its memory."""
        if self._key is None:
            return
        # A model is in no cycle: it is gone with this. To collect garbage here would delete other
        # threads' widgets (see `main_thread_gc`).
        self._key, self._model = None, None
        import mlx.core as mx

        mx.clear_cache()
        self._changed("")
