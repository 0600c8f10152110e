"""The app from its start to its end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import shiboken6
from PySide6.QtCore import QEvent, QObject, QSocketNotifier, Qt, QTimer, Signal
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication, QMessageBox

from mlx_music import MLXMusicError, __version__
from mlx_music_app import diagnostics
from mlx_music_app.menu_bar import DockBadge, MenuBarExtra
from mlx_music_app.parts import Parts
from mlx_music_app.preferences import Preferences
from mlx_music_app.single_instance import FirstInstance, hand_over
from mlx_music_app.ui.main_window import MainWindow
from mlx_music_app.ui.style.theme import theme
from mlx_music_app.wakefulness import Wakefulness
from mlx_music_app.wiring import Wiring

log = logging.getLogger(__name__)


class MusicApplication(QApplication):
    """Qt's application, and the files that Finder opens with it."""

    fileOpened = Signal(object)  # Path

    def __init__(self, arguments: Sequence[str]) -> None:
        super().__init__(list(arguments))
        self.setApplicationName("MLX Music")
        self.setApplicationDisplayName("MLX Music")
        self.setApplicationVersion(__version__)
        self.setDesktopFileName("mlx-music")

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self.fileOpened.emit(Path(event.file()))
            return True
        return super().event(event)


class Session(QObject):
    """One run of the app: makes everything, and ends everything."""

    def __init__(self, app: QApplication, parts: Parts | None = None) -> None:
        super().__init__()
        self._app = app
        self._waiting: list[Path] = []
        self._extra: MenuBarExtra | None = None
        self._badge: DockBadge | None = None
        self._wakefulness = Wakefulness(self)
        self.window: MainWindow | None = None
        self.crashes = diagnostics.CrashReporter(self)
        self.first = FirstInstance(self)
        self.preferences = parts.preferences if parts is not None else Preferences(self)
        self.preferences.changed.connect(self._on_preference)
        theme().apply(app, str(self.preferences.get("appearance")))
        self.parts = parts or Parts(self.preferences)
        if isinstance(app, MusicApplication):
            app.fileOpened.connect(self._on_file)

    def start(self, files: Sequence[Path] = ()) -> None:
        """Show the window; what takes time comes after it is painted.

        Raises `LibraryError` if the library cannot be opened.
        """
        self.parts.open()
        with theme().building():
            window = self.window = MainWindow(self.parts)
        self.wiring = Wiring(self.parts, window)
        self.parts.controller.busyChanged.connect(self._wakefulness.keep)
        self.crashes.crashed.connect(self._on_crash)
        self.first.startedAgain.connect(self._on_started_again)
        window.closing.connect(self._on_closing)
        self._app.applicationStateChanged.connect(self._on_state)
        self._waiting += files
        window.show()
        QTimer.singleShot(0, self._after_first_paint)

    def end(self) -> bool:
        """Stop everything that runs; False if something did not end in time."""
        self.first.close()
        if self._extra is not None:
            self._extra.hide()
        ended = self.parts.close()
        self._wakefulness.end()
        if self.window is not None:
            # Now, in this order, and not when the interpreter happens to come across it.
            shiboken6.delete(self.window)
            self.window = None
        return ended

    def _after_first_paint(self) -> None:
        if self.window is None:  # over already
            return
        self.first.listen()
        if MenuBarExtra.is_available():
            extra = MenuBarExtra(self.parts, self.window.takes.playback, self)
            extra.windowWanted.connect(self.window.come_forward)
            extra.generateWanted.connect(self._on_quick_generate)
            extra.quitWanted.connect(self.window.quit)
            self._extra = extra
        self._badge = DockBadge(self.parts, self)
        self.parts.models.refresh()
        files, self._waiting = self._waiting, []
        if files:
            self.window.open_files(files)

    def _on_file(self, path: Path) -> None:
        if self.window is None:  # the Finder is faster than the window
            self._waiting.append(path)
        else:
            self.window.come_forward()
            self.window.open_files([path])

    def _on_started_again(self, files: Sequence[Path]) -> None:
        assert self.window is not None
        self.window.come_forward()
        if files:
            self.window.open_files(files)

    def _on_quick_generate(self) -> None:
        """Without showing the window, unless something has to be put right there."""
        assert self.window is not None
        before = len(self.parts.controller.jobs())
        self.window.compose.generate()
        if len(self.parts.controller.jobs()) == before:
            self.window.show_place("compose")
            self.window.come_forward()

    def _on_preference(self, name: str) -> None:
        if name == "appearance":
            theme().apply(self._app, str(self.preferences.get(name)))

    def _on_state(self, state: Qt.ApplicationState) -> None:
        if state == Qt.ApplicationState.ApplicationActive and self.parts.library.is_open:
            self.parts.library.rescan()

    def _on_crash(self, line: str) -> None:
        assert self.window is not None
        self.window.notice.complain(
            f"Something went wrong inside MLX Music ({line}). You can go on; "
            "if it happens again, tell us.",
            action=("diagnostics", "Copy diagnostics"),
        )

    def _on_closing(self) -> None:
        # First out of sight: ending a run takes up to a step.
        assert self.window is not None
        self.window.hide()
        self._app.quit()


def run(files: Sequence[Path]) -> int:
    """Start the app and return its exit code when it is quit."""
    if hand_over(files):
        return 0
    app = MusicApplication(sys.argv[:1])
    session: Session | None = None
    try:
        diagnostics.start_logging()
        session = Session(app)
        session.crashes.install()
        signals = _Signals(session)
        session.start(files)
    except (OSError, MLXMusicError) as error:
        _say_why(error)
        if session is not None:
            _end(session, 1)
        return 1
    code = int(app.exec())
    signals.close()
    _end(session, code)
    return code


def _say_why(error: Exception) -> None:
    """Why the app cannot start: to the log or the terminal, and in a dialog."""
    line = str(error)
    if isinstance(error, OSError) and error.filename:
        line = (
            f"MLX Music cannot write {error.filename} ({error.strerror}). "
            "Make the folder writable, or free the name, and start again."
        )
    log.error("cannot start: %s", line)
    if logging.getLogger().handlers:  # else it went to the terminal for want of a log
        print(line, file=sys.stderr)
    QMessageBox.critical(None, "MLX Music", line)


def _end(session: Session, code: int) -> None:
    if not session.end():
        # A thread is still inside a step of the model. Leaving as Python does would destroy it
        # while it runs, and Qt then aborts: the system would report a crash. All is written.
        session.preferences.sync()
        logging.shutdown()
        os._exit(code)
    session.crashes.remove()


class _Signals(QObject):
    """Ctrl-C and the system's wish that we end: as if the window was closed, without questions."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        # Python runs its handlers only when it is its turn: a byte on a socket wakes it up.
        self._ours, theirs = socket.socketpair()
        self._theirs = theirs
        theirs.setblocking(False)
        self._before = signal.set_wakeup_fd(theirs.fileno())
        self._notifier = QSocketNotifier(self._ours.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_byte)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def close(self) -> None:
        self._notifier.setEnabled(False)
        signal.set_wakeup_fd(self._before)
        self._ours.close()
        self._theirs.close()

    def _on_byte(self) -> None:
        self._ours.recv(64)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._session.window is not None:
            self._session.window.close_without_asking()
