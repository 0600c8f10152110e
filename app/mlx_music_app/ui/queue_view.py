"""The queue: what is being made, what comes next, and what has been made."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from mlx_music_app.engine.controller import EngineController
from mlx_music_app.engine.jobs import JobState, MadeTake
from mlx_music_app.ui.empty_state import EmptyState
from mlx_music_app.ui.queue_card import JOB_MIME, JobCard
from mlx_music_app.ui.style.theme import Space, theme


class QueueView(QWidget):
    """Cards of all jobs, over the controller. Queued ones can be dragged to another place."""

    takesAsked = Signal(str)  # id of the job whose takes are to be seen

    def __init__(self, controller: EngineController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._cards: dict[str, JobCard] = {}
        self._page = _Page()
        self._page.dropped.connect(self._on_dropped)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._page)
        self._page.clear_button.clicked.connect(controller.clear_finished)
        self.empty = EmptyState(
            "queue",
            "Nothing in the queue",
            "What you generate is made here, one after another, and you see each song take "
            "shape. You can go on composing meanwhile.",
        )
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._scroll)
        self.setAccessibleName("Queue")
        controller.jobAdded.connect(self._on_added)
        controller.jobChanged.connect(self._on_changed)
        controller.jobRemoved.connect(self._on_removed)
        controller.orderChanged.connect(self._arrange)
        controller.pictureChanged.connect(self._on_picture)
        controller.takeMade.connect(self._on_made)
        for job in controller.jobs():
            self._add(job.id)
        self._arrange()

    def card(self, job_id: str) -> JobCard:
        """KeyError if the job is not here."""
        return self._cards[job_id]

    def cards(self) -> list[JobCard]:
        """From top to bottom."""
        return [self._cards[job.id] for job in self._controller.jobs() if job.id in self._cards]

    def _add(self, job_id: str) -> None:
        card = JobCard(self._controller.job(job_id), self._controller.status(job_id), self._page)
        card.cancelAsked.connect(self._controller.cancel)
        card.removeAsked.connect(self._on_remove_asked)
        card.takesAsked.connect(self.takesAsked)
        card.retryAsked.connect(self._on_retry_asked)
        card.moveAsked.connect(self._on_move_asked)
        card.focusAsked.connect(self._on_focus_asked)
        card.set_picture(self._controller.picture(job_id))
        self._cards[job_id] = card

    @Slot(str)
    def _on_added(self, job_id: str) -> None:
        self._add(job_id)
        self._arrange()

    @Slot(str)
    def _on_changed(self, job_id: str) -> None:
        card = self._cards.get(job_id)
        if card is None:
            return
        status = self._controller.status(job_id)
        if status.state is card.status.state:
            card.show_status(status)
        else:
            self._arrange()

    @Slot(str)
    def _on_removed(self, job_id: str) -> None:
        card = self._cards.pop(job_id, None)
        if card is None:
            return
        if card.hasFocus() or card.isAncestorOf(self.focusWidget() or self):
            self._focus_near(card)
        card.hide()
        card.deleteLater()
        self._arrange()

    @Slot(str)
    def _on_picture(self, job_id: str) -> None:
        if job_id in self._cards:
            self._cards[job_id].set_picture(self._controller.picture(job_id))

    @Slot(object)
    def _on_made(self, made: MadeTake) -> None:
        if made.job.id in self._cards:
            self._cards[made.job.id].add_notes(made.notes)

    @Slot()
    def _arrange(self) -> None:
        """Put the cards in the controller's order."""
        live: list[JobCard] = []
        finished: list[JobCard] = []
        queued = self._queued()
        for card in self.cards():
            job_id = card.job.id
            status = self._controller.status(job_id)
            first, last = queued[:1] == [job_id], queued[-1:] == [job_id]
            card.show_status(status, first=first, last=last)
            waits = status.state in (JobState.QUEUED, JobState.RUNNING)
            (live if waits else finished).append(card)
        self._page.arrange(live, finished)
        self._stack.setCurrentWidget(self._scroll if self._cards else self.empty)

    def _queued(self) -> list[str]:
        return [
            job.id
            for job in self._controller.jobs()
            if self._controller.status(job.id).state is JobState.QUEUED
        ]

    # What is asked for

    @Slot(str)
    def _on_remove_asked(self, job_id: str) -> None:
        self._controller.remove(job_id)

    @Slot(str)
    def _on_retry_asked(self, job_id: str) -> None:
        new = self._controller.retry(job_id)
        if new in self._cards:
            self._cards[new].setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(str, int)
    def _on_move_asked(self, job_id: str, by: int) -> None:
        queued = self._queued()
        if job_id in queued:
            self._controller.move(job_id, max(0, queued.index(job_id) + by))
            self._show(self._cards[job_id])

    @Slot(str, object)
    def _on_dropped(self, job_id: str, position: QPoint) -> None:
        queued = self._queued()
        if job_id not in queued:
            return
        above = sum(
            self._cards[other].geometry().center().y() < position.y()
            for other in queued
            if other != job_id
        )
        self._controller.move(job_id, above)

    @Slot(str, int)
    def _on_focus_asked(self, job_id: str, by: int) -> None:
        ids = [card.job.id for card in self.cards()]
        place = ids.index(job_id) + by
        if 0 <= place < len(ids):
            card = self._cards[ids[place]]
            card.setFocus(Qt.FocusReason.TabFocusReason)
            self._show(card)

    def _focus_near(self, gone: JobCard) -> None:
        below = [card for card in self.cards() if card.y() > gone.y()]
        near = below or self.cards()[-1:]
        if near:
            near[0].setFocus(Qt.FocusReason.TabFocusReason)

    def _show(self, card: JobCard) -> None:
        self._scroll.ensureWidgetVisible(card, 0, Space.S)


