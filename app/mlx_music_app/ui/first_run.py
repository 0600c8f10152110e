"""The first start: make something at once, or get the model that sings."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import QFileDialog, QFrame, QPushButton, QVBoxLayout, QWidget

from mlx_music.ace_step.published import MODEL_ID, SKETCH
from mlx_music_app.models.info import ModelInfo, State
from mlx_music_app.models.service import IMPORT, ModelService
from mlx_music_app.models.words import size_in_words
from mlx_music_app.ui.compose.look import button, column, label, row
from mlx_music_app.ui.models.notice import Notice
from mlx_music_app.ui.models.transfer_row import TransferRow
from mlx_music_app.ui.style import icons
from mlx_music_app.ui.style.theme import Space, set_role, theme

_WIDTH = 560


class FirstRunView(QWidget):
    """Two cards. Nothing is downloaded before the person says so, and nothing has to be."""

    startRequested = Signal(str)  # the model to begin with; empty if there is none
    modelsRequested = Signal()  # the page of all models

    def __init__(self, service: ModelService, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._service = service
        self.setAccessibleName("Welcome")
        self.sketch = _Choice("music", "Sketch")
        self.start = button("Make something now", "primary")
        self.start.clicked.connect(self._start)
        self.sketch.put(self.start)
        self.full = _Choice("models", "ACE-Step v1")
        self.get = button("Download", "primary")
        self.get.clicked.connect(self._download)
        self.licence = button("", "link")
        self.licence.clicked.connect(self._open_licence)
        self.full.put(self.get)
        self.full.cite("Licence:", self.licence)
        self.transfer = TransferRow("ACE-Step v1")
        self.transfer.pausePressed.connect(self._pause)
        self.transfer.resumePressed.connect(self._download)
        self.transfer.stop.hide()
        self.notice = Notice()
        self.notice.dismissed.connect(self._dismiss)
        self.full.add(self.transfer)
        self.full.add(self.notice)
        self.choose = button("I have a model on this machine…", "link")
        self.choose.clicked.connect(self._choose)
        self.later = button("All models", "link")
        self.later.clicked.connect(self.modelsRequested)
        title = label("Make music on this machine", "title", wrap=False)
        words = label(
            "Describe it, and listen to it take shape. Everything happens here: no account, and "
            "no network once a model is there.",
            "subtitle",
        )
        for made in (title, words):
            made.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        inner = QWidget()
        inner.setFixedWidth(_WIDTH)
        inner.setLayout(
            column(
                column(title, words, gap=Space.S),
                self.sketch,
                self.full,
                row(1, self.choose, self.later, 1),
                gap=Space.XL,
            )
        )
        outer = QVBoxLayout(self)
        outer.addStretch(2)
        # Not by alignment: that would give labels which wrap the height of a single line.
        outer.addLayout(row(1, inner, 1))
        outer.addStretch(3)
        service.changed.connect(self.refresh)
        service.progress.connect(self._on_progress)
        service.imported.connect(self._on_imported)
        self.refresh()

    def refresh(self) -> None:
        """Show what the service knows now."""
        self._show_sketch()
        model = self._service.model(MODEL_ID)
        if model is not None:
            self._show_full(model)
        failed = self._service.error(MODEL_ID) or self._service.error(IMPORT)
        self.notice.tell(failed, "danger")
        if self.isVisible():
            self._service.measure()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._service.measure()
        best = self.start if self.start.isVisible() else self.get
        best.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_sketch(self) -> None:
        model = self._service.model(SKETCH)
        there = model is not None and model.ready
        self.start.setVisible(there)
        # One way stands out: the quick one where there is one.
        set_role(self.get, "" if there else "primary")
        if model is not None and there:
            self.sketch.tell(
                f"{model.name}, ready now",
                f"{model.about} It comes with the app: no download, no waiting.",
            )
        elif model is not None:
            self.sketch.tell("Sketch is damaged", f"{model.problem}. Install MLX Music again.")
        else:
            self.sketch.tell(
                "Without a built-in model",
                "This copy of the app came without Sketch, the small model that works at once. "
                "Download ACE-Step v1 below, or choose the folder of a model that you have.",
            )

    def _show_full(self, model: ModelInfo) -> None:
        activity = self._service.activity(MODEL_ID)
        name = model.name
        if model.ready:
            self.full.tell(f"{name}, ready", model.about, self._need(MODEL_ID))
        else:
            free = size_in_words(self._service.free_space())
            self.full.tell(
                f"{name}, {size_in_words(model.total or 0)} to download once",
                f"{model.about} Up to four minutes long. A download can be paused, and goes on "
                "where it stopped.",
                f"{free} free on this disk. {self._need(MODEL_ID)}".strip(),
                self._service.space_problem(MODEL_ID),
            )
        self.get.setText("Make music" if model.ready else "Download")
        self.get.setVisible(activity is None and model.state is not State.PARTIAL)
        self.get.setAccessibleName(f"{self.get.text()} with {name}" if model.ready else
                                   f"Download {name}")  # fmt: skip
        if model.ready:
            set_role(self.get, "primary")
        self.licence.setText(model.licence)
        self.licence.setAccessibleName(f"Licence of {name}: {model.licence}")
        if activity is not None:
            self.transfer.show_activity(activity)
        elif model.state is State.PARTIAL:
            self.transfer.show_paused(model.fraction, f"{model.size} here")
        else:
            self.transfer.hide()
        self.transfer.stop.hide()

    def _need(self, model_id: str) -> str:
        need = self._service.memory_need(model_id)
        return "" if need is None else f"{need.text}."

    def _on_progress(self, model_id: str, fraction: float, text: str) -> None:
        if model_id == MODEL_ID:
            self.transfer.show_progress(fraction, text)

    def _start(self) -> None:
        self.startRequested.emit(SKETCH)

    def _download(self) -> None:
        model = self._service.model(MODEL_ID)
        if model is not None and model.ready:
            self.startRequested.emit(MODEL_ID)
        else:
            self._service.download(MODEL_ID)

    def _pause(self) -> None:
        self._service.pause(MODEL_ID)

    def _choose(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "The folder of a model"):
            self._service.import_folder(Path(folder))

    def _on_imported(self, model_id: str) -> None:
        if self.isVisible():
            self.startRequested.emit(model_id)

    def _dismiss(self) -> None:
        self._service.dismiss(MODEL_ID)
        self._service.dismiss(IMPORT)

    def _open_licence(self) -> None:
        model = self._service.model(MODEL_ID)
        if model is not None:
            QDesktopServices.openUrl(QUrl(model.link))


class _Choice(QFrame):
    """A card: a picture, a name, a few lines, buttons."""

    def __init__(self, icon: str, name: str) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._icon = icon
        self._picture = label(wrap=False)
        self._picture.setFixedSize(32, 32)
        self.name = label(name, "heading")
        self.words = label(role="body")
        self.facts = label()
        self.warning = label(role="warning")
        self._words = column(self.name, self.words, self.facts, self.warning, gap=Space.XS)
        beside = row(self._picture, gap=Space.L)
        beside.addLayout(self._words, 1)
        beside.setAlignment(self._picture, Qt.AlignmentFlag.AlignTop)
        self.setLayout(column(beside, margin=Space.L))
        theme().changed.connect(self._draw)
        self._draw()

    def put(self, made: QPushButton) -> None:
        """The button below the words."""
        self._words.addSpacing(Space.S)
        self._words.addLayout(row(made, 1))

    def cite(self, what: str, link: QPushButton) -> None:
        """A link in the line after the facts."""
        place = self._words.indexOf(self.facts) + 1
        self._words.insertLayout(place, row(label(what, wrap=False), link, 1, gap=0))

    def add(self, widget: QWidget) -> None:
        self._words.addWidget(widget)

    def tell(self, name: str, words: str, facts: str = "", warning: str = "") -> None:
        for made, text in (
            (self.name, name),
            (self.words, words),
            (self.facts, facts),
            (self.warning, warning),
        ):
            made.setText(text)
            made.setVisible(bool(text))
        self.setAccessibleName(name)

    def _draw(self) -> None:
        self._picture.setPixmap(icons.pixmap(self._icon, "accent", 32, self.devicePixelRatioF()))
