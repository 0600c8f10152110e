"""Starting, being started again, breaking, and ending."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest, __version__
from mlx_music_app import __main__ as program
from mlx_music_app.application import MusicApplication, Session
from mlx_music_app.engine.jobs import Job
from mlx_music_app.library.library import database_path
from mlx_music_app.menu_bar import DockBadge, MenuBarExtra, progress_words
from mlx_music_app.parts import Parts
from mlx_music_app.ui.about import AboutDialog, licences
from mlx_music_app.ui.preferences_dialog import PreferencesDialog
from mlx_music_app.ui.style.theme import theme
from tests.app.doubles import SilentPlayer
from tests.app.engine.fakes import FakeEngine
from tests.app.making import add_take, fill_catalogue


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def session(qtbot: QtBot, qapp: QApplication, engine: FakeEngine) -> Iterator[Session]:
    session = Session(qapp, Parts(player=SilentPlayer(), opener=engine.open))
    yield session
    engine.go.set()
    if session.window is not None:
        session.window.close_without_asking()
    assert session.end()
    theme().apply(qapp, "light")


def test_the_window_is_there_at_once_and_the_model_is_not(app_home: Path, tmp_path: Path) -> None:
    """With 10,000 takes, in a process of its own."""
    fill_catalogue(database_path(), tmp_path / "gone", 10_000)
    code = """
import sys, time
from PySide6.QtCore import QTimer
from mlx_music_app.application import MusicApplication, Session
app = MusicApplication(["x"])
session = Session(app)
session.start()
session.window.repaint()
# The processor's time, of this thread: a busy machine proves nothing.
print(time.thread_time(), session.window.takes.model.rowCount())
print([name for name in ("mlx.core", "tokenizers", "sounddevice", "soxr") if name in sys.modules])
session.window.close_without_asking()
session.end()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    first, second = done.stdout.splitlines()
    seconds, rows = first.split()
    assert int(rows) == 10_000
    assert second == "[]"
    assert float(seconds) < 1.5


def test_a_process_is_ended_by_a_signal(app_home: Path) -> None:
    environment = {**os.environ, "MLX_MUSIC_APP_HOME": str(app_home)}
    child = subprocess.Popen([sys.executable, "-m", "mlx_music_app"], env=environment)
    log = app_home / "logs" / "mlx-music.log"
    deadline = time.monotonic() + 30
    while not (log.exists() and (app_home / "data" / "library.sqlite3").exists()):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1.0)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=20) == 0
    assert (app_home / "data" / "preferences.ini").exists()


def test_version_and_audio_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--version"]) == 0
    assert capsys.readouterr().out == f"MLX Music {__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "mlx_music_app", "--audio-server"], input=b"", timeout=30
    )
    assert done.returncode == 0


def test_a_damaged_start_says_why(qtbot: QtBot, qapp: QApplication, app_home: Path) -> None:
    import sqlite3

    path = database_path()
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        connection.execute("pragma user_version = 9999")
        connection.execute("create table takes (id)")
    connection.close()
    session = Session(qapp, Parts(player=SilentPlayer()))
    with pytest.raises(Exception, match="newer") as raised:
        session.start()
    assert str(path) in str(raised.value)
    assert session.end()


