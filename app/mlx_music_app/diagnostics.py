"""The log, what happens when something breaks, and what a person can send when asking for help."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import platform
import sys
import threading
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, Signal, qInstallMessageHandler

from mlx_music import __version__
from mlx_music_app import paths

log = logging.getLogger(__name__)

_crash_log: TextIO | None = None

LOG_NAME = "mlx-music.log"
CRASH_NAME = "crash.log"
_MAX_BYTES = 1_000_000
_KEPT = 3
_LINES = 200
_PACKAGES = ("mlx", "numpy", "PySide6_Essentials", "soundfile", "sounddevice", "huggingface_hub")


def log_file() -> Path:
    return paths.log_folder() / LOG_NAME


def start_logging() -> None:
    """Write the log into its folder, a few megabytes at most, and crashes of C code beside it."""
    folder = paths.log_folder()
    folder.mkdir(parents=True, exist_ok=True)
    global _crash_log
    # Left open for as long as the process lives: it is written to when nothing else works. First,
    # because it tells whether the folder can be written to.
    _crash_log = (folder / CRASH_NAME).open("a", encoding="utf-8")
    handler = logging.handlers.RotatingFileHandler(
        log_file(), maxBytes=_MAX_BYTES, backupCount=_KEPT, encoding="utf-8", delay=True
    )
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)-7s %(threadName)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    faulthandler.enable(_crash_log)
    log.info("MLX Music %s starts", __version__)


def stop_crash_log() -> None:
    """For tests, whose folders go away."""
    global _crash_log
    faulthandler.disable()
    if _crash_log is not None:
        _crash_log.close()
        _crash_log = None


class CrashReporter(QObject):
    """Logs what nobody caught, and announces the first of each kind; the app goes on."""

    crashed = Signal(str)  # a line for the person

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._told: set[tuple[str, int]] = set()
        self._before: tuple[Any, Any, Any] | None = None

    def install(self) -> None:
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self.take
        threading.excepthook = self._take_of_thread
        qInstallMessageHandler(_on_qt_message)

    def remove(self) -> None:
        if self._before is not None:
            sys.excepthook, threading.excepthook, sys.unraisablehook = self._before
            self._before = None
            qInstallMessageHandler(None)

    def take(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        """As `sys.excepthook`, from any thread."""
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        log.critical("unexpected %s", kind.__name__, exc_info=(kind, error, trace))
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = (kind.__name__, trace.tb_lineno if trace is not None else 0)
        if where not in self._told:
            self._told.add(where)
            self.crashed.emit(f"{kind.__name__}: {error}" if str(error) else kind.__name__)

    def _take_of_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self.take(args.exc_type, args.exc_value, args.exc_traceback)


def report(model: str = "", extra: tuple[tuple[str, str], ...] = ()) -> str:
    """Versions, system, memory, model and the end of the log, without the person's home folder.
    Names of songs and other files stand in it where the log has them."""
    rows = [
        ("MLX Music", __version__),
        ("System", f"{platform.platform()} {platform.machine()}"),
        ("Python", platform.python_version()),
        ("Memory", f"{memory_bytes() / 2**30:.0f} GB"),
        ("Model", model or "none chosen"),
        *((name.replace("_", "-"), _version(name)) for name in _PACKAGES),
        *extra,
    ]
    text = "\n".join(f"{name}: {value}" for name, value in rows)
    return anonymous(f"{text}\n\nLast lines of the log:\n{last_lines()}")


def last_lines(count: int = _LINES) -> str:
    """The end of the log; empty if there is none."""
    file = log_file()
    if not file.exists():
        return ""
    return "\n".join(file.read_text("utf-8", errors="replace").splitlines()[-count:])


def anonymous(text: str) -> str:
    """The person's home folder as ~, and their name nowhere else in a path."""
    home = str(Path.home())
    if len(home) > 1:
        text = text.replace(home, "~").replace(home.replace("\\", "/"), "~")
    own = os.environ.get(paths.HOME_VARIABLE)
    return text.replace(own, "<app folder>") if own else text


def memory_bytes() -> int:
    """Memory of this machine; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


def _on_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    logging.getLogger("qt").log(_LEVELS.get(kind, logging.INFO), "%s", message)
