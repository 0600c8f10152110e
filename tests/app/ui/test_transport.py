"""The bar that plays: what it asks of the player, and what it shows of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music_app.audio.mixer import Levels
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.meter import LevelMeter, decibels
from mlx_music_app.ui.transport import TransportBar
from tests.app.doubles import SilentPlayer


@pytest.fixture
def player(qapp: QApplication) -> Iterator[SilentPlayer]:
    player = SilentPlayer(duration=None)
    yield player
    player.close()


@pytest.fixture
def bar(qtbot: QtBot, player: SilentPlayer) -> TransportBar:
    bar = TransportBar(player, Preferences())
    bar.playPressed.connect(player.toggle)
    qtbot.addWidget(bar)
    bar.resize(1000, 68)
    bar.show()
    return bar


def _load(player: SilentPlayer, duration: float = 90.0) -> None:
    player.load("/music/Night Drive.wav")
    player.answer("loaded", duration=duration)


def test_without_a_file_nothing_can_be_pressed(bar: TransportBar) -> None:
    assert bar.title.text() == "Nothing to play yet"
    assert not bar.play.isEnabled()
    assert not bar.seek.isEnabled()


def test_play_pause_and_what_is_shown(
    qtbot: QtBot, bar: TransportBar, player: SilentPlayer
) -> None:
    _load(player)
    assert bar.title.text() == "Night Drive"
    assert bar.time.text() == "0:00 / 1:30"
    qtbot.mouseClick(bar.play, Qt.MouseButton.LeftButton)
    assert player.sent[-1] == ("play", {})
    assert bar.play.accessibleName() == "Pause"
    player.tick(62.3)
    assert bar.time.text() == "1:02 / 1:30"
    assert bar.seek.value() == 62_300
    qtbot.mouseClick(bar.play, Qt.MouseButton.LeftButton)
    assert player.sent[-1] == ("pause", {})
    assert bar.play.accessibleName() == "Play"


def test_a_length_reads_as_in_the_list(bar: TransportBar, player: SilentPlayer) -> None:
    _load(player, duration=2.98)
    assert bar.time.text() == "0:00 / 0:03"
    player.tick(2.9)
    assert bar.time.text() == "0:02 / 0:03"
    player.tick(2.98, playing=False)
    assert bar.time.text() == "0:03 / 0:03"


def test_a_take_keeps_its_name_when_something_fails(
    bar: TransportBar, player: SilentPlayer
) -> None:
    take = Take(
        id=1, path=Path("/music/Night Drive.wav"), title="Night drive", number=2,
        created=datetime(2025, 1, 1, tzinfo=timezone.utc), duration=90.0, sample_rate=48_000,
        request=GenerationRequest(), model="sketch",
    )  # fmt: skip
    _load(player)
    bar.set_take(take)
    assert bar.title.text() == take.name
    player.answer("failed", message="There is no sound output.")
    assert bar.title.text() == take.name
    player.load("/music/other.wav")
    player.answer("loaded", duration=1.0)
    assert bar.title.text() == "other"


def test_news_from_before_a_seek_does_not_move_the_playhead_back(
    bar: TransportBar, player: SilentPlayer
) -> None:
    _load(player)
    player.play()
    old = player._last_id
    player.seek(50.0)
    player._take_in(
        {
            "event": "tick", "id": old, "position": 1.0, "playing": True,
            "peak": (0, 0), "rms": (0, 0), "underflows": 0, "starved": 0, "slowest": 0.0,
        }
    )  # fmt: skip
    assert player.position == 50.0


def test_pressing_the_bar_seeks_there(
    qtbot: QtBot, bar: TransportBar, player: SilentPlayer
) -> None:
    _load(player)
    middle = QPoint(bar.seek.width() // 2, bar.seek.height() // 2)
    qtbot.mouseClick(bar.seek, Qt.MouseButton.LeftButton, pos=middle)
    command, values = player.sent[-1]
    assert command == "seek"
    assert values["position"] == pytest.approx(45.0, abs=0.2)
    qtbot.keyClick(bar.seek, Qt.Key.Key_Right)
    assert player.position == pytest.approx(46.0, abs=0.2)


def test_loops_the_region_or_everything(
    qtbot: QtBot, bar: TransportBar, player: SilentPlayer
) -> None:
    _load(player)
    with qtbot.waitSignal(bar.loopToggled):
        qtbot.mouseClick(bar.loop, Qt.MouseButton.LeftButton)
    assert player.loop == (0.0, 90.0)
    bar.set_region((10.0, 12.0))
    assert player.loop == (10.0, 12.0)
    bar.set_region(None)
    assert player.loop == (0.0, 90.0)
    bar.loop.click()
    assert player.loop is None


def test_looping_stays_on_for_the_next_file(bar: TransportBar, player: SilentPlayer) -> None:
    _load(player)
    bar.loop.click()
    _load(player, duration=30.0)
    assert player.loop == (0.0, 30.0)


def test_volume_is_set_muted_and_remembered(bar: TransportBar, player: SilentPlayer) -> None:
    bar.volume.setValue(40)
    assert player.volume == pytest.approx(0.4)
    assert Preferences().get("volume") == pytest.approx(0.4)
    bar.mute.click()
    assert player.volume == 0.0
    assert bar.mute.accessibleName() == "Unmute"
    bar.mute.click()
    assert player.volume == pytest.approx(0.4)


def test_outputs_can_be_chosen_and_are_remembered(bar: TransportBar, player: SilentPlayer) -> None:
    player.answer("devices", names=["Speakers", "Headphones"], default="Speakers", current="")
    texts = [action.text() for action in bar._outputs.actions()]
    assert texts == ["System default (Speakers)", "Speakers", "Headphones"]
    bar._outputs.actions()[2].trigger()
    assert player.device == "Headphones"
    assert Preferences().get("output_device") == "Headphones"
    player.answer("devices", names=["Speakers"], default="Speakers", current="")
    assert bar._outputs.actions()[-1].text() == "Headphones (not connected)"


def test_a_lost_device_pauses_and_says_so(
    qtbot: QtBot, bar: TransportBar, player: SilentPlayer
) -> None:
    _load(player)
    player.play()
    with qtbot.waitSignal(player.deviceLost) as lost:
        player.answer("lost", name="Headphones")
    assert lost.args == ["Headphones"]
    assert bar.play.accessibleName() == "Play"


def test_a_file_that_fails_is_not_offered(
    qtbot: QtBot, bar: TransportBar, player: SilentPlayer
) -> None:
    player.load("/music/gone.wav")
    with qtbot.waitSignal(player.failed):
        player.answer("failed", message="gone.wav is not where it was.", path="/music/gone.wav")
    assert player.path is None
    assert bar.title.text() == "Nothing to play yet"


def test_a_swap_that_fails_goes_back_to_what_plays(bar: TransportBar, player: SilentPlayer) -> None:
    _load(player)
    player.play()
    player.swap("/music/gone.wav")
    player.answer("failed", message="gone.wav is not where it was.", path="/music/gone.wav")
    assert player.path == Path("/music/Night Drive.wav")
    assert player.playing


def test_what_is_deleted_is_not_offered(
    qtbot: QtBot, bar: TransportBar, player: SilentPlayer
) -> None:
    _load(player)
    player.play()
    player.tick(30.0)
    with qtbot.waitSignal(player.unloaded):
        player.unload()
    assert player.path is None
    assert not player.playing
    # What the process still says is about a file that is gone.
    player.tick(30.1)
    assert (player.position, player.playing) == (0.0, False)
    assert bar.title.text() == "Nothing to play yet"
    assert bar.time.text() == ""
    assert not bar.play.isEnabled()


def test_a_and_b(qtbot: QtBot, bar: TransportBar) -> None:
    bar.set_comparison(["One", "Two"], 0)
    with qtbot.waitSignal(bar.compareRequested) as asked:
        bar.compare_buttons[1].click()
    assert asked.args == [1]
    bar.set_comparison(None)
    assert not bar.compare_buttons[0].isVisible()


def test_everything_has_a_name(bar: TransportBar) -> None:
    for widget in bar.findChildren(QWidget):
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.isVisible():
            assert widget.accessibleName(), widget


def test_the_meter_rises_at_once_and_falls_by_itself(qtbot: QtBot) -> None:
    meter = LevelMeter()
    qtbot.addWidget(meter)
    meter.show()
    before = meter.grab().toImage()
    meter.set_levels(Levels((1.0, 1.0), (0.7, 0.7)))
    assert meter.grab().toImage() != before
    meter._held = [0.0, 0.0]
    qtbot.waitUntil(lambda: not meter._timer.isActive(), timeout=4000)
    assert meter.grab().toImage() == before
    assert decibels(0.1) == pytest.approx(-20.0)
