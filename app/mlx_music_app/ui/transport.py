"""The bar along the bottom of the window: what plays, where it is, how loud and through what."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mlx_music_app.audio.player import Player
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.long_text import Elided
from mlx_music_app.ui.meter import LevelMeter
from mlx_music_app.ui.seek_bar import JumpSlider, SeekBar
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space, theme
from mlx_music_app.ui.takes.model import number_words
from mlx_music_app.ui.takes.playback import is_at_end
from mlx_music_app.ui.words import clock

Region = tuple[float, float]


class TransportBar(QWidget):
    """Drives a player, and shows what it does. Without preferences, nothing is remembered."""

    playPressed = Signal()
    loopToggled = Signal(bool)
    compareRequested = Signal(int)  # 0 is A, 1 is B

    def __init__(
        self,
        player: Player,
        preferences: Preferences | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._player, self._preferences = player, preferences
        self._region: Region | None = None
        self._take: Take | None = None
        self._can_choose = False
        self._before_mute = 0.9
        self.setProperty("role", "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(68)
        self._make_buttons()
        self._make_middle()
        self._make_output()
        self._lay_out()
        self._connect()
        self._show_file()
        self._show_volume(player.volume)
        self._show_device()

    # What others say

    def set_take(self, take: Take | None) -> None:
        """What is loaded, by the name that the library gives it."""
        self._take = take
        self._show_title()

    def set_can_choose(self, can: bool) -> None:
        """Whether Play has something to load where nothing is loaded."""
        if can != self._can_choose:
            self._can_choose = can
            self._show_file()

    def set_region(self, region: Region | None) -> None:
        """What is looped when looping is on: a region of what is loaded, or all of it."""
        if region != self._region:
            self._region = region
            self._apply_loop()

    def set_comparison(self, names: Sequence[str] | None, current: int = 0) -> None:
        """Offer A and B to choose from, or neither. `compareRequested` tells."""
        self._compare_box.setVisible(names is not None)
        if names is not None:
            for button, name in zip(self.compare_buttons, names, strict=True):
                button.setToolTip(name)
                button.setAccessibleName(f"Hear {button.text()}, {name}")
            self.compare_buttons[current].setChecked(True)

    # Making

    def _make_buttons(self) -> None:
        self.to_start = _tool("skip-back", "To the beginning")
        self.play = _tool("play", "Play", color="on_accent", size=20)
        self.play.setProperty("role", "primary")
        self.play.setFixedSize(36, 36)
        self.loop = _tool("loop", "Loop", on="accent_text")
        self.loop.setCheckable(True)
        self.loop.setToolTip("Loop the selected region, or everything if none is selected")

    def _make_middle(self) -> None:
        self.title = Elided()
        self.title.setFont(theme().font("label"))
        self.time = QLabel()
        self.time.setFont(theme().font("numbers"))
        self.time.setProperty("role", "caption")
        self.time.setAccessibleName("Position and duration")
        self.seek = SeekBar()

    def _make_output(self) -> None:
        self._compare_box = QWidget()
        row = QHBoxLayout(self._compare_box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self._compare = QButtonGroup(self)
        self.compare_buttons: list[QToolButton] = []
        for place, letter in enumerate("AB"):
            button = QToolButton()
            button.setText(letter)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setProperty("role", "segment")
            button.setProperty("position", "first" if place == 0 else "last")
            self._compare.addButton(button, place)
            self.compare_buttons.append(button)
            row.addWidget(button)
        self._compare_box.hide()
        self.meter = LevelMeter()
        self.mute = _tool("volume", "Mute")
        self.volume = JumpSlider()
        self.volume.setRange(0, 100)
        self.volume.setPageStep(10)
        self.volume.setFixedWidth(92)
        self.volume.setAccessibleName("Volume")
        self.output = _tool("headphones", "Output")
        self.output.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QMenu(self.output)
        self._menu.setToolTipsVisible(True)
        self.output.setMenu(self._menu)
        self._outputs = QActionGroup(self)

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(Space.M)
        line.addWidget(self.title, 1)
        line.addWidget(self.time)
        middle = QVBoxLayout()
        middle.setSpacing(2)
        middle.addStretch(1)
        middle.addLayout(line)
        middle.addWidget(self.seek)
        middle.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.L, 0, Space.L, 0)
        row.setSpacing(Space.S)
        row.addWidget(self.to_start)
        row.addWidget(self.play)
        row.addWidget(self.loop)
        row.addSpacing(Space.M)
        row.addLayout(middle, 1)
        row.addSpacing(Space.M)
        row.addWidget(self._compare_box)
        row.addWidget(self.meter)
        row.addSpacing(Space.XS)
        row.addWidget(self.mute)
        row.addWidget(self.volume)
        row.addWidget(self.output)

    def _connect(self) -> None:
        player = self._player
        self.to_start.clicked.connect(self._on_to_start)
        self.play.clicked.connect(self.playPressed)
        self.loop.toggled.connect(self._on_loop)
        self.seek.seekRequested.connect(player.seek)
        self._compare.idClicked.connect(self.compareRequested)
        self.mute.clicked.connect(self._on_mute)
        self.volume.valueChanged.connect(self._on_volume)
        self._menu.aboutToShow.connect(player.refresh_devices)
        self._outputs.triggered.connect(self._on_output)
        player.loaded.connect(self._on_loaded)
        player.unloaded.connect(self._show_file)
        player.stateChanged.connect(self._show_state)
        player.positionChanged.connect(self._show_position)
        player.levelChanged.connect(self._on_level)
        player.volumeChanged.connect(self._show_volume)
        player.devicesChanged.connect(self._show_device)
        player.failed.connect(self._on_failed)

    # What the player says

    def _on_loaded(self, _path: object) -> None:
        self._show_file()
        self._apply_loop()

    def _on_failed(self, _message: str) -> None:
        self._show_file()

    def _show_file(self) -> None:
        path, player = self._player.path, self._player
        self._show_title()
        for control in (self.to_start, self.loop):
            control.setEnabled(path is not None)
        self.play.setEnabled(path is not None or self._can_choose)
        self.seek.set_duration(player.duration if path is not None else 0.0)
        self._show_state(player.playing)
        self._show_position(player.position)

    def _show_title(self) -> None:
        path, take = self._player.path, self._take
        nothing = "Nothing is playing" if self._can_choose else "Nothing to play yet"
        name = path.stem if path is not None else nothing
        # The player tells of another file before the window tells which take that is.
        if take is not None and take.path == path:
            self.title.setText(take.title, number_words(take))
        else:
            self.title.setText(name)
        self.title.setToolTip(str(path) if path is not None else "")
        self.title.setEnabled(path is not None)

    def _show_state(self, playing: bool) -> None:
        name = "Pause" if playing else "Play"
        self.play.setIcon(icon("pause" if playing else "play", color="on_accent"))
        self.play.setAccessibleName(name)
        self.play.setToolTip(f"{name} (space)")

    def _show_position(self, seconds: float) -> None:
        duration = self._player.duration
        if self._player.path is None:
            self.time.setText("")
            return
        if self.seek.maximum() != round(duration * 1000):
            self.seek.set_duration(duration)
        self.seek.set_position(seconds)
        # Where it is counts up as clocks do; how long it is reads as everywhere else.
        shown = duration if is_at_end(self._player) else int(seconds)
        text = f"{clock(shown)} / {clock(duration)}"
        if text != self.time.text():
            self.time.setText(text)

    def _on_level(self, _left: float, _right: float) -> None:
        self.meter.set_levels(self._player.level)

    def _show_volume(self, volume: float) -> None:
        if round(volume * 100) != self.volume.value():
            self.volume.setValue(round(volume * 100))
        self.mute.setIcon(icon("volume" if volume > 0 else "volume-mute"))
        name = "Mute" if volume > 0 else "Unmute"
        self.mute.setAccessibleName(name)
        self.mute.setToolTip(name)

    def _show_device(self) -> None:
        """Fill the menu: the system's own first, and what was chosen even if it is gone."""
        player = self._player
        for action in self._outputs.actions():
            self._outputs.removeAction(action)
        self._menu.clear()
        default = f"System default ({player.default_device})" if player.default_device else ""
        self._add_output("", default or "System default")
        self._menu.addSeparator()
        for name in player.devices:
            self._add_output(name, name)
        if player.device and player.device not in player.devices:
            self._add_output(player.device, f"{player.device} (not connected)")
        if not player.devices:
            none = self._menu.addAction("No outputs found yet")
            none.setEnabled(False)
        shown = player.device or player.default_device or "System default"
        self.output.setToolTip(f"Output: {shown}")

    def _add_output(self, name: str, text: str) -> None:
        action = self._menu.addAction(text.replace("&", "&&"))
        action.setData(name)
        action.setCheckable(True)
        action.setChecked(name == self._player.device)
        self._outputs.addAction(action)

    # What the person does

    def _on_to_start(self) -> None:
        # The loop's beginning is the beginning of what is worked on.
        loop = self._player.loop
        self._player.seek(loop[0] if loop is not None else 0.0)

    def _on_loop(self, looping: bool) -> None:
        self._apply_loop()
        self.loopToggled.emit(looping)

    def _apply_loop(self) -> None:
        player = self._player
        if not self.loop.isChecked():
            player.set_loop(None, None)
        elif player.duration > 0:
            player.set_loop(*(self._region or (0.0, player.duration)))

    def _on_volume(self, value: int) -> None:
        self._player.set_volume(value / 100)
        if self._preferences is not None:
            self._preferences.set("volume", value / 100)

    def _on_mute(self) -> None:
        if self._player.volume > 0:
            self._before_mute = self._player.volume
            self._player.set_volume(0.0)
        else:
            self._player.set_volume(self._before_mute)

    def _on_output(self, action: QAction) -> None:
        name = str(action.data())
        self._player.set_device(name)
        if self._preferences is not None:
            self._preferences.set("output_device", name)


def _tool(
    name: str, words: str, *, color: str = "text_secondary", on: str = "", size: int = 18
) -> QToolButton:
    button = QToolButton()
    button.setIcon(icon(name, color=color, on=on))
    button.setIconSize(QSize(size, size))
    button.setToolTip(words)
    button.setAccessibleName(words)
    # A click must not take the keys from where the person works.
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
