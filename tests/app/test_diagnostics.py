"""The log, and what a person can send of it."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from mlx_music_app import diagnostics
from mlx_music_app.diagnostics import CrashReporter


@pytest.fixture
def logging_on(app_home: Path) -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    diagnostics.start_logging()
    yield root
    for handler in set(root.handlers) - set(handlers):
        handler.close()
        root.removeHandler(handler)
    root.setLevel(level)
    diagnostics.stop_crash_log()


@pytest.fixture
def reporter(qtbot: QtBot, capsys: object) -> Iterator[CrashReporter]:
    reporter = CrashReporter()
    before = sys.excepthook
    yield reporter
    reporter.remove()
    assert sys.excepthook is before


def fail() -> None:
    raise ValueError("no such key")


def test_the_report_has_versions_and_no_names(logging_on: logging.Logger, app_home: Path) -> None:
    logging_on.info("reading %s/song.wav and %s", Path.home(), app_home)
    text = diagnostics.report("sketch")
    for words in ("MLX Music: ", "System: ", "Memory: ", "Model: sketch", "PySide6-Essentials: "):
        assert words in text
    assert "reading ~/song.wav and <app folder>" in text
    assert str(Path.home()) not in text
    assert str(app_home) not in text


def test_the_log_stays_small(logging_on: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = next(handler for handler in logging_on.handlers if hasattr(handler, "maxBytes"))
    handler.maxBytes = 2000
    for number in range(200):
        logging_on.info("line %d %s", number, "x" * 50)
    files = list(diagnostics.log_file().parent.glob("mlx-music.log*"))
    assert len(files) == 4
    assert all(file.stat().st_size <= 2000 for file in files)
    assert diagnostics.last_lines(1).endswith("x" * 50)


def test_without_a_log_there_is_a_report() -> None:
    assert "Last lines" in diagnostics.report()


def test_crashes_are_logged_each_time_and_told_once(
    reporter: CrashReporter, logging_on: logging.Logger
) -> None:
    told: list[str] = []
    reporter.crashed.connect(told.append)
    for _ in range(3):
        try:
            fail()
        except ValueError:
            reporter.take(*sys.exc_info())  # type: ignore[arg-type]
    assert told == ["ValueError: no such key"]
    assert diagnostics.last_lines().count("unexpected ValueError") == 3


def test_a_crash_on_a_thread_is_told(
    reporter: CrashReporter, qtbot: QtBot, logging_on: logging.Logger
) -> None:
    reporter.install()
    thread = threading.Thread(target=fail)
    with qtbot.waitSignal(reporter.crashed) as crashed:
        thread.start()
        thread.join()
    assert crashed.args == ["ValueError: no such key"]
    assert "in fail" in diagnostics.last_lines()
