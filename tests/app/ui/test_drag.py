"""Dragging out: what is offered, and a real drag into another process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from PySide6.QtCore import Qt
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from mlx_music_app.ui.drag import drag_card, mime_data, start_drag

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = Path(__file__).with_name("drag_programs.py")
MISSING = [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]

RATE = 48_000


def _song(path: Path) -> Path:
    rng = np.random.default_rng(5)
    sound = rng.uniform(-0.5, 0.5, (RATE * 4, 2))
    sf.write(path, sound, RATE, subtype="PCM_24")
    return path


def test_urls_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _song(tmp_path / "a b.wav")
    urls = mime_data([Path("a b.wav")]).urls()
    assert [url.toLocalFile() for url in urls] == [str(tmp_path / "a b.wav")]


def test_only_copies_are_offered_with_a_picture_and_missing_files_are_left_out(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def execute(drag: QDrag, actions: Qt.DropAction) -> Qt.DropAction:
        seen.append((actions, drag.pixmap().isNull(), len(drag.mimeData().urls())))
        return actions

    monkeypatch.setattr(QDrag, "exec", execute)
    widget = QWidget()
    qtbot.addWidget(widget)
    assert start_drag(widget, [_song(tmp_path / "a.wav"), tmp_path / "gone.wav"])
    assert seen == [(Qt.DropAction.CopyAction, False, 1)]
    assert not start_drag(widget, [tmp_path / "gone.wav"])
    assert len(seen) == 1


def test_a_card_for_a_long_name_stays_small(qtbot: QtBot) -> None:
    assert drag_card([Path("x" * 300 + ".wav"), Path("y.wav")], 2.0).width() <= 2 * 330


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x400x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as numbers:
        monkeypatch.setenv("DISPLAY", f":{numbers.readline().strip()}")
    yield
    server.terminate()
    server.wait(5)


@pytest.fixture
def program(display: None) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []
    environment = {**os.environ, "QT_QPA_PLATFORM": "xcb", "PYTHONPATH": str(ROOT)}
    environment["PYTHONPATH"] += os.pathsep + os.environ.get("PYTHONPATH", "")

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAMS), *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        pytest.fail(process.stderr.read())
    return json.loads(line)


def _xdotool(*arguments: object) -> None:
    subprocess.run(["xdotool", *map(str, arguments)], check=True)


def _drag(start: list[int], end: list[int]) -> None:
    _xdotool("mousemove", *start)
    time.sleep(0.2)
    _xdotool("mousedown", 1)
    for _ in range(5):
        _xdotool("mousemove_relative", 3, 3)
        time.sleep(0.02)
    for step in range(1, 21):
        share = step / 20
        at = [round(a + (b - a) * share) for a, b in zip(start, end, strict=True)]
        _xdotool("mousemove", *at)
        time.sleep(0.02)
    time.sleep(0.3)
    _xdotool("mouseup", 1)


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("region", [None, (1.0, 2.5)])
def test_a_real_drag_into_another_process(
    tmp_path: Path,
    program: Callable[..., subprocess.Popen[str]],
    region: tuple[float, float] | None,
) -> None:
    song = _song(tmp_path / "Song - take 1.wav")
    target = program("target", tmp_path / "received.wav")
    source = program("source", song, *(region or ()))
    end, start = _line(target), _line(source)
    _drag(start, end)
    offered, result = _line(target), _line(source)

    assert offered["absolute"]
    assert offered["count"] == 1
    assert offered["actions"] == Qt.DropAction.CopyAction.value
    assert offered["name"].isascii()
    assert result["taken"]
    file = Path(result["file"])
    assert (tmp_path / "received.wav").read_bytes() == file.read_bytes()
    if region is None:
        assert file == song
    else:
        sound, rate = sf.read(tmp_path / "received.wav", dtype="int32")
        whole, _ = sf.read(song, dtype="int32")
        first, last = (round(seconds * rate) for seconds in region)
        np.testing.assert_array_equal(sound, whole[first:last])
