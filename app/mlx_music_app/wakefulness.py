"""Keeps a Mac from going to sleep by itself while music is made."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence

from PySide6.QtCore import QObject, Slot

log = logging.getLogger(__name__)

#: Holds idle sleep off (-i) until it is ended, or until this process is gone (-w), however it went.
#: The display may sleep.
CAFFEINATE = ("/usr/bin/caffeinate", "-i", "-w", str(os.getpid()))


class Wakefulness(QObject):
    """Told whether the app is busy, has the system stay awake for as long. For macOS only."""

    def __init__(self, parent: QObject | None = None, command: Sequence[str] | None = None) -> None:
        super().__init__(parent)
        own = CAFFEINATE if sys.platform == "darwin" else ()
        self._command = tuple(own if command is None else command)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_held(self) -> bool:
        """Whether sleep is held off now."""
        return self._process is not None and self._process.poll() is None

    @Slot(bool)
    def keep(self, busy: bool) -> None:
        """Hold sleep off, or no longer."""
        if not busy:
            self.end()
        elif self._command and not self.is_held:
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
                )
            except OSError as error:
                # Music is made all the same, and only a long song can be caught by sleep.
                log.warning("the system may go to sleep: %s", error)

    def end(self) -> None:
        """Let the system sleep again, and wait until the helper is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(5)
