"""The takes as a whole: the list on the left, the chosen take on the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from mlx_music_app.audio.player import Player
from mlx_music_app.background import Background
from mlx_music_app.library.library import Library
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.empty_state import EmptyState
from mlx_music_app.ui.style.theme import Space
from mlx_music_app.ui.takes.actions import TakeActions
from mlx_music_app.ui.takes.compare import CompareBar
from mlx_music_app.ui.takes.delegate import TakeDelegate
from mlx_music_app.ui.takes.filter_bar import FilterBar
from mlx_music_app.ui.takes.inspector import Inspector
from mlx_music_app.ui.takes.list import TakesList
from mlx_music_app.ui.takes.model import Query, TakesModel
from mlx_music_app.ui.takes.playback import Playback
from mlx_music_app.ui.takes.take_menu import take_menu
from mlx_music_app.ui.takes.thumbnails import Thumbnails
from mlx_music_app.ui.takes.undo_bar import UndoBar
from mlx_music_app.ui.words import count


class TakesView(QWidget):
    """Finds, plays and keeps takes; what is to be made of one it hands on."""

    workRequested = Signal(object, str, object)  # Take, task, region or None
    useSettingsRequested = Signal(object)  # Take
    composeRequested = Signal()
    currentChanged = Signal(object)  # Take or None
    failed = Signal(str)

    def __init__(
        self,
        library: Library,
        player: Player,
        background: Background,
        preferences: Preferences,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._library = library
        self.playback = Playback(player, self)
        self.actions_of_takes = TakeActions(library, background, preferences, self)
        self.model = TakesModel(library, self)
        self._thumbnails = Thumbnails(background, self)
        self._delegate = TakeDelegate(self._thumbnails, self)
        self.list = TakesList(self.model, self._delegate)
        self.filter = FilterBar(library.all_tags)
        self.inspector = Inspector(library, background, self.actions_of_takes)
        self.compare = CompareBar()
        self.undo = UndoBar()
        self._build()
        self._connect()
        self._add_shortcuts()
        self.model.reload()
        self._update_pages()

    # Building.

    def _build(self) -> None:
        self._nothing_yet = EmptyState(
            "takes",
            "Your takes appear here",
            "Every piece that you make is kept, with everything that it was made from. "
            "You can also drop a file in that was made here before.",
            "Compose something",
        )
        self._nothing_found = EmptyState(
            "search", "Nothing found", "No take fits the search and the filters.", "Show all takes"
        )
        self._nothing_chosen = EmptyState(
            "music",
            "Choose a take",
            "Here you hear it, work on it, and take it to another program. "
            "Choose two to compare them.",
        )
        self._list_pages = QStackedWidget()
        self._list_pages.addWidget(self.list)
        self._list_pages.addWidget(self._nothing_found)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.filter)
        column.addWidget(self._list_pages, 1)
        for bar in (self.compare, self.undo):
            holder = QHBoxLayout()
            holder.setContentsMargins(Space.S, 0, Space.S, Space.S)
            holder.addWidget(bar)
            column.addLayout(holder)
        self._right = QStackedWidget()
        self._right.addWidget(self.inspector)
        self._right.addWidget(self._nothing_chosen)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        left.setMinimumWidth(280)
        self._right.setMinimumWidth(340)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self._right)
        self.splitter.setStretchFactor(0, 2)
        self.splitter.setStretchFactor(1, 3)
        self.splitter.setSizes([400, 560])
        self._pages = QStackedWidget()
        self._pages.addWidget(self.splitter)
        self._pages.addWidget(self._nothing_yet)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._pages)

    def _connect(self) -> None:
        self.model.renamed.connect(self.actions_of_takes.rename)
        self.filter.queryChanged.connect(self._on_query)
        self.model.modelReset.connect(self._update_pages)
        self.model.rowsInserted.connect(self._update_pages)
        self.model.rowsRemoved.connect(self._update_pages)
        self._nothing_yet.pressed.connect(self.composeRequested)
        self._nothing_found.pressed.connect(self.filter.clear)
        self._nothing_chosen.pressed.connect(self._compare_chosen)
        self.compare.picked.connect(self._on_compared)
        self.compare.closed.connect(self._on_compared)
        self.list.chosen.connect(self._on_chosen)
        self.list.playPressed.connect(self.play)
        self.list.deletePressed.connect(self.delete_selected)
        self.list.dragStarted.connect(self._on_drag)
        self.list.menuWanted.connect(self._on_menu)
        self._delegate.starPressed.connect(self._on_star)
        self._delegate.picturePressed.connect(self.play)
        self._thumbnails.ready.connect(self._on_thumbnail)
        self.inspector.workRequested.connect(self.workRequested)
        self.inspector.useSettingsRequested.connect(self.useSettingsRequested)
        self.inspector.seekRequested.connect(self.playback.seek)
        self.inspector.familyPressed.connect(self.show_take)
        self.compare.picked.connect(self.playback.swap)
        self.undo.undoPressed.connect(self.undo_delete)
        self.actions_of_takes.failed.connect(self.failed)
        self.actions_of_takes.said.connect(self.undo.say)
        self._library.takeChanged.connect(self._on_take_changed)
        self._library.takesRemoved.connect(self.compare.forget)
        self._library.takesRefused.connect(self._on_refused)
        self.playback.changed.connect(self._on_playback)
        self.playback.moved.connect(self._on_moved)

    def _add_shortcuts(self) -> None:
        other = QShortcut(
            QKeySequence("X"), self, context=Qt.ShortcutContext.WidgetWithChildrenShortcut
        )
        other.activated.connect(self.compare.toggle)
        down = QShortcut(
            QKeySequence(Qt.Key.Key_Down),
            self.filter.search,
            context=Qt.ShortcutContext.WidgetShortcut,
        )
        down.activated.connect(self.focus_list)

    # What others ask for.

    def focus_search(self) -> None:
        self.filter.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter.search.selectAll()

    def focus_list(self) -> None:
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)
        if not self.list.selected_ids() and self.model.ids():
            self.list.select([self.model.ids()[0]])

    def current(self) -> Take | None:
        """The take that is shown on the right."""
        return self.inspector.take if self._right.currentWidget() is self.inspector else None

    def selected(self) -> list[Take]:
        """What a command is about, in the order of the list."""
        ids = self.list.selected_ids()
        by_id = {take.id: take for take in self._library.get_many(ids)}
        return [by_id[i] for i in ids if i in by_id]

    def show_take(self, take_id: int) -> None:
        """Select it, showing all takes if the filters hide it."""
        self.show_takes([take_id])

    def show_takes(self, ids: Sequence[int]) -> None:
        """The same for several."""
        self.model.flush()
        if any(self.model.row_of(take_id) < 0 for take_id in ids):
            self.filter.clear()
        self.list.select(ids)

    def play(self, take_id: int) -> None:
        """Play it from the start; if it is loaded, go on or pause."""
        take = self._library.take(take_id)
        if take is not None:
            self.playback.toggle(take)

    def delete_selected(self) -> None:
        """To the trash, with a way back; what comes after is selected then."""
        # While there is a take to write them to: they come back with it.
        self.inspector.save_now()
        takes = self.selected()
        if not takes:
            return
        rows = [self.model.row_of(take.id) for take in takes]
        self.playback.stop(takes)
        if not self.actions_of_takes.delete(takes):
            return
        ids = self.model.ids()
        if ids:
            self.list.select([ids[min(min(rows), len(ids) - 1)]])
        what = f"“{takes[0].name}”" if len(takes) == 1 else count(len(takes), "take")
        self.undo.say(f"Moved {what} to the trash", undo=self._library.can_undo)

    def undo_delete(self) -> None:
        if self._library.can_undo:
            back = self._library.undo_delete()
            self.model.flush()
            self.list.select(back)
            self.undo.hide()

    def do(self, command: str) -> None:
        """A command of the menus, on what is selected: see `take_menu`."""
        takes = self.selected()
        if not takes:
            return
        take, region, actions = takes[0], self.inspector.region, self.actions_of_takes
        current = self.current()
        if current is None or current.id != take.id:
            region = None
        if command.startswith("work:"):
            self.workRequested.emit(take, command.removeprefix("work:"), region)
        elif command == "settings":
            self.useSettingsRequested.emit(take)
        elif command == "play":
            self.play(take.id)
        elif command == "locate":
            actions.locate(take)
        elif command == "rename":
            self.list.rename_current()
        elif command == "compare" and len(takes) == 2:
            self.compare.compare(*takes)
        elif command == "favourite":
            wanted = not all(take.favourite for take in takes)
            for each in takes:
                self.actions_of_takes.set_favourite(each.id, wanted)
        elif command == "export":
            actions.export(take, region)
        elif command == "copy":
            actions.copy(takes, region if len(takes) == 1 else None)
        elif command == "reveal":
            actions.reveal(take)
        elif command == "delete":
            self.delete_selected()

    # What happens.

    def _on_query(self, query: Query) -> None:
        self.model.set_query(query)

    def _update_pages(self) -> None:
        shown = len(self.model.ids())
        self.filter.set_count(shown)
        narrowed = self.model.query.narrows
        self._pages.setCurrentIndex(0 if shown or narrowed else 1)
        self._list_pages.setCurrentIndex(0 if shown or not narrowed else 1)
        if not shown:
            self._on_chosen([])

    def _on_chosen(self, ids: Sequence[int]) -> None:
        take = self._library.take(ids[0]) if len(ids) == 1 else None
        if take is None:
            self._say_chosen(len(ids))
            self._right.setCurrentIndex(1)
        else:
            self.inspector.show_take(take)
            self.inspector.set_position(self.playback.position_of(take))
            self._right.setCurrentIndex(0)
        self.currentChanged.emit(take)

    def _say_chosen(self, number: int) -> None:
        if number < 2:
            self._nothing_chosen.set_words(
                "Choose a take",
                "Here you hear it, work on it, and take it to another program. "
                "Choose two to compare them.",
            )
            return
        if self.compare.active:
            text = "X changes between A and B, at the same moment of both."
            self._nothing_chosen.set_words("Two takes compared", text)
            return
        text = "Drag them into another program, star them, or delete them together."
        self._nothing_chosen.set_words(
            f"{count(number, 'take')} chosen", text, "Compare A/B" if number == 2 else ""
        )

    def _compare_chosen(self) -> None:
        self.do("compare")

    def _on_compared(self, _: object = None) -> None:
        chosen = self.list.selected_ids()
        if len(chosen) != 1:
            self._say_chosen(len(chosen))

    def _on_take_changed(self, take_id: int) -> None:
        self._thumbnails.forget(take_id)
        take, current = self._library.take(take_id), self.current()
        if take is None:
            return
        self.playback.update(take)
        if current is not None and current.id == take_id:
            self.inspector.show_take(take)

    def _on_refused(self, ids: Sequence[int]) -> None:
        # What the bar says of them is not so; why, the library's `problem` tells.
        self.undo.hide()
        self.model.flush()
        self.list.select(ids)

    def _on_star(self, take_id: int) -> None:
        take = self._library.take(take_id)
        if take is not None:
            self.actions_of_takes.set_favourite(take_id, not take.favourite)

    def _on_thumbnail(self, take_id: int) -> None:
        self.list.update(self.model.index_of(take_id))

    def _on_drag(self, ids: Sequence[int]) -> None:
        self.actions_of_takes.drag(self.list, self.selected(), None)

    def _on_menu(self, point: QPoint) -> None:
        takes = self.selected()
        if takes:
            menu = take_menu(
                takes, self.do, region=self.inspector.region is not None, parent=self.list
            )
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(point)

    def _on_playback(self) -> None:
        take = self.playback.take
        self._delegate.playing_id = -1 if take is None else take.id
        self._delegate.is_playing = self.playback.playing
        self.list.viewport().update()

    def _on_moved(self, take: Take, seconds: float) -> None:
        current = self.current()
        if current is not None and current.id == take.id:
            self.inspector.set_position(seconds)
