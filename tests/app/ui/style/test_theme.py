"""One style for light and dark, which everything can rely on."""

from __future__ import annotations

import gc
import re

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from mlx_music_app.resources import resource
from mlx_music_app.ui.style.icons import icon, mask_icon
from mlx_music_app.ui.style.theme import set_role, theme
from mlx_music_app.ui.style.tokens import COLOURS

#: Words, what they stand on, least contrast (WCAG 2.1 AA for text).
PAIRS = [
    *[("text", surface) for surface in ("window", "sidebar", "surface", "raised", "selected")],
    *[("text_secondary", surface) for surface in ("window", "sidebar", "surface", "selected")],
    *[("text_tertiary", surface) for surface in ("window", "surface")],
    ("on_accent", "accent"),
    ("on_danger", "danger"),
    ("accent_text", "accent_soft"),
    ("accent_text", "window"),
    ("danger_text", "window"),
    ("danger_text", "danger_soft"),
    ("on_tooltip", "tooltip"),
]


def _luminance(color: QColor) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(v) for v in (color.redF(), color.greenF(), color.blueF()))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("words", "surface"), PAIRS)
def test_words_can_be_read(words: str, surface: str, dark: bool) -> None:
    light, other = (_luminance(QColor(COLOURS[name][dark])) for name in (words, surface))
    contrast = (max(light, other) + 0.05) / (min(light, other) + 0.05)
    assert contrast >= 4.5


@pytest.fixture
def _back_to_light(qapp: QApplication):
    yield
    theme().apply(qapp, "light")


@pytest.mark.usefixtures("_back_to_light")
def test_appearance_changes_while_running(qapp: QApplication, qtbot: QtBot) -> None:
    button = QPushButton("Generate")
    set_role(button, "primary")
    button.setIcon(icon("play", "on_accent"))
    qtbot.addWidget(button)
    button.show()
    light = button.grab().toImage()
    with qtbot.waitSignal(theme().changed):
        theme().apply(qapp, "dark")
    assert theme().dark
    assert button.grab().toImage() != light
    theme().apply(qapp, "light")
    assert button.grab().toImage() == light


def test_every_name_in_the_style_sheet_is_known(qapp: QApplication) -> None:
    assert "${" not in theme().style_sheet()
    for path in re.findall(r"url\((.*?)\)", theme().style_sheet()):
        assert not QIcon(path).pixmap(16, 16).isNull()


@pytest.mark.parametrize(
    "path", sorted(resource("icons").glob("*.svg")), ids=lambda path: path.stem
)
def test_icons_are_drawn_alike(path, qapp: QApplication) -> None:
    text = path.read_text("utf-8")
    assert 'viewBox="0 0 24 24"' in text
    assert "currentColor" in text
    drawn = icon(path.stem, "text")
    gc.collect()
    image = drawn.pixmap(QSize(24, 24)).toImage()
    marks = {image.pixelColor(x, y).alpha() > 128 for x in range(24) for y in range(24)}
    assert marks == {True, False}


def test_icons_show_their_state(qapp: QApplication) -> None:
    drawn = icon("star-filled", "text_secondary", on="star")
    middle = [
        drawn.pixmap(QSize(24, 24), QIcon.Mode.Normal, state).toImage().pixelColor(12, 12).name()
        for state in (QIcon.State.Off, QIcon.State.On)
    ]
    assert middle == [theme().hex("text_secondary").lower(), theme().hex("star").lower()]
    assert mask_icon("takes").isMask()
    with pytest.raises(FileNotFoundError):
        icon("no-such-drawing")


@pytest.mark.parametrize("role", ["segment", "link"])
def test_a_button_that_cannot_be_pressed_looks_so(qtbot: QtBot, role: str) -> None:
    button = QPushButton("Vary")
    set_role(button, role)
    qtbot.addWidget(button)
    button.show()
    enabled = button.grab().toImage()
    button.setEnabled(False)
    assert button.grab().toImage() != enabled
