"""Search, order and filters above the list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QLineEdit, QMenu, QToolButton, QVBoxLayout, QWidget

from mlx_music_app.ui.compose.look import icon_button, label, row
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space
from mlx_music_app.ui.takes.model import Query
from mlx_music_app.ui.words import count

#: Words, order, whether it falls.
ORDERS = (
    ("Newest first", "created", True),
    ("Oldest first", "created", False),
    ("Title", "title", False),
    ("Longest first", "duration", True),
    ("Shortest first", "duration", False),
)


class FilterBar(QWidget):
    """Announces a new query when the person pauses, not at every letter."""

    queryChanged = Signal(object)  # Query

    DELAY_MS = 120

    def __init__(self, tags: Callable[[], Sequence[str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tags = tags
        self._query = Query()
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search titles, lyrics, tags, notes")
        self.search.setAccessibleName("Search takes")
        self.search.setClearButtonEnabled(True)
        clear = self.search.findChild(QAction, "_q_qlineeditclearaction")
        if clear is not None:  # Qt's own drawing is black in the dark
            clear.setIcon(icon("close", "text_tertiary"))
        self.search.setProperty("role", "search")
        self.search.addAction(
            icon("search", "text_tertiary"), QLineEdit.ActionPosition.LeadingPosition
        )
        self._timer = QTimer(self, singleShot=True, interval=self.DELAY_MS)
        self.search.textEdited.connect(self._timer.start)
        self.search.textChanged.connect(self._on_text)
        self.search.returnPressed.connect(self.apply_now)
        self._timer.timeout.connect(self.apply_now)

        self.favourites = icon_button("star", "Show only favourites")
        self.favourites.setIcon(icon("star", on="star"))
        self.favourites.setCheckable(True)
        self.favourites.toggled.connect(self._on_favourites)
        self.tags_button = self._menu_button("tag", "Show only one tag")
        self.tags_button.menu().aboutToShow.connect(self._fill_tags)
        self.order_button = self._menu_button("sort", "Order")
        self._fill_orders()
        self._count = label("", "hint")

        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.L, Space.M, Space.M, Space.S)
        layout.setSpacing(Space.S)
        layout.addLayout(
            row(self.search, self.favourites, self.tags_button, self.order_button, gap=Space.XS)
        )
        layout.addWidget(self._count)

    @property
    def query(self) -> Query:
        return self._query

    def set_count(self, shown: int) -> None:
        """How many takes the query found."""
        words = count(shown, "take")
        extra = [f"#{self._query.tag}"] if self._query.tag else []
        extra += ["favourites"] if self._query.favourites else []
        self._count.setText(" · ".join([words, *extra]))

    def clear(self) -> None:
        """Show everything again, in the order it has."""
        self.search.clear()
        self.favourites.setChecked(False)
        self._change(search="", favourites=False, tag=None)

    def show_tag(self, tag: str | None) -> None:
        self._change(tag=tag)

    def apply_now(self) -> None:
        self._timer.stop()
        self._change(search=self.search.text().strip())

    def _change(self, **changes: object) -> None:
        query = replace(self._query, **changes)  # type: ignore[arg-type]
        self.tags_button.setChecked(query.tag is not None)
        if query != self._query:
            self._query = query
            self.queryChanged.emit(query)

    def _on_text(self, text: str) -> None:
        if not text:  # the clear button, which counts as no editing
            self.apply_now()

    def _on_favourites(self, on: bool) -> None:
        self._change(favourites=on)

    def _menu_button(self, name: str, words: str) -> QToolButton:
        button = icon_button(name, words)
        button.setIcon(icon(name, on="accent_text"))
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setCheckable(name == "tag")
        button.setMenu(QMenu(button))
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        return button

    def _fill_orders(self) -> None:
        menu = self.order_button.menu()
        group = QActionGroup(menu)
        for words, sort, descending in ORDERS:
            action = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked((sort, descending) == (self._query.sort, self._query.descending))
            action.setData((sort, descending))
            group.addAction(action)
        group.triggered.connect(self._on_order)

    def _on_order(self, action: QAction) -> None:
        sort, descending = action.data()
        self._change(sort=sort, descending=descending)

    def _fill_tags(self) -> None:
        menu = self.tags_button.menu()
        menu.clear()
        group = QActionGroup(menu)
        for words, tag in [("All tags", None), *((f"#{tag}", tag) for tag in self._tags())]:
            action = menu.addAction(words)
            action.setCheckable(True)
            action.setChecked(tag == self._query.tag)
            action.setData(tag)
            group.addAction(action)
        if len(menu.actions()) == 1:
            menu.addAction("Tags that you give to takes appear here").setEnabled(False)
        group.triggered.connect(self._on_tag)

    def _on_tag(self, action: QAction) -> None:
        self._change(tag=action.data())
