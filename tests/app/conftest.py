"""What every test of the app has: no screen needed, a home of its own, nothing left running."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before Qt looks: tests run where there is no screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEvent, QThread
from PySide6.QtWidgets import QApplication

from mlx_music_app.ui.style.theme import theme

#: Threads of libraries that live as long as the process does, by the start of their names.
PERMANENT = ("ThreadPoolExecutor", "tqdm", "asyncio_", "pydevd", "Dummy")


@pytest.fixture(autouse=True)
def app_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for the app: catalogue, music, caches, logs."""
    home = tmp_path / "home"
    monkeypatch.setenv("MLX_MUSIC_APP_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def qapp_cls() -> type[QApplication]:
    return QApplication


@pytest.fixture(scope="session")
def qapp(qapp_args: list[str], tmp_path_factory: pytest.TempPathFactory) -> QApplication:
    """The application, styled as it is for people. Pictures of the style outlive any one test."""
    app = QApplication.instance() or QApplication(qapp_args)
    assert isinstance(app, QApplication)
    before = os.environ.get("MLX_MUSIC_APP_HOME")
    os.environ["MLX_MUSIC_APP_HOME"] = str(tmp_path_factory.mktemp("style"))
    theme().apply(app, "light")
    if before is None:
        del os.environ["MLX_MUSIC_APP_HOME"]
    else:
        os.environ["MLX_MUSIC_APP_HOME"] = before
    # What lives as long as the tests need not be looked at after each of them (a third of a
    # test's time).
    gc.collect()
    gc.freeze()
    return app


@pytest.fixture(autouse=True)
def nothing_left_running(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that leaves a thread running fails: so would the app, when it is quit."""
    threads: list[QThread] = []
    start = QThread.start

    def remembering(self: QThread, *args: object) -> None:
        threads.append(self)
        start(self, *args)

    monkeypatch.setattr(QThread, "start", remembering)
    before = set(threading.enumerate())
    yield
    # Without an event loop around the tests, nothing else deletes what was closed: thousands of
    # widgets would slow down every later test.
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    # Widgets that are in cycles must not be deleted on some later test's thread.
    gc.collect()
    deadline = time.monotonic() + 3.0
    while (left := _left(before, threads)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left, f"left running: {', '.join(left)}"


def _left(before: set[threading.Thread], threads: list[QThread]) -> list[str]:
    import shiboken6

    names = [
        thread.name
        for thread in threading.enumerate()
        if thread not in before and thread.is_alive() and not thread.name.startswith(PERMANENT)
    ]
    return names + [
        type(thread).__name__
        for thread in threads
        if shiboken6.isValid(thread) and thread.isRunning()
    ]
