"""Everything that lives as long as the app does, made and ended in the right order."""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication

from mlx_music_app import diagnostics
from mlx_music_app.audio.player import Player
from mlx_music_app.background import Background
from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.models import Opener, open_model
from mlx_music_app.engine.saved_queue import SavedQueue
from mlx_music_app.library.library import Library
from mlx_music_app.main_thread_gc import MainThreadCollector
from mlx_music_app.models.service import ModelService
from mlx_music_app.preferences import Preferences

log = logging.getLogger(__name__)


class Parts(QObject):
    """The services behind the window. None of them loads the model's code when it is made."""

    def __init__(
        self,
        preferences: Preferences | None = None,
        *,
        player: Player | None = None,
        opener: Opener = open_model,
    ) -> None:
        super().__init__()
        self.preferences = preferences or Preferences(self)
        self.background = Background(self)
        self.library = Library(self.preferences, self.background, self)
        self.controller = EngineController(
            self.preferences, self.library.files, self, opener=opener
        )
        self.saved_queue = SavedQueue(self.controller, self)
        self._garbage = MainThreadCollector(self._is_busy, self)
        self._garbage.start()
        self.models = ModelService(self.controller, self.background, self.preferences, self)
        self.player = player or Player(self)
        self.player.set_volume(float(self.preferences.get("volume")))
        self.player.set_device(str(self.preferences.get("output_device")))
        self._closed = False

    def open(self) -> None:
        """Open the library and the queue. Raises `LibraryError`, which says what to do."""
        self.library.open()
        self.saved_queue.open()

    def unfinished_jobs(self) -> int:
        """How many would be stopped."""
        return len(self.controller.unfinished())

    def copy_diagnostics(self) -> None:
        """What to send when asking for help, to the clipboard."""
        model = self.controller.model or str(self.preferences.get("model"))
        QGuiApplication.clipboard().setText(diagnostics.report(model))

    def close(self) -> bool:
        """End everything that runs; False if something did not end in time."""
        if self._closed:
            return True
        self._closed = True
        self.saved_queue.close()
        models = self.models.shutdown()
        ended = self.controller.shutdown()
        self.player.close()
        # First: it tells a scan to end, which may have thousands of files to read yet.
        self.library.close()
        background = self.background.wait()
        self._garbage.stop()
        if not (models and ended and background):
            log.warning("not everything ended: %s", (models, ended, background))
        return models and ended and background

    def _is_busy(self) -> bool:
        return self.controller.busy or self.player.playing
