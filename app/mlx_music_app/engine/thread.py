"""The one thread on which the model lives."""

from __future__ import annotations

import logging
from queue import SimpleQueue
from typing import Any

from PySide6.QtCore import QObject, QThread, Signal

from mlx_music import Cancelled, MLXMusicError
from mlx_music_app.background import without_frames
from mlx_music_app.engine.models import LoadedModel, Opener, open_model
from mlx_music_app.engine.work import Work

log = logging.getLogger(__name__)

#: Bytes. MLX walks deep graphs by recursion, and Qt's threads get half a megabyte on a Mac.
STACK_SIZE = 16 * 1024 * 1024


class EngineThread(QThread):
    """Loads, seeds, generates and unloads, one piece of work after another, until it is ended.

    MLX's arrays belong to the thread that made them, so there is one of these as long as the app
    runs. Signals carry plain values; connect them to methods of QObjects of the main thread,
    because Qt calls anything else on this thread.
    """

    ended = Signal(str, object, object)  # id of the work, its result, its error or None
    modelChanged = Signal(str)

    def __init__(self, opener: Opener = open_model, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("engine")
        self.setStackSize(STACK_SIZE)
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._opener = opener

    def do(self, work: Work) -> None:
        """Do `work` after what was given before; `ended` follows. From any thread."""
        self._waiting.put(work)

    def end(self) -> None:
        """Let the model go and end, after what was given before. From any thread."""
        self._waiting.put(None)

    def run(self) -> None:
        """Qt's entry: the body of the thread."""
        loaded = LoadedModel(self._opener, self.modelChanged.emit)
        while (work := self._waiting.get()) is not None:
            result, error = self._try(work, loaded)
            work_id = work.id
            # Nothing of it may outlive it here: it may hold the person's music.
            del work
            self.ended.emit(work_id, result, error)
            del result, error
        loaded.unload()

    def _try(self, work: Work, loaded: LoadedModel) -> tuple[Any, Exception | None]:
        try:
            return work.run(loaded), None
        except Cancelled as error:
            return None, without_frames(error)
        except MLXMusicError as error:
            log.info("work failed: %s", error)
            return None, without_frames(error)
        # There is nobody above to tell: it goes to the log, and the person gets a line.
        except Exception as error:
            log.exception("unexpected error on the engine's thread")
            return None, without_frames(error)
