"""The live picture: right way up, in the theme's colours, never too wide."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from mlx_music_app.ui.picture import MAX_COLUMNS, LivePicture, colour_table, narrowed
from mlx_music_app.ui.style.theme import theme


def brightness_from_background(color: QColor) -> float:
    back = theme().color("sunken")
    return sum(abs(a - b) for a, b in zip(color.getRgb(), back.getRgb(), strict=True))


def shown(qtbot: QtBot) -> LivePicture:
    widget = LivePicture()
    qtbot.addWidget(widget)
    widget.resize(200, 64)
    widget.show()
    qtbot.waitExposed(widget)
    return widget


def test_low_notes_are_at_the_bottom_and_time_goes_right(qtbot: QtBot) -> None:
    widget = shown(qtbot)
    picture = np.zeros((128, 400), dtype=np.uint8)
    picture[:64, :200] = 255  # low frequencies, first half
    widget.set_picture(picture)
    image = widget.grab().toImage()
    ratio = widget.devicePixelRatioF()

    def at(x: int, y: int) -> float:
        return brightness_from_background(image.pixelColor(int(x * ratio), int(y * ratio)))

    assert at(50, 50) > 200
    assert at(50, 14) < 20
    assert at(150, 50) < 20


def test_a_new_picture_fades_in(qtbot: QtBot) -> None:
    widget = shown(qtbot)
    widget.set_picture(np.zeros((128, 100), dtype=np.uint8))
    widget.set_picture(np.full((128, 100), 255, dtype=np.uint8))
    steps: list[int] = []

    def loudness() -> bool:
        assert widget._pixels is not None
        steps.append(int(widget._pixels.mean()))
        return steps[-1] == 255

    qtbot.waitUntil(loudness, timeout=2000)
    assert steps == sorted(steps)
    assert any(0 < step < 255 for step in steps)
    # Another length has nothing to fade from.
    widget.set_picture(np.zeros((64, 30), dtype=np.uint8))
    assert widget._pixels is not None
    assert widget._pixels.shape == (64, 30)
    widget.set_picture(None)
    assert widget.picture() is None
    widget.grab()


def test_long_songs_are_narrowed() -> None:
    picture = np.zeros((128, 5168), dtype=np.uint8)
    picture[:, 3000] = 200  # a beat is seen all the same
    narrow = narrowed(picture, MAX_COLUMNS)
    assert narrow.shape[1] <= MAX_COLUMNS
    assert narrow.max() == 200
    same = np.zeros((128, 10), dtype=np.uint8)
    assert narrowed(same, MAX_COLUMNS) is same


def test_colours_follow_the_theme(qtbot: QtBot, qapp: object) -> None:
    for appearance in ("light", "dark"):
        theme().apply(qapp, appearance)  # type: ignore[arg-type]
        table = colour_table()
        assert len(table) == 256
        assert QColor(table[0]) == theme().color("sunken")
        assert QColor(table[255]) == theme().color("text")
        # Louder is never nearer to the background.
        away = [brightness_from_background(QColor(value)) for value in table]
        assert all(b >= a - 60 for a, b in pairwise(away))
    theme().apply(qapp, "light")  # type: ignore[arg-type]
