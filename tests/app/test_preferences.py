from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from pytestqt.qtbot import QtBot

from mlx_music_app.preferences import CHOICES, DEFAULTS, Preferences


def test_values_and_windows_come_back(qapp: QCoreApplication, qtbot: QtBot) -> None:
    preferences = Preferences()
    assert {name: preferences.get(name) for name in DEFAULTS} == DEFAULTS
    with qtbot.waitSignal(preferences.changed) as changed:
        preferences.set("music_folder", "/Volumes/a, b;c/Ü")
    assert changed.args == ["music_folder"]
    preferences.save_window("main", b"\x00\xff,;\n")
    assert preferences.window("nothing") is None
    again = Preferences()
    assert again.music_folder == Path("/Volumes/a, b;c/Ü")
    assert again.window("main") == b"\x00\xff,;\n"
    with pytest.raises(TypeError, match="volume"):
        again.set("volume", 1)


def test_what_makes_no_sense_is_as_if_it_was_not_there(
    qapp: QCoreApplication, app_home: Path
) -> None:
    file = app_home / "data" / "preferences.ini"
    file.parent.mkdir(parents=True)
    file.write_text(
        "[General]\nexport_format=xyz\nexport_bit_depth=\nappearance=purple\n"
        "[window]\nqueue=open\nmain=5\n"
    )
    preferences = Preferences()
    assert {name: preferences.get(name) for name in CHOICES} == {
        name: DEFAULTS[name] for name in CHOICES
    }
    assert preferences.window("queue") is None
    assert preferences.window("main") is None
