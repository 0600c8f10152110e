"""A job in the queue, as a card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QMimeData, QPoint, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDrag,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from mlx_music_app.engine.jobs import Job, JobState, JobStatus
from mlx_music_app.ui.job_words import about, state_words, time_left
from mlx_music_app.ui.long_text import Elided
from mlx_music_app.ui.picture import LivePicture
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space, set_role, set_state
from mlx_music_app.ui.words import sentence

#: What is dragged when a job is: its id.
JOB_MIME = "application/x-mlx-music-job"

#: The bar's full length: finer than any screen.
_BAR = 10_000

_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class JobCard(QFrame):
    """Shows a job and asks for what is to be done with it; it does nothing by itself."""

    takesAsked = Signal(str)
    cancelAsked = Signal(str)
    retryAsked = Signal(str)
    removeAsked = Signal(str)
    moveAsked = Signal(str, int)
    focusAsked = Signal(str, int)

    def __init__(self, job: Job, status: JobStatus, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self.status = status
        self._pressed_at: QPoint | None = None
        self.setProperty("role", "card")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.title = Elided("label")
        self.title.setText(job.title or "Untitled")
        self.prompt = Elided("caption")
        self.prompt.setText(about(job))
        for line in (self.title, self.prompt):
            line.setToolTip(line.text())
        self.state = Elided("hint")
        self.left = QLabel()
        self.left.setProperty("role", "hint")
        self.error = QLabel()
        self.error.setProperty("role", "error")
        self.error.setTextFormat(Qt.TextFormat.PlainText)
        self.error.setWordWrap(True)
        self.error.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.notes = QLabel()
        self.notes.setProperty("role", "caption")
        self.notes.setTextFormat(Qt.TextFormat.PlainText)
        self.notes.setWordWrap(True)
        self.notes.hide()
        self.picture = LivePicture()
        self.bar = QProgressBar()
        self.bar.setRange(0, _BAR)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        self.takes = self._button("takes", "Show takes")
        self.up = self._button("arrow-up", "Make it earlier")
        self.down = self._button("arrow-down", "Make it later")
        self.again = self._button("refresh", "Try again")
        self.close_button = self._button("close", "Cancel")
        self.takes.clicked.connect(self._show_takes)
        self.up.clicked.connect(self._move_up)
        self.down.clicked.connect(self._move_down)
        self.again.clicked.connect(self._retry)
        self.close_button.clicked.connect(self.give_up)
        self._lay_out()
        self.show_status(status)

    def _button(self, icon_name: str, words: str) -> QToolButton:
        made = QToolButton()
        made.setIcon(icon(icon_name))
        made.setAutoRaise(True)
        self._name(made, words)
        return made

    def _name(self, made: QToolButton, words: str) -> None:
        made.setToolTip(words)
        made.setAccessibleName(f"{words}: {self.title.text()}")

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(0)
        head.addWidget(self.title, 1)
        for made in (self.takes, self.up, self.down, self.again, self.close_button):
            head.addWidget(made)
        foot = QHBoxLayout()
        foot.setSpacing(Space.S)
        foot.addWidget(self.state, 1)
        foot.addWidget(self.left)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.M, Space.S, Space.M, Space.M)
        column.setSpacing(Space.XS)
        column.addLayout(head)
        column.addWidget(self.prompt)
        column.addSpacing(Space.XS)
        column.addWidget(self.picture)
        column.addWidget(self.bar)
        column.addLayout(foot)
        column.addWidget(self.notes)
        column.addWidget(self.error)

    def show_status(self, status: JobStatus, *, first: bool = False, last: bool = False) -> None:
        """Show how far the job is. first, last: its place among those that wait."""
        self.status = status
        running = status.state is JobState.RUNNING
        queued = status.state is JobState.QUEUED
        retryable = status.state in (JobState.FAILED, JobState.CANCELLED)
        _show(self.picture, running)
        _show(self.bar, running)
        _show(self.up, queued and not first)
        _show(self.down, queued and not last)
        _show(self.again, retryable)
        _show(self.takes, status.made > 0)
        if status.made:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.bar.setValue(math.floor(status.fraction * _BAR))
        words = state_words(self.job, status)
        self.state.setText(words)
        set_role(self.state, "error" if status.state is JobState.FAILED else "hint")
        left = running and status.remaining is not None
        self.left.setText(time_left(status.remaining or 0.0) if left else "")
        _show(self.left, left)
        self.error.setText(status.error)
        _show(self.error, bool(status.error))
        self._name(self.close_button, "Remove" if status.state in _ENDED else "Cancel")
        self.setAccessibleName(f"{self.title.text()}, {words}")
        self.setAccessibleDescription(status.error or self.prompt.text())

    def add_notes(self, notes: Sequence[str]) -> None:
        """What a person should know of a take that was made: what was left out, or changed."""
        lines = dict.fromkeys((*self.notes.text().splitlines(), *map(sentence, notes)))
        self.notes.setText("\n".join(lines))
        _show(self.notes, bool(lines))

    def set_picture(self, picture: Any) -> None:
        self.picture.set_picture(picture)

    # What can be done with it

    def give_up(self) -> None:
        """Cancel what is not done; remove what is."""
        ended = self.status.state in _ENDED
        (self.removeAsked if ended else self.cancelAsked).emit(self.job.id)

    def _show_takes(self) -> None:
        if self.status.made:
            self.takesAsked.emit(self.job.id)

    def _retry(self) -> None:
        self.retryAsked.emit(self.job.id)

    def _move_up(self) -> None:
        self.moveAsked.emit(self.job.id, -1)

    def _move_down(self) -> None:
        self.moveAsked.emit(self.job.id, 1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = event.key(), event.modifiers()
        moving = bool(
            modifiers & (Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier)
        )
        queued = self.status.state is JobState.QUEUED
        if key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            by = -1 if key == Qt.Key.Key_Up else 1
            if not moving:
                self.focusAsked.emit(self.job.id, by)
            elif queued:
                self.moveAsked.emit(self.job.id, by)
        elif key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.give_up()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not self.again.isHidden():
            self._retry()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.status.made:
            self._show_takes()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Whoever clicks sees where; who moves by keys has to be shown.
        set_state(self, "selected", event.reason() is not Qt.FocusReason.MouseFocusReason)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        set_state(self, "selected", False)
        super().focusOutEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu()
        menu.exec(event.globalPos())
        menu.deleteLater()

    def menu(self) -> QMenu:
        """All that can be done, as the buttons have it."""
        menu = QMenu(self)
        for made, act in (
            (self.takes, self._show_takes),
            (self.up, self._move_up),
            (self.down, self._move_down),
            (self.again, self._retry),
            (self.close_button, self.give_up),
        ):
            if not made.isHidden():
                menu.addAction(made.icon(), made.toolTip()).triggered.connect(act)
        return menu

    # Dragging to another place in the line

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed_at is None or self.status.state is not JobState.QUEUED:
            return
        way = event.position().toPoint() - self._pressed_at
        if way.manhattanLength() < QApplication.startDragDistance():
            return
        drag = QDrag(self)
        data = QMimeData()
        data.setData(JOB_MIME, self.job.id.encode())
        drag.setMimeData(data)
        drag.setPixmap(self.grab())
        drag.setHotSpot(self._pressed_at)
        self._pressed_at = None
        drag.exec(Qt.DropAction.MoveAction)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed_at = self._pressed_at is not None, None
        super().mouseReleaseEvent(event)
        if pressed and self.rect().contains(event.position().toPoint()):
            self._show_takes()


def _show(widget: QWidget, visible: bool) -> None:
    if widget.isHidden() is visible:
        widget.setVisible(visible)