def _run_app(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Start the app in a process of its own, with `code` before."""
    start = """
import sys
from PySide6.QtWidgets import QMessageBox
from mlx_music_app import application
QMessageBox.critical = lambda *words: print("dialog:", words[2])
"""
    environment = {**os.environ, "MLX_MUSIC_APP_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-c", f"{start}{code}\nsys.exit(application.run([]))"],
        capture_output=True, text=True, timeout=60, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("inside", ["", "data", "logs/crash.log/folder"])
def test_a_home_that_cannot_be_written_is_said_in_a_line(tmp_path: Path, inside: str) -> None:
    """Files stand where folders are wanted, and a folder where a file is."""
    blocked = tmp_path / "home" / inside
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.touch()
    done = _run_app("", tmp_path / "home")
    assert done.returncode == 1
    assert done.stdout.startswith("dialog: MLX Music cannot write ")
    assert str(tmp_path / "home") in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert "cannot write" in done.stderr


def test_a_step_that_takes_too_long_is_no_crash(app_home: Path) -> None:
    """Qt aborts the process if a thread is destroyed while it runs."""
    done = _run_app(
        """
import time
from PySide6.QtCore import QThread, QTimer
class Busy(QThread):
    def run(self):
        time.sleep(20)
def after(session):
    session.busy = Busy(session)
    session.busy.start()
    close = session.parts.close
    session.parts.close = lambda: close() and False
    session.window.close_without_asking()
application.Session._after_first_paint = after
""",
        app_home,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (app_home / "data" / "preferences.ini").exists()


def test_files_from_the_finder(
    session: Session, qapp: QApplication, tmp_path: Path, qtbot: QtBot
) -> None:
    """Also those that come before there is a window."""
    opened: list[Path] = []
    event = QFileOpenEvent(QUrl.fromLocalFile(str(tmp_path / "song.wav")))
    assert MusicApplication.event(_Listener(opened), event)
    assert opened == [tmp_path / "song.wav"]
    session._on_file(tmp_path / "missing.wav")
    session.start()
    qtbot.waitUntil(lambda: "missing.wav" in session.window.notice.text)
    session._on_file(tmp_path / "second.wav")
    assert "second.wav" in session.window.notice.text
    take = add_take(session.parts.library, "Ours")
    session._on_started_again([take.path])
    assert session.window.takes.current() == take


class _Listener:
    """As much of the application as `event` uses: there can be only one of the real ones."""

    def __init__(self, opened: list[Path]) -> None:
        self.fileOpened = self
        self.emit = opened.append


def test_a_crash_is_told_in_the_window(session: Session) -> None:
    session.start()
    session.crashes.crashed.emit("KeyError: 3")
    assert "KeyError: 3" in session.window.notice.text
    session.window.notice._action.click()
    assert "Copied" in session.window.notice.text


def test_appearance_is_a_preference(session: Session) -> None:
    session.preferences.set("appearance", "dark")
    assert theme().dark
    session.preferences.set("appearance", "light")
    assert not theme().dark


def test_the_menu_bar_extra(session: Session, qtbot: QtBot, engine: FakeEngine) -> None:
    session.start()
    parts, window = session.parts, session.window
    extra = MenuBarExtra(parts, window.takes.playback)
    badge = DockBadge(parts)
    extra.generateWanted.connect(session._on_quick_generate)
    assert "No takes yet" in [action.text() for action in extra.menu.actions()]
    take = add_take(parts.library, "R&B")
    extra.fill()
    (sub,) = [menu for menu in extra.menu.findChildren(QMenu) if menu.title()]
    assert sub.title().startswith("R&&B")
    words = {action.text(): action for action in sub.actions()}
    words["Play"].trigger()
    assert parts.player.playing
    assert parts.player.path == take.path
    engine.go.clear()
    request = GenerationRequest(prompt="piano", duration=1.0, seed=1)
    parts.controller.submit(Job(request=request, model="sketch", title="Dawn"))
    qtbot.waitUntil(engine.inside.is_set)
    assert progress_words(parts).startswith("Dawn: ")
    assert badge.shown >= 1
    extra.fill()
    next(action for action in extra.menu.actions() if action.text() == "Stop generating").trigger()
    qtbot.waitUntil(lambda: not parts.controller.busy)
    assert badge.shown == 0
    # Compose has nothing to generate: the window comes up and says so.
    window.show_place("models")
    extra.generateWanted.emit()
    assert window.place == "compose"
    extra.hide()


def test_preferences_take_effect_at_once(session: Session, qtbot: QtBot) -> None:
    preferences = session.preferences
    dialog = PreferencesDialog(preferences)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.appearance.button("dark").click()
    assert preferences.get("appearance") == "dark"
    dialog.format.setCurrentIndex(1)
    preferences.set("export_bit_depth", 32)
    dialog.format.activated.emit(1)
    assert (preferences.get("export_format"), preferences.get("export_bit_depth")) == ("flac", 24)
    dialog.format.activated.emit(4)
    assert not dialog.bit_depth.isEnabled()
    dialog.memory.setValue(12.0)
    assert preferences.get("memory_limit") == 12.0
    dialog.notify.click()
    assert preferences.get("notify_when_done") is False
    preferences.set("music_folder", "/elsewhere")
    assert dialog._folder.text() == "/elsewhere"
    dialog._reset.click()
    assert preferences.get("music_folder") == ""


def test_about_names_every_licence(qtbot: QtBot) -> None:
    text = licences()
    for words in ("MLX Music\n    MIT", "ACE-Step v1 3.5B\n    Apache-2.0", "LGPL-3.0", "numpy "):
        assert words in text
    assert "pytest" not in text
    assert "torch" not in text
    dialog = AboutDialog()
    qtbot.addWidget(dialog)
    assert dialog.licences.toPlainText() == text
