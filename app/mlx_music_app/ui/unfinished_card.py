"""What the last run of the app left in the queue, and whether to go on with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from mlx_music_app.engine.saved_queue import SavedQueue
from mlx_music_app.ui.compose.look import button, label, row
from mlx_music_app.ui.long_text import WrappedLabel
from mlx_music_app.ui.style.theme import Space
from mlx_music_app.ui.words import count

#: Titles that are named; the others are counted.
_NAMED = 3


class UnfinishedCard(QFrame):
    """A quiet notice with two buttons; hidden if nothing was left."""

    def __init__(self, saved: SavedQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._saved = saved
        self.setProperty("role", "card")
        self._words = label("", "label")
        self._names = WrappedLabel(role="caption")
        self.go_on = button("Go on", tip="Make them now, after what is in the queue already")
        self.forget = button(
            "Forget", "quiet", tip="They will not be made. Takes that are done stay."
        )
        for made in (self.go_on, self.forget):
            # On a Mac too, where buttons do not take part in Tab by themselves.
            made.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.go_on.clicked.connect(self._on_go_on)
        self.forget.clicked.connect(self._on_forget)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.M, Space.S, Space.M, Space.M)
        column.setSpacing(Space.XS)
        column.addWidget(self._words)
        column.addWidget(self._names)
        column.addSpacing(Space.XS)
        column.addLayout(row(self.go_on, self.forget, 1))
        saved.changed.connect(self._show)
        self._show()

    @property
    def words(self) -> str:
        return self._words.text()

    @Slot()
    def _on_go_on(self) -> None:
        self._saved.go_on()

    @Slot()
    def _on_forget(self) -> None:
        self._saved.forget()

    @Slot()
    def _show(self) -> None:
        jobs = self._saved.left
        if not jobs:
            self.hide()
            return
        words = unfinished_words(len(jobs))
        names = [" ".join(job.title.split()) or "Untitled" for job in jobs[:_NAMED]]
        if len(jobs) > _NAMED:
            names.append(f"{len(jobs) - _NAMED} more")
        self._words.setText(words)
        self._names.setText(", ".join(names))
        self.setAccessibleName(words)
        self.setAccessibleDescription(self._names.text())
        these = count(len(jobs), "unfinished job")
        self.go_on.setAccessibleName(f"Go on with {these}")
        self.forget.setAccessibleName(f"Forget {these}")
        self.show()


def unfinished_words(number: int) -> str:
    """1 job was not finished, 3 jobs were not finished."""
    return f"{count(number, 'job')} {'was' if number == 1 else 'were'} not finished"
