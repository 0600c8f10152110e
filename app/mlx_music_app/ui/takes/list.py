"""The list of takes: selecting, playing, renaming, dragging out by mouse and by keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from mlx_music_app.ui.takes.delegate import TakeDelegate
from mlx_music_app.ui.takes.model import ID_ROLE, TakesModel


class TakesList(QListView):
    """Emits what the person wants; does nothing to the takes itself but renaming them."""

    chosen = Signal(object)  # list of ids, in the list's order
    playPressed = Signal(int)
    deletePressed = Signal()
    dragStarted = Signal(object)  # list of ids
    menuWanted = Signal(QPoint)  # on the screen

    def __init__(
        self, model: TakesModel, delegate: TakeDelegate, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._takes_model = model
        self.setModel(model)
        self.setItemDelegate(delegate)
        self.setProperty("role", "plain")
        self.setAccessibleName("Takes")
        self.setUniformItemSizes(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setDragEnabled(True)
        self.setMouseTracking(True)
        self.verticalScrollBar().setSingleStep(20)
        self.doubleClicked.connect(self._on_double_click)
        self._kept: list[int] = []
        self._kept_current = -1
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._select_again)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._on_menu)

    def selected_ids(self) -> list[int]:
        """In the order of the list."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        ids = self._takes_model.ids()
        return [ids[row] for row in rows if row < len(ids)]

    def current_id(self) -> int:
        index = self.currentIndex()
        return index.data(ID_ROLE) if index.isValid() else -1

    def select(self, ids: Sequence[int], current: int | None = None) -> None:
        """Select these takes, as far as they are shown, and bring the first into view."""
        selection = self.selectionModel()
        rows = [row for row in (self._takes_model.row_of(i) for i in ids) if row >= 0]
        selection.clear()
        for row in rows:
            selection.select(self._takes_model.index(row), QItemSelectionModel.SelectionFlag.Select)
        if rows:
            first = self._takes_model.index_of(current if current is not None else -1)
            first = first if first.isValid() else self._takes_model.index(rows[0])
            selection.setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(first)
        self.chosen.emit(self.selected_ids())

    def rename_current(self) -> None:
        if self.currentIndex().isValid():
            self.edit(self.currentIndex())

    # What Qt calls.

    def selectionChanged(self, selected, deselected) -> None:  # type: ignore[no-untyped-def, override]
        super().selectionChanged(selected, deselected)
        self.chosen.emit(self.selected_ids())

    def startDrag(self, actions: Qt.DropAction) -> None:
        ids = self.selected_ids()
        if ids:
            self.dragStarted.emit(ids)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.state() == QAbstractItemView.State.EditingState:
            # What the editor did not want, such as the Return that ends it.
            event.accept()
            return
        key = event.key()
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if plain and key == Qt.Key.Key_Space:
            self.playPressed.emit(self.current_id())
        elif plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            # As in the Finder.
            self.rename_current()
        elif key == Qt.Key.Key_F2:
            self.rename_current()
        elif event.matches(QKeySequence.StandardKey.Delete) or key == Qt.Key.Key_Backspace:
            self.deletePressed.emit()
        else:
            super().keyPressEvent(event)
            return
        event.accept()

    def keyboardSearch(self, search: str) -> None:
        """Typing goes nowhere: reading 10,000 names would take long, and there is a search."""

    def _on_double_click(self, index: QModelIndex) -> None:
        self.playPressed.emit(index.data(ID_ROLE))

    def _on_menu(self, point: QPoint) -> None:
        if self.indexAt(point).isValid():
            self.menuWanted.emit(self.viewport().mapToGlobal(point))

    def _remember(self) -> None:
        self._kept, self._kept_current = self.selected_ids(), self.current_id()

    def _select_again(self) -> None:
        if self._kept:
            self.select(self._kept, self._kept_current)
        else:
            self.chosen.emit([])
