"""The icons that are checked in are those that are drawn, in every size; so is the menu bar's."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6.QtSvg")

from PySide6.QtCore import QSize
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from mlx_music_app.ui.style.icons import mask_icon
from resources.packaging.make_icns import ARGB, DRAWINGS, ICONS, KINDS, draw


def entries(path: Path) -> dict[str, bytes]:
    """What is in an .icns, by kind."""
    data = path.read_bytes()
    assert struct.unpack(">4sI", data[:8]) == (b"icns", len(data))
    found, place = {}, 8
    while place < len(data):
        kind, size = struct.unpack(">4sI", data[place : place + 8])
        found[kind.decode()] = data[place + 8 : place + size]
        place += size
    return found


def unpacked(data: bytes) -> Iterator[int]:
    """Runs of bytes: up to 0x7f as they are, one more than it says; above, one byte repeated."""
    place = 0
    while place < len(data):
        head = data[place]
        if head < 0x80:
            yield from data[place + 1 : place + head + 2]
            place += head + 2
        else:
            yield from [data[place + 1]] * (head - 0x80 + 3)
            place += 2


def pixels(picture: QImage) -> np.ndarray:
    """(rows, columns, RGBA), the colours multiplied by alpha: what shows."""
    picture = picture.convertToFormat(QImage.Format.Format_RGBA8888_Premultiplied)
    shape = (picture.height(), picture.width(), 4)
    return np.frombuffer(picture.constBits(), np.uint8).reshape(shape).astype(int)


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_size_is_there(name: str) -> None:
    found = entries(ICONS / f"{name}.icns")
    assert set(found) == set(KINDS)
    for kind, (side, _) in KINDS.items():
        if kind in ARGB:
            assert found[kind][:4] == b"ARGB"
            assert len(list(unpacked(found[kind][4:]))) == 4 * side * side
        else:
            assert QImage.fromData(found[kind], "PNG").size() == QSize(side, side)


@pytest.mark.parametrize("name", DRAWINGS)
def test_they_are_what_is_drawn(name: str) -> None:
    """But for what another version of Qt rounds otherwise. To draw them again, see make_icns."""
    found = entries(ICONS / f"{name}.icns")
    large = QImage.fromData(found["ic13"], "PNG")
    assert np.abs(pixels(large) - pixels(draw(DRAWINGS[name], 256))).max() <= 8
    alpha, *colours = np.array(list(unpacked(found["ic04"][4:]))).reshape(4, 16, 16)
    shown = np.stack([*(colour * alpha / 255 for colour in colours), alpha], axis=-1)
    assert np.abs(shown - pixels(draw(DRAWINGS[name], 16))).max() <= 8


def test_the_app_s_icon_can_be_told_at_16_pixels() -> None:
    """Three white bars, each of whole pixels, on a plate that leaves the corners free."""
    picture = pixels(draw("app-icon", 16))
    row = picture[8, :, :3].min(axis=-1) > 250
    assert "".join("#" if white else "." for white in row) == "....##.##.##...."
    assert picture[0, 0, 3] == 0


def test_the_menu_bar_s_is_black_with_alpha(qapp: QApplication) -> None:
    drawn = mask_icon("menu-bar")
    assert drawn.isMask()
    assert sorted(size.width() for size in drawn.availableSizes()) == [18, 36]
    for ratio in (1.0, 2.0):
        picture = drawn.pixmap(QSize(18, 18), ratio).toImage()
        assert picture.width() == 18 * ratio
        seen = pixels(picture)
        assert seen[..., :3].max() == 0
        middle = seen[round(9 * ratio), :, 3] > 250
        assert middle.sum() == 10 * ratio  # five bars, two points each
