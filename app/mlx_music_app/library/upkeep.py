"""What looks after the library in the background: scans of the music folder, and the journal."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from mlx_music_app.background import Background
from mlx_music_app.library.files import TakeFiles
from mlx_music_app.library.peaks import prune_cache
from mlx_music_app.library.scan import Found, Scan, keep_journal
from mlx_music_app.library.serial import Serial


class Upkeep(QObject):
    """Runs scans one after another, and everything else that must stay in order beside them.

    serial: for the latter; the trash uses it too.
    """

    scanned = Signal(object)  # Found
    failed = Signal(Exception)  # a scan
    progressed = Signal(int, int)  # new files looked at, of how many
    problem = Signal(str)

    _progress = Signal(int, int)  # emitted on the scan's thread

    def __init__(
        self,
        database: Path,
        files: TakeFiles,
        background: Background,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.serial = Serial(background, self)
        self._database, self._files = database, files
        self._scans = Serial(background, self)
        self._stop = threading.Event()
        self._started = datetime.now(timezone.utc)
        self._has_failed = False
        self._progress.connect(self._on_progress)

    def start(self) -> None:
        """From now on it is this session: what is half done from before is to be settled."""
        self._stop.clear()
        self._started = datetime.now(timezone.utc)
        self.serial.run(prune_cache)

    def stop(self) -> None:
        """End what is running, and wait for it. `start` lets things go on."""
        self._stop.set()
        self._scans.wait()
        self.serial.wait()

    def scan(self, *, full: bool = False, first: bool = False) -> None:
        """Look through the music folder, after the scan that may be running."""
        scan = Scan(
            self._database,
            self._files,
            self._stop,
            self._progress.emit,
            self._started,
            full=full,
            first=first,
        )
        self._scans.run(scan.run, self._on_scanned, self._on_scan_failed)

    def rescan(self) -> None:
        """A scan, unless one is waiting already."""
        if not self._scans.waiting:
            self.scan()

    def keep_journal(self, *, anew: bool = False) -> None:
        """Write to the journal soon; one that waits is enough for many changes.

        anew: the music folder is another, whose journal lacks everything.
        """
        if anew or not self.serial.waiting:
            database, folder = self._database, self._files.folder
            self.serial.run(
                lambda: keep_journal(database, folder, anew=anew), failed=self._on_journal_failed
            )

    # Slots and no signals are connected to what comes from threads: these run on the main thread.

    @Slot(object)
    def _on_scanned(self, found: Found) -> None:
        self.scanned.emit(found)

    @Slot(Exception)
    def _on_scan_failed(self, error: Exception) -> None:
        self.failed.emit(error)

    @Slot(int, int)
    def _on_progress(self, done: int, total: int) -> None:
        self.progressed.emit(done, total)

    @Slot(Exception)
    def _on_journal_failed(self, error: Exception) -> None:
        # Once is enough: while there is the catalogue, nothing is lost.
        if not self._has_failed:
            self._has_failed = True
            self.problem.emit(str(error))
