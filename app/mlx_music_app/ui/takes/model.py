"""The list's model: ids in order, and their rows as they are looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)

from mlx_music_app.library.library import Library
from mlx_music_app.library.take import Take
from mlx_music_app.ui.words import clock, count, day

Index = QModelIndex | QPersistentModelIndex

TAKE_ROLE = Qt.ItemDataRole.UserRole
ID_ROLE = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class Query:
    """What the list shows, and in which order."""

    search: str = ""
    sort: str = "created"
    descending: bool = True
    favourites: bool = False
    tag: str | None = None

    @property
    def narrows(self) -> bool:
        """Whether it hides anything."""
        return bool(self.search.strip() or self.favourites or self.tag)


class TakesModel(QAbstractListModel):
    """All ids are here, rows are read from the catalogue a screenful at a time."""

    renamed = Signal(int, str)  # what a person typed into a row

    BLOCK = 64
    KEPT = 1024

    def __init__(self, library: Library, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._query = Query()
        self._ids: list[int] = []
        self._rows: dict[int, int] = {}
        self._takes: OrderedDict[int, Take] = OrderedDict()
        self._added: list[int] = []
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self.flush)
        library.takeAdded.connect(self._on_added)
        library.takeChanged.connect(self._on_changed)
        library.takesRemoved.connect(self._on_removed)
        library.reset.connect(self.reload)

    @property
    def query(self) -> Query:
        return self._query

    def set_query(self, query: Query) -> None:
        if query != self._query:
            self._query = query
            self.reload()

    def reload(self) -> None:
        """Ask the catalogue again."""
        self._added = []
        self._takes.clear()
        self._show(self._find())

    def flush(self) -> None:
        """Take in what was added since the last look."""
        added, self._added = self._added, []
        if not added or not self._library.is_open:
            return
        ids = self._find()
        row = next((row for row, found in enumerate(ids) if found == added[0]), -1)
        if row >= 0 and ids[:row] + ids[row + 1 :] == self._ids:
            self.beginInsertRows(QModelIndex(), row, row)
            self._set_ids(ids)
            self.endInsertRows()
        elif ids != self._ids:
            self._show(ids)

    def ids(self) -> Sequence[int]:
        return self._ids

    def row_of(self, take_id: int) -> int:
        """-1 where the take is not shown."""
        return self._rows.get(take_id, -1)

    def index_of(self, take_id: int) -> QModelIndex:
        return self.index(self.row_of(take_id))

    def take_at(self, row: int) -> Take | None:
        """The row's take, read with its neighbours. None if it has just gone."""
        # While the app ends, the library closes before the window is gone.
        if not 0 <= row < len(self._ids) or not self._library.is_open:
            return None
        wanted = self._ids[row]
        if wanted not in self._takes:
            start = row - row % self.BLOCK
            missing = [i for i in self._ids[start : start + self.BLOCK] if i not in self._takes]
            for take in self._library.get_many(missing):
                self._takes[take.id] = take
            while len(self._takes) > self.KEPT:
                self._takes.popitem(last=False)
        return self._takes.get(wanted)

    # What Qt asks.

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._ids):
            return None
        if role == ID_ROLE:
            return self._ids[index.row()]
        take = self.take_at(index.row())
        if take is None:
            return None
        if role == TAKE_ROLE:
            return take
        if role == Qt.ItemDataRole.DisplayRole:
            return take.name
        if role == Qt.ItemDataRole.EditRole:
            return take.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(take.path) if take.missing else take.request.prompt or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(take)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        title = str(value).strip()
        take = self.take_at(index.row())
        if role != Qt.ItemDataRole.EditRole or take is None or not title or title == take.title:
            return False
        self.renamed.emit(take.id, title)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable | Qt.ItemFlag.ItemIsDragEnabled

    # What the library tells.

    def _find(self) -> list[int]:
        query = self._query
        return self._library.takes(
            search=query.search,
            sort=query.sort,
            descending=query.descending,
            favourites=query.favourites,
            tag=query.tag,
        )

    def _show(self, ids: list[int]) -> None:
        self.beginResetModel()
        self._set_ids(ids)
        self.endResetModel()

    def _set_ids(self, ids: list[int]) -> None:
        self._ids = ids
        self._rows = {take_id: row for row, take_id in enumerate(ids)}

    def _on_added(self, take_id: int) -> None:
        # Many may come at once, when a deletion is undone: they are asked for together.
        self._added.append(take_id)
        self._soon.start()

    def _on_changed(self, take_id: int) -> None:
        self._takes.pop(take_id, None)
        row = self.row_of(take_id)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))

    def _on_removed(self, gone: Sequence[int]) -> None:
        if len(gone) > self.BLOCK:
            self.reload()
            return
        for row in sorted((self.row_of(i) for i in gone), reverse=True):
            if row >= 0:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._ids[row]
                self.endRemoveRows()
        for take_id in gone:
            self._takes.pop(take_id, None)
        self._set_ids(self._ids)


def number_words(take: Take) -> str:
    """What a take's name has after its title: a space and its number, or nothing."""
    return take.name.removeprefix(take.title)


def spoken(take: Take) -> str:
    """A row in one sentence, for a screen reader."""
    parts = [take.name, clock(take.duration), day(take.created)]
    if take.favourite:
        parts.append("favourite")
    if take.missing:
        parts.append("file not found")
    if take.tags:
        parts.append(f"{count(len(take.tags), 'tag')}: {', '.join(take.tags)}")
    return ", ".join(parts)
