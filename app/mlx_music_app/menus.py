"""The menus: every command of the window, with the keys that such a command has everywhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QMetaObject, QObject, Qt, QTimer
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QMenuBar, QPlainTextEdit, QTextEdit

from mlx_music_app.library.take import Take
from mlx_music_app.ui.reveal import reveal_words
from mlx_music_app.ui.sidebar import PLACES
from mlx_music_app.ui.takes.inspector import WORK

if TYPE_CHECKING:
    from mlx_music_app.ui.main_window import MainWindow

_TEXTS = (QLineEdit, QPlainTextEdit, QTextEdit)

Keys = QKeySequence.StandardKey | str | None


class Menus(QObject):
    """Fills the window's menu bar, and enables what can be done now."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._of_take: list[QAction] = []
        self._text_commands: dict[str, QAction] = {}
        bar = window.menuBar()
        self._add_file(bar)
        self._add_edit(bar)
        self._add_take(bar)
        self._add_music(bar)
        self._add_view(bar)
        self._add_window(bar)
        self._add_help(bar)
        for menu in bar.findChildren(QMenu):
            menu.aboutToShow.connect(self.update)
        # Keys must do the right thing without a menu being opened.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.update)
        for signal in (
            window.takes.currentChanged,
            window.takes.inspector.regionChanged,
            window.parts.controller.busyChanged,
            window.parts.player.stateChanged,
            window.parts.player.loaded,
            window.parts.player.unloaded,
            window.placeChanged,
        ):
            signal.connect(self._later)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._later)
        self.update()

    def _later(self, *_: object) -> None:
        self._soon.start()

    def _add_file(self, bar: QMenuBar) -> None:
        window = self._window
        menu = bar.addMenu("&File")
        self._add(menu, "New composition", window.new_composition, QKeySequence.StandardKey.New)
        self._add(menu, "Open…", window.choose_files, QKeySequence.StandardKey.Open)
        menu.addSeparator()
        for words, command, keys in (
            ("Export…", "export", "Ctrl+E"),
            ("Copy file", "copy", "Ctrl+Shift+C"),
            (reveal_words(), "reveal", "Ctrl+Shift+R"),
        ):
            self._add_take_command(menu, words, command, keys)
        menu.addSeparator()
        settings = self._add(
            menu, "Preferences…", window.show_preferences, QKeySequence.StandardKey.Preferences
        )
        settings.setMenuRole(QAction.MenuRole.PreferencesRole)
        self._add(menu, "Close window", window.close, QKeySequence.StandardKey.Close)
        leave = self._add(menu, "Quit MLX Music", window.quit, QKeySequence.StandardKey.Quit)
        leave.setMenuRole(QAction.MenuRole.QuitRole)

    def _add_edit(self, bar: QMenuBar) -> None:
        menu = bar.addMenu("&Edit")
        standard = QKeySequence.StandardKey
        for words, name, keys in (
            ("Undo", "undo", standard.Undo),
            ("Redo", "redo", standard.Redo),
            ("", "", None),
            ("Cut", "cut", standard.Cut),
            ("Copy", "copy", standard.Copy),
            ("Paste", "paste", standard.Paste),
            ("Select all", "selectAll", standard.SelectAll),
        ):
            if not words:
                menu.addSeparator()
                continue
            action = self._add(menu, words, partial(self._edit, name), keys)
            self._text_commands[name] = action
        menu.addSeparator()
        self._add(menu, "Find take", self._window.find_take, standard.Find)

    def _add_take(self, bar: QMenuBar) -> None:
        menu = bar.addMenu("&Take")
        self._add_take_command(menu, "Play", "play")
        self._add_take_command(menu, "Add to favourites", "favourite", "Ctrl+L")
        self._add_take_command(menu, "Rename", "rename")
        self._add_take_command(menu, "Compare A/B", "compare", "Ctrl+B")
        menu.addSeparator()
        for task, words, _, _ in WORK:
            self._add_take_command(menu, words, f"work:{task}")
        self._add_take_command(menu, "Use these settings", "settings", "Ctrl+Shift+N")
        menu.addSeparator()
        self._add_take_command(menu, "Delete", "delete", "Ctrl+Backspace")

    def _add_music(self, bar: QMenuBar) -> None:
        window = self._window
        menu = bar.addMenu("&Music")
        self.generate = self._add(menu, "Generate", window.generate, "Ctrl+Return")
        self.cancel = self._add(menu, "Stop generating", window.cancel_running, "Ctrl+.")
        menu.addSeparator()
        self.play = self._add(menu, "Play or pause", window.toggle_playing)
        self.to_start = self._add(menu, "Back to the start", window.to_start, "Ctrl+Left")

    def _add_view(self, bar: QMenuBar) -> None:
        menu = bar.addMenu("&View")
        for number, (name, words, _) in enumerate(PLACES, start=1):
            self._add(menu, words, partial(self._window.show_place, name), f"Ctrl+{number}")
        menu.addSeparator()
        self.queue = self._add(menu, "Queue", self._window.toggle_queue, "Ctrl+J")
        self.queue.setCheckable(True)
        menu.addSeparator()
        self._add(menu, "Full screen", self._window.toggle_full_screen, "Ctrl+Meta+F")

    def _add_window(self, bar: QMenuBar) -> None:
        menu = bar.addMenu("&Window")
        self._add(menu, "Minimise", self._window.showMinimized, "Ctrl+M")
        self._add(menu, "Zoom", self._window.toggle_zoom)

    def _add_help(self, bar: QMenuBar) -> None:
        window = self._window
        menu = bar.addMenu("&Help")
        self._add(menu, "Copy diagnostics", window.copy_diagnostics)
        self._add(menu, "Show log", window.show_log)
        menu.addSeparator()
        about = self._add(menu, "About MLX Music", window.show_about)
        about.setMenuRole(QAction.MenuRole.AboutRole)

    def update(self) -> None:
        """Enable what can be done."""
        window = self._window
        ids = window.takes.list.selected_ids() if window.place == "takes" else []
        take = window.parts.library.take(ids[0]) if ids and window.parts.library.is_open else None
        for action in self._of_take:
            command = action.data()
            action.setEnabled(self._can(command, len(ids), take))
            if command == "favourite" and take is not None:
                words = "Remove from favourites" if take.favourite else "Add to favourites"
                action.setText(words)
        # Compose listens to the same keys, and two that listen would silence each other.
        self.generate.setShortcutContext(
            Qt.ShortcutContext.WidgetShortcut
            if window.place == "compose"
            else Qt.ShortcutContext.WindowShortcut
        )
        self.cancel.setEnabled(window.is_busy)
        self.play.setText("Pause" if window.is_playing else "Play")
        self.play.setEnabled(window.can_play)
        # On a Mac its keys are those that go to the start of the line where one types.
        self.to_start.setEnabled(window.parts.player.path is not None and not _types())
        self.queue.setChecked(window.queue_is_open)

    def _can(self, command: str, chosen: int, take: Take | None) -> bool:
        # Its keys are those that remove a word where one types.
        if command == "delete" and _types():
            return False
        if command == "compare":
            return chosen == 2
        if command in ("favourite", "copy", "delete"):
            return chosen > 0
        if chosen != 1 or take is None:
            return False
        if command == "work:repaint":
            return self._window.takes.inspector.region is not None
        return command in ("rename", "settings") or not take.missing

    def _add_take_command(self, menu: QMenu, words: str, command: str, keys: Keys = None) -> None:
        self._of_take.append(self._add(menu, words, partial(self._take, command), keys))
        self._of_take[-1].setData(command)

    def _add(self, menu: QMenu, words: str, do: Callable[[], object], keys: Keys = None) -> QAction:
        action = QAction(words, menu)
        if keys is not None:
            action.setShortcut(QKeySequence(keys))
        # By the words alone, the Mac would take "Preferences" and "About" for what they are not.
        action.setMenuRole(QAction.MenuRole.NoRole)
        action.triggered.connect(partial(_call, do))
        menu.addAction(action)
        return action

    def _take(self, command: str) -> None:
        self._window.do_with_takes(command)

    def _edit(self, name: str) -> None:
        """To whoever has the focus: a text's own command, or that of the list of takes."""
        focus = QApplication.focusWidget()
        takes = self._window.takes
        if isinstance(focus, _TEXTS):
            QMetaObject.invokeMethod(focus, name, Qt.ConnectionType.DirectConnection)
        elif self._window.place == "takes":
            if name == "undo":
                takes.undo_delete()
            elif name == "copy":
                takes.do("copy")
            elif name == "selectAll":
                takes.list.selectAll()


def _types() -> bool:
    """Whether the keys go to a text."""
    return isinstance(QApplication.focusWidget(), _TEXTS)


def _call(do: Callable[[], object], checked: bool = False) -> None:
    """Without the word whether it is checked, which the functions do not take."""
    do()
