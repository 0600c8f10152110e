"""The menu bar extra: what is being made, the last takes, and the way back to the window."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from mlx_music_app.engine.jobs import JobState, MadeTake
from mlx_music_app.library.take import Take
from mlx_music_app.parts import Parts
from mlx_music_app.ui.reveal import copy_files, reveal, reveal_words
from mlx_music_app.ui.style.icons import mask_icon
from mlx_music_app.ui.takes.playback import Playback
from mlx_music_app.ui.words import clock

#: How many of the last takes it lists.
LAST = 6


class MenuBarExtra(QObject):
    """Made only where there is a menu bar or tray to be in: see `is_available`.

    A menu cannot be dragged from, so each take can be copied and revealed instead.
    """

    windowWanted = Signal()
    generateWanted = Signal()
    quitWanted = Signal()

    def __init__(self, parts: Parts, playback: Playback, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._parts, self._playback = parts, playback
        self._icon = QSystemTrayIcon(mask_icon("menu-bar"), self)
        self._icon.setToolTip("MLX Music")
        self.menu = QMenu()
        self.menu.aboutToShow.connect(self.fill)
        self._icon.setContextMenu(self.menu)
        self._icon.messageClicked.connect(self.windowWanted)
        self.fill()
        parts.preferences.changed.connect(self._on_preference)
        parts.controller.jobChanged.connect(self._show_progress)
        parts.controller.takeMade.connect(self._on_made)
        parts.controller.busyChanged.connect(self._show_progress)
        self._on_preference("show_menu_bar_extra")

    @staticmethod
    def is_available() -> bool:
        return QSystemTrayIcon.isSystemTrayAvailable()

    @property
    def is_shown(self) -> bool:
        return self._icon.isVisible()

    def hide(self) -> None:
        self._icon.hide()

    def fill(self) -> None:
        """Make the menu anew: it is looked at far less often than it would change."""
        menu = self.menu
        menu.clear()
        menu.addAction(progress_words(self._parts)).setEnabled(False)
        if self._parts.controller.running() is not None:
            self._add(menu, "Stop generating", self._stop)
        menu.addSeparator()
        library = self._parts.library
        takes = library.get_many(library.takes()[:LAST]) if library.is_open else []
        for take in takes:
            self._add_take(menu, take)
        if not takes:
            menu.addAction("No takes yet").setEnabled(False)
        menu.addSeparator()
        self._add(menu, "Generate what Compose says", self.generateWanted.emit)
        self._add(menu, "Show MLX Music", self.windowWanted.emit)
        menu.addSeparator()
        self._add(menu, "Quit MLX Music", self.quitWanted.emit)

    def _add_take(self, menu: QMenu, take: Take) -> None:
        sub = menu.addMenu(f"{take.name}   {clock(take.duration)}".replace("&", "&&"))
        sub.setEnabled(not take.missing)
        playing = self._playback.playing and self._playback.take == take
        self._add(sub, "Pause" if playing else "Play", partial(self._playback.toggle, take))
        self._add(sub, "Copy file", partial(copy_files, [take.path]))
        self._add(sub, reveal_words(), partial(reveal, take.path))

    def _add(self, menu: QMenu, words: str, do: object) -> QAction:
        action = menu.addAction(words)
        action.triggered.connect(partial(_call, do))
        return action

    def _stop(self) -> None:
        running = self._parts.controller.running()
        if running is not None:
            self._parts.controller.cancel(running.id)

    def _on_preference(self, name: str) -> None:
        if name == "show_menu_bar_extra":
            self._icon.setVisible(bool(self._parts.preferences.get(name)))

    def _show_progress(self, _: object = None) -> None:
        words = progress_words(self._parts)
        self._icon.setToolTip(f"MLX Music: {words}")
        if self.menu.isVisible() and self.menu.actions():
            self.menu.actions()[0].setText(words)

    def _on_made(self, made: MadeTake) -> None:
        in_front = QGuiApplication.focusWindow() is not None
        if self.is_shown and not in_front and self._parts.preferences.get("notify_when_done"):
            self._icon.showMessage("MLX Music", f"“{made.job.title}” is done", self._icon.icon())


class DockBadge(QObject):
    """Percent of the running job on the Dock's icon."""

    def __init__(self, parts: Parts, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._controller = parts.controller
        self.shown = 0
        self._controller.jobChanged.connect(self._update)
        self._controller.busyChanged.connect(self._update)

    def _update(self, _: object = None) -> None:
        running = self._controller.running()
        percent = 0
        if running is not None:
            status = self._controller.status(running.id)
            percent = max(1, int(status.fraction * 100))
        if percent != self.shown and hasattr(QGuiApplication, "setBadgeNumber"):
            self.shown = percent
            app = QGuiApplication.instance()
            if isinstance(app, QGuiApplication):
                app.setBadgeNumber(percent)


def progress_words(parts: Parts) -> str:
    """What is being made, in a line."""
    controller = parts.controller
    running = controller.running()
    if running is None:
        return "Nothing is being made"
    status = controller.status(running.id)
    waiting = sum(controller.status(job.id).state is JobState.QUEUED for job in controller.jobs())
    words = f"{running.title}: {status.fraction:.0%}"
    return f"{words}, {waiting} waiting" if waiting else words


def _call(do, checked: bool = False) -> None:  # type: ignore[no-untyped-def]
    do()
