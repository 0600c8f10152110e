"""The waveform, used as a person uses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from mlx_music import AudioError, GenerationRequest
from mlx_music_app.library.take import Take
from mlx_music_app.ui.style.theme import theme
from mlx_music_app.ui.time_axis import TimeAxis
from mlx_music_app.ui.waveform import WaveformView

DURATION = 60.0


class FakePeaks:
    """A constant level, or a file that is gone."""

    duration = DURATION

    def __init__(self, level: float = 0.5) -> None:
        self.level, self.slices, self.gone = level, 0, False

    def slice(self, start: float, end: float, columns: int) -> tuple[np.ndarray, np.ndarray]:
        if self.gone:
            raise AudioError("song.wav: cannot be read")
        self.slices += 1
        level = np.full((2, columns), self.level, np.float32)
        return -level, level

    def rms(self, start: float, end: float, columns: int) -> np.ndarray:
        return np.full((2, columns), self.level / 2, np.float32)


@pytest.fixture
def take() -> Take:
    return Take(
        id=1,
        path=Path("/music/Night Drive.wav"),
        title="Night Drive",
        number=1,
        created=datetime.now(timezone.utc),
        duration=DURATION,
        sample_rate=48_000,
        request=GenerationRequest(prompt="folk"),
        model="sketch",
    )


@pytest.fixture
def view(qtbot: QtBot, take: Take) -> WaveformView:
    view = WaveformView()
    qtbot.addWidget(view)
    view.resize(816, 200)  # 800 points of sound
    view.show()
    view.set_take(take, FakePeaks())
    return view


def _send(view: WaveformView, kind: QEvent.Type, x: float, y: float, shift: bool = False) -> None:
    button = Qt.MouseButton.LeftButton
    no_button = Qt.MouseButton.NoButton
    event = QMouseEvent(
        kind,
        QPointF(x, y),
        QPointF(view.mapToGlobal(QPointF(x, y))),
        no_button if kind == QEvent.Type.MouseMove else button,
        no_button if kind == QEvent.Type.MouseButtonRelease else button,
        Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(view, event)


def _drag(
    view: WaveformView, start: float, end: float, y: float = 120, shift: bool = False
) -> None:
    """From one moment to another."""
    first, last = view.axis.x(start), view.axis.x(end)
    _send(view, QEvent.Type.MouseButtonPress, first, y, shift)
    for share in (0.3, 0.6, 1.0):
        _send(view, QEvent.Type.MouseMove, first + (last - first) * share, y, shift)
    _send(view, QEvent.Type.MouseButtonRelease, last, y, shift)


def _wheel(view: WaveformView, x: float, dx: int = 0, dy: int = 0) -> None:
    at = QPointF(x, 120)
    event = QWheelEvent(
        at,
        QPointF(view.mapToGlobal(at)),
        QPoint(),
        QPoint(dx, dy),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_a_click_seeks(qtbot: QtBot, view: WaveformView) -> None:
    with qtbot.waitSignal(view.seekRequested) as seek:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(8 + 400, 120))
    assert seek.args == [pytest.approx(30.0, abs=0.1)]
    assert view.region is None


def test_dragging_in_the_ruler_moves_the_playhead_along(view: WaveformView) -> None:
    seeks: list[float] = []
    view.seekRequested.connect(seeks.append)
    _drag(view, 10.0, 40.0, y=15)
    assert len(seeks) == 4
    assert seeks == sorted(seeks)
    assert seeks[-1] == pytest.approx(40.0, abs=0.1)
    assert view.region is None


def test_dragging_over_the_sound_selects_a_region(view: WaveformView) -> None:
    regions: list[object] = []
    view.regionChanged.connect(regions.append)
    _drag(view, 40.0, 20.0)
    assert view.region == pytest.approx((20.0, 40.0), abs=0.1)
    assert regions == [view.region]


def test_the_edges_of_a_region_can_be_moved_and_cross(view: WaveformView) -> None:
    view.set_region((20.0, 40.0))
    _drag(view, 20.0, 10.0)
    assert view.region == pytest.approx((10.0, 40.0), abs=0.1)
    _drag(view, 40.0, 5.0)
    assert view.region == pytest.approx((5.0, 10.0), abs=0.1)


def test_shift_reaches_out_to_where_is_clicked(qtbot: QtBot, view: WaveformView) -> None:
    view.set_region((20.0, 30.0))
    _drag(view, 50.0, 50.0, shift=True)
    assert view.region == pytest.approx((20.0, 50.0), abs=0.1)


def test_dragging_a_region_takes_it_out(view: WaveformView) -> None:
    dragged: list[object] = []
    view.dragRequested.connect(dragged.append)
    view.set_region((20.0, 40.0))
    _drag(view, 30.0, 50.0)
    assert dragged == [(20.0, 40.0)]
    assert view.region == (20.0, 40.0)


def test_the_grip_takes_the_whole_take_out(view: WaveformView) -> None:
    dragged: list[object] = []
    view.dragRequested.connect(dragged.append)
    grip = view.layout_().grip.center()
    _send(view, QEvent.Type.MouseButtonPress, grip.x(), grip.y())
    _send(view, QEvent.Type.MouseMove, grip.x() + 30, grip.y() + 30)
    assert dragged == [None]


def test_keys(qtbot: QtBot, view: WaveformView) -> None:
    view.set_position(10.0)
    qtbot.keyClick(view, Qt.Key.Key_I)
    view.set_position(15.0)
    qtbot.keyClick(view, Qt.Key.Key_O)
    assert view.region == (10.0, 15.0)
    for key, modifier, position in (
        (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, 16.0),
        (Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier, 11.0),
        (Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier, 11.1),
        (Qt.Key.Key_End, Qt.KeyboardModifier.NoModifier, DURATION),
        (Qt.Key.Key_Home, Qt.KeyboardModifier.NoModifier, 0.0),
    ):
        with qtbot.waitSignal(view.seekRequested) as seek:
            qtbot.keyClick(view, key, modifier)
        assert seek.args == [pytest.approx(position)]
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.axis.zoomed
    qtbot.keyClick(view, Qt.Key.Key_0)
    assert not view.axis.zoomed
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.region is None


def test_the_wheel_zooms_around_the_pointer_and_scrolls_sideways(view: WaveformView) -> None:
    before = view.axis.seconds(208)
    for _ in range(10):
        _wheel(view, 208, dy=120)
    assert view.axis.span == pytest.approx(DURATION / 1.25**10)
    assert view.axis.seconds(208) == pytest.approx(before)
    start = view.axis.start
    _wheel(view, 208, dx=-120)
    assert view.axis.start > start
    for _ in range(20):
        _wheel(view, 208, dy=-120)
    assert (view.axis.start, view.axis.end) == (0.0, DURATION)


def test_the_view_turns_the_page_for_the_playhead(view: WaveformView) -> None:
    view.axis.zoom(6.0, 0.0)
    view.set_position(9.9)
    assert view.axis.start == 0.0
    view.set_position(10.5)
    assert view.axis.start <= 10.5 <= view.axis.end
    assert view.axis.start > 9.0


def _colours(view: WaveformView) -> QImage:
    return view.grab().toImage()


@pytest.mark.parametrize("appearance", ["light", "dark"])
def test_what_was_played_has_another_colour(
    qapp: QApplication, view: WaveformView, appearance: str
) -> None:
    theme().apply(qapp, appearance)
    try:
        view.set_position(30.0)
        image = _colours(view)
        ratio = image.devicePixelRatio()
        middle = 26 + (200 - 34) // 4
        left, right = (image.pixelColor(int(x * ratio), int(middle * ratio)) for x in (100, 700))
        assert left == theme().color("waveform_played")
        assert right == theme().color("waveform")
    finally:
        theme().apply(qapp, "light")


def test_a_moving_playhead_does_not_draw_the_sound_again(view: WaveformView, take: Take) -> None:
    peaks = FakePeaks()
    view.set_take(take, peaks)
    view.grab()
    drawn = peaks.slices
    for position in range(1, 20):
        view.set_position(float(position))
        view.grab()
    assert peaks.slices == drawn


def test_what_is_to_be_said_is_said(qtbot: QtBot, view: WaveformView, take: Take) -> None:
    peaks = FakePeaks()
    for shown, of, words in (
        (None, None, "Choose a take"),
        (take, None, "Drawing the waveform"),
        (replace(take, missing=True), None, "is not where it was"),
    ):
        view.set_take(shown, of)
        assert words in view.accessibleDescription()
        view.grab()
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(300, 100))
    peaks.gone = True
    view.set_take(take, peaks)
    view.grab()
    assert "cannot be read" in view._message()[0]  # type: ignore[index]


def test_the_same_take_keeps_its_region_and_another_does_not(
    view: WaveformView, take: Take
) -> None:
    view.set_region((1.0, 2.0))
    view.set_take(replace(take, title="Another title"), FakePeaks())
    assert view.region == (1.0, 2.0)
    view.set_take(replace(take, id=2), FakePeaks())
    assert view.region is None


def test_a_screen_reader_hears_where_it_is(view: WaveformView) -> None:
    view.set_region((10.0, 12.5))
    assert (
        view.accessibleDescription() == "Position 0:00.0 of 1:00.0. Region from 0:10.0 to 0:12.5."
    )


def test_marks_are_round_and_have_room() -> None:
    axis = TimeAxis(duration=600.0, width=800.0, start=0.0, end=600.0)
    for zoom in (1, 3, 10, 100, 1000, 20_000):
        axis.fit()
        axis.zoom(zoom, 123.4)
        labelled = [mark for mark in axis.marks() if mark.label]
        places = [axis.x(mark.seconds) for mark in labelled]
        assert len(labelled) <= 12
        assert all(b - a >= 70 for a, b in pairwise(places))
        assert len({mark.label for mark in labelled}) == len(labelled)
