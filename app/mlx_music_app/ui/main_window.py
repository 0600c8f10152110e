"""The window: places on the left, what is being made on the right, what is heard below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QMargins, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QStyle,
    QVBoxLayout,
    QWidget,
)

from mlx_music_app import diagnostics
from mlx_music_app.library.take import Take
from mlx_music_app.menus import Menus
from mlx_music_app.ui.about import AboutDialog
from mlx_music_app.ui.compose.look import icon_button, label
from mlx_music_app.ui.compose.view import ComposeView
from mlx_music_app.ui.first_run import FirstRunView
from mlx_music_app.ui.incoming import Incoming
from mlx_music_app.ui.models_view import ModelsView
from mlx_music_app.ui.notice_bar import NoticeBar
from mlx_music_app.ui.preferences_dialog import PreferencesDialog
from mlx_music_app.ui.queue_view import QueueView
from mlx_music_app.ui.reveal import reveal
from mlx_music_app.ui.sidebar import Sidebar
from mlx_music_app.ui.style.theme import Space
from mlx_music_app.ui.takes.view import TakesView
from mlx_music_app.ui.transport import TransportBar
from mlx_music_app.ui.unfinished_card import UnfinishedCard
from mlx_music_app.ui.words import count

if TYPE_CHECKING:
    from mlx_music_app.parts import Parts

QUEUE_WIDTH = 320

#: Of the first window, where the screen has room for it.
FIRST_SIZE = QSize(1180, 780)


class MainWindow(QMainWindow):
    """Puts the views together; what happens between them is in `wiring`."""

    closing = Signal()
    placeChanged = Signal(str)
    queueToggled = Signal()

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self.parts = parts
        self.setWindowTitle("MLX Music")
        self.setAcceptDrops(True)
        self.setUnifiedTitleAndToolBarOnMac(True)
        self._may_close = False
        self._question: QMessageBox | None = None  # while it is asked whether to quit
        self.compose = ComposeView(parts.preferences)
        self.takes = TakesView(parts.library, parts.player, parts.background, parts.preferences)
        self.models = ModelsView(parts.models, parts.background)
        self.welcome = FirstRunView(parts.models)
        self.sidebar = Sidebar()
        self.notice = NoticeBar()
        self.queue = QueueView(parts.controller)
        self.unfinished = UnfinishedCard(parts.saved_queue)
        self.transport = TransportBar(parts.player, parts.preferences)
        self.incoming = Incoming(self)
        self._views: dict[str, QWidget] = {
            "compose": self.compose,
            "takes": self.takes,
            "models": self.models,
            "welcome": self.welcome,
        }
        self._build()
        self.menus = Menus(self)
        self._restore()

    # Building.

    def _build(self) -> None:
        self._stack = QStackedWidget()
        for view in self._views.values():
            self._stack.addWidget(view)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        holder = QHBoxLayout()
        holder.setContentsMargins(Space.M, 0, Space.M, 0)
        holder.addWidget(self.notice)
        column.addLayout(holder)
        column.addWidget(self._stack, 1)
        self._queue_panel = self._make_queue_panel()
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(middle)
        self.splitter.addWidget(self._queue_panel)
        self.splitter.setStretchFactor(0, 1)
        self.splitter.setStretchFactor(1, 0)
        self._queue_panel.hide()
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(self.sidebar)
        upper.addWidget(self.splitter, 1)
        body = QWidget()
        whole = QVBoxLayout(body)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(upper, 1)
        whole.addWidget(self.transport)
        self.setCentralWidget(body)

    def _make_queue_panel(self) -> QWidget:
        panel = QWidget()
        panel.setProperty("role", "panel")
        panel.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        panel.setMinimumWidth(260)
        panel.setMaximumWidth(460)
        column = QVBoxLayout(panel)
        column.setContentsMargins(0, Space.S, 0, 0)
        column.setSpacing(Space.XS)
        head = QHBoxLayout()
        head.setContentsMargins(Space.L, 0, Space.S, 0)
        head.addWidget(label("Queue", "heading"), 1)
        hide = icon_button("close", "Hide the queue")
        hide.clicked.connect(self.toggle_queue)
        head.addWidget(hide)
        column.addLayout(head)
        holder = QHBoxLayout()
        holder.setContentsMargins(Space.M, 0, Space.M, 0)
        holder.addWidget(self.unfinished)
        column.addLayout(holder)
        column.addWidget(self.queue, 1)
        return panel

    # Where one is.

    @property
    def place(self) -> str:
        """Which view is shown."""
        return next(n for n, view in self._views.items() if view is self._stack.currentWidget())

    def show_place(self, name: str) -> None:
        self._stack.setCurrentWidget(self._views[name])
        self.sidebar.choose(name)
        if name == "takes":
            self.takes.focus_list()
        self.placeChanged.emit(name)

    @property
    def queue_is_open(self) -> bool:
        return not self._queue_panel.isHidden()

    def open_queue(self) -> None:
        if not self.queue_is_open:
            self._queue_panel.show()
            sizes = self.splitter.sizes()
            self.splitter.setSizes([sum(sizes) - QUEUE_WIDTH, QUEUE_WIDTH])
            self.queueToggled.emit()

    def toggle_queue(self) -> None:
        if self.queue_is_open:
            self._queue_panel.hide()
            self.queueToggled.emit()
        else:
            self.open_queue()

    def come_forward(self) -> None:
        """In front of all other windows."""
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def toggle_zoom(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowMaximized)

    # What the menus can do and may do.

    @property
    def is_busy(self) -> bool:
        return self.parts.controller.running() is not None

    @property
    def is_playing(self) -> bool:
        return bool(self.parts.player.playing)

    @property
    def can_play(self) -> bool:
        return self.parts.player.path is not None or bool(self.takes.model.ids())

    def generate(self) -> None:
        """As the button in Compose."""
        self.show_place("compose")
        self.compose.generate()

    def new_composition(self) -> None:
        self.show_place("compose")
        self.compose.start_anew()

    def cancel_running(self) -> None:
        running = self.parts.controller.running()
        if running is not None:
            self.parts.controller.cancel(running.id)

    def toggle_playing(self) -> None:
        """Play or pause what is loaded; if nothing is, the take that is chosen, or the last."""
        if self.parts.player.path is not None:
            self.parts.player.toggle()
            return
        take = self.takes.current()
        ids = self.takes.model.ids()
        if take is not None or ids:
            self.takes.play(take.id if take is not None else ids[0])

    def to_start(self) -> None:
        self.parts.player.seek(0.0)

    def find_take(self) -> None:
        self.show_place("takes")
        self.takes.focus_search()

    def do_with_takes(self, command: str) -> None:
        self.show_place("takes")
        self.takes.do(command)

    def choose_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self,
            "Open",
            "",
            "Music, settings and adapters "
            "(*.wav *.flac *.aif *.aiff *.ogg *.mp3 *.json *.safetensors);;All files (*)",
        )
        self.open_files([Path(name) for name in names])

    def open_files(self, paths: Sequence[Path]) -> None:
        """As if they were dropped on the window."""
        self.incoming.open(paths)

    def show_take(self, take: Take) -> None:
        self.show_place("takes")
        self.takes.show_take(take.id)

    def show_takes(self, ids: Sequence[int]) -> None:
        self.show_place("takes")
        self.takes.show_takes(ids)

    # Dialogs.

    def show_preferences(self) -> None:
        PreferencesDialog(self.parts.preferences, self).open()

    def show_about(self) -> None:
        AboutDialog(self).open()

    def copy_diagnostics(self) -> None:
        self.parts.copy_diagnostics()
        self.notice.say(
            "Copied. Paste it where you ask for help. It ends with lines of the log, in which "
            "names of songs and other files can stand."
        )

    def show_log(self) -> None:
        if not reveal(diagnostics.log_file()):
            folder = diagnostics.log_file().parent
            self.notice.complain(f"The folder could not be opened: {folder}", topic="log")

    # Coming and going.

    def quit(self) -> None:
        self.close()

    def close_without_asking(self) -> None:
        """The system wants us to end."""
        self._may_close = True
        if self._question is None:
            self.close()
        else:
            # The event that asks is a close already, in which another does nothing.
            self._question.reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._may_close and not self._is_sure():
            event.ignore()
            return
        self._may_close = True
        self._remember()
        self.takes.inspector.save_now()
        self.compose.save_draft()
        event.accept()
        self.closing.emit()

    def _is_sure(self) -> bool:
        """Ask, if music is being made."""
        unfinished = self.parts.unfinished_jobs()
        if not unfinished:
            return True
        box = QMessageBox(self)
        box.setWindowTitle("Quit MLX Music")
        box.setText("Music is still being made.")
        box.setInformativeText(
            f"{count(unfinished, 'job')} in the queue will be stopped. Takes that are done are "
            f"kept, and {'it' if unfinished == 1 else 'they'} can go on when MLX Music is opened "
            "again."
        )
        leave = box.addButton("Quit", QMessageBox.ButtonRole.DestructiveRole)
        stay = box.addButton("Keep making music", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(stay)
        box.setEscapeButton(stay)
        self._question = box
        box.exec()
        self._question = None
        box.deleteLater()
        # While it was asked, the system may have wanted us to end.
        return self._may_close or box.clickedButton() is leave

    def _restore(self) -> None:
        preferences = self.parts.preferences
        geometry = preferences.window("main")
        if geometry is None or not self.restoreGeometry(QByteArray(geometry)):
            # What was remembered, Qt fits to the screen itself.
            room = self.screen().availableGeometry().size()
            title_bar = self.style().pixelMetric(QStyle.PixelMetric.PM_TitleBarHeight)
            self.resize(FIRST_SIZE.boundedTo(room.shrunkBy(QMargins(0, title_bar, 0, 0))))
        for name, splitter in (("takes_splitter", self.takes.splitter),):
            state = preferences.window(name)
            if state is not None:
                splitter.restoreState(QByteArray(state))
        place = (preferences.window("place") or b"").decode(errors="replace")
        if not place:  # the first start, if there is nothing yet
            place = "compose" if self.takes.model.ids() else "welcome"
        self.show_place(place if place in self._views else "compose")
        if preferences.window("queue") == b"open":
            self.open_queue()

    def _remember(self) -> None:
        preferences = self.parts.preferences
        preferences.save_window("main", bytes(self.saveGeometry().data()))
        preferences.save_window("takes_splitter", bytes(self.takes.splitter.saveState().data()))
        preferences.save_window("place", self.place.encode())
        preferences.save_window("queue", b"open" if self.queue_is_open else b"closed")

    # Keys and drops that no view took.

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.modifiers():
            self._play_what_is_seen()
            event.accept()
        else:
            super().keyPressEvent(event)

    def _play_what_is_seen(self) -> None:
        """On a waveform its own take; elsewhere what is loaded."""
        take = self.takes.current()
        if take is not None and self.takes.inspector.waveform.hasFocus():
            self.takes.play(take.id)
        else:
            self.toggle_playing()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.source() is None and self.incoming.is_of_use(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.incoming.drop(event.mimeData())