class _Page(QWidget):
    """The column of cards, and where a dragged one would go."""

    dropped = Signal(str, object)  # id, QPoint

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "page")
        self.setAcceptDrops(True)
        self._drop_at: QPoint | None = None
        self._live: list[JobCard] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(Space.M, Space.S, Space.M, Space.M)
        self._column.setSpacing(Space.S)
        self._finished = QWidget()
        heading = QLabel("Finished")
        heading.setProperty("role", "section")
        self.clear_button = QPushButton("Clear")
        self.clear_button.setProperty("role", "link")
        self.clear_button.setAccessibleName("Clear finished")
        self.clear_button.setToolTip("Forget these. Their takes stay in the library.")
        head = QHBoxLayout(self._finished)
        head.setContentsMargins(Space.XS, Space.S, 0, 0)
        head.addWidget(heading, 1)
        head.addWidget(self.clear_button)
        self._column.addWidget(self._finished)
        self._column.addStretch(1)

    def arrange(self, live: list[JobCard], finished: list[JobCard]) -> None:
        """Have exactly these, from top to bottom; only what is not in its place is moved."""
        self._live = live
        self._finished.setVisible(bool(finished))
        before: QWidget | None = None
        for place, widget in enumerate([*live, self._finished, *finished]):
            item = self._column.itemAt(place)
            if item is None or item.widget() is not widget:
                self._column.removeWidget(widget)
                self._column.insertWidget(place, widget)
            if widget is not self._finished:
                widget.show()
            if before is not None:
                QWidget.setTabOrder(before, widget)
            before = widget

    # Qt's names, from here on.

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasFormat(JOB_MIME):
            event.setDropAction(Qt.DropAction.MoveAction)
            event.accept()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._drop_at = event.position().toPoint()
        event.accept()
        self.update()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop_at = None
        self.update()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop_at = None
        self.update()
        job_id = bytes(event.mimeData().data(JOB_MIME).data()).decode()
        event.accept()
        self.dropped.emit(job_id, event.position().toPoint())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._drop_at is None:
            return
        queued = [card for card in self._live if card.status.state is JobState.QUEUED]
        below = [card for card in queued if card.geometry().center().y() > self._drop_at.y()]
        if below:
            y = below[0].y() - Space.S // 2
        elif queued:
            y = queued[-1].geometry().bottom() + Space.S // 2
        else:
            return
        painter = QPainter(self)
        painter.setPen(QPen(theme().color("accent"), 2))
        painter.drawLine(Space.M, y, self.width() - Space.M, y)
        painter.end()
