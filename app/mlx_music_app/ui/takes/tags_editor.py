"""The tags of a take: chips that go away by a press, and a field for another one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtWidgets import QCompleter, QLineEdit, QPushButton, QWidget

from mlx_music_app.ui.compose.look import Flow
from mlx_music_app.ui.long_text import ElidedButton
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space


class TagsEditor(QWidget):
    """Emits the whole new list whenever the person changes it."""

    edited = Signal(object)  # tuple of str

    #: Pixels; in a narrow inspector, the longest tag still has its cross in sight.
    CHIP_WIDTH = 240

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tags: tuple[str, ...] = ()
        self._chips: list[QPushButton] = []
        self._flow = Flow(Space.XS)
        self.setLayout(self._flow)
        self.field = QLineEdit()
        self.field.setPlaceholderText("Add a tag")
        self.field.setAccessibleName("Add a tag")
        self.field.setMaxLength(60)
        self.field.setFixedSize(130, 28)
        self.field.setProperty("role", "inline")
        self.field.returnPressed.connect(self.commit)
        self._known = QStringListModel(self)
        completer = QCompleter(self._known, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.field.setCompleter(completer)
        self._flow.addWidget(self.field)

    def tags(self) -> tuple[str, ...]:
        return self._tags

    def set_tags(self, tags: Sequence[str], known: Sequence[str] = ()) -> None:
        """Show these, and offer the known ones while typing."""
        self._known.setStringList(sorted(set(known) - set(tags), key=str.lower))
        if tuple(tags) == self._tags and len(self._chips) == len(tags):
            return
        self._tags = tuple(tags)
        for chip in self._chips:
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._flow.removeWidget(self.field)
        self._chips = [self._chip(tag) for tag in self._tags]
        for part in (*self._chips, self.field):
            self._flow.addWidget(part)
        self.updateGeometry()

    def commit(self) -> None:
        """Add what is typed in the field, if anything."""
        new = [part.strip().lstrip("#").strip() for part in self.field.text().split(",")]
        known = {tag.lower() for tag in self._tags}
        added = tuple(tag for tag in dict.fromkeys(new) if tag and tag.lower() not in known)
        self.field.clear()
        if added:
            self._change((*self._tags, *added))

    def _chip(self, tag: str) -> QPushButton:
        chip = ElidedButton(tag, parent=self)
        chip.setMaximumWidth(self.CHIP_WIDTH)
        chip.setProperty("role", "chip")
        chip.setProperty("tag", tag)
        chip.setIcon(icon("close", "text_tertiary"))
        chip.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        chip.setToolTip(f"Remove the tag {tag}")
        chip.setAccessibleName(f"Remove the tag {tag}")
        chip.clicked.connect(self._remove)
        chip.show()
        return chip

    def _remove(self) -> None:
        tag = self.sender().property("tag")
        self._change(tuple(kept for kept in self._tags if kept != tag))

    def _change(self, tags: tuple[str, ...]) -> None:
        self.set_tags(tags, self._known.stringList())
        self.edited.emit(tags)
