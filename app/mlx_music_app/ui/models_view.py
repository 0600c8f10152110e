"""The Models page: what makes the music, and what it is made with."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from mlx_music_app.background import Background
from mlx_music_app.models.service import IMPORT, ModelService
from mlx_music_app.models.words import size_in_words
from mlx_music_app.ui.compose.look import column, label, row
from mlx_music_app.ui.models.adapters import AdaptersSection
from mlx_music_app.ui.models.add import AddModel
from mlx_music_app.ui.models.card import ModelCard
from mlx_music_app.ui.models.report_dialog import ReportDialog
from mlx_music_app.ui.models.voices import VoicesSection
from mlx_music_app.ui.style.theme import Space

#: Lines longer than this are tiring to read.
_WIDEST = 820


class ModelsView(QScrollArea):
    """Cards of all models, ways to add one, adapters and voices."""

    adapterChosen = Signal(str)  # path
    voiceChosen = Signal(str)  # name
    adaptersChanged = Signal()
    voicesChanged = Signal()

    def __init__(
        self, service: ModelService, background: Background, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._service = service
        self.cards: dict[str, ModelCard] = {}
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAcceptDrops(True)
        self.setAccessibleName("Models")
        self.room = label()
        self._card_column = QVBoxLayout()
        self._card_column.setSpacing(Space.M)
        self.add = AddModel(service)
        self.adapters = AdaptersSection(background)
        self.adapters.chosen.connect(self.adapterChosen)
        self.adapters.changed.connect(self.adaptersChanged)
        self.voices = VoicesSection(background)
        self.voices.chosen.connect(self.voiceChosen)
        self.voices.changed.connect(self.voicesChanged)
        content = column(
            column(label("Models", "title"), self.room, gap=Space.XS),
            self._card_column,
            _section("Add a model", self.add),
            _section("LoRA adapters", self.adapters),
            _section("Voices", self.voices),
            gap=Space.XL,
        )
        content.addStretch(1)
        inner = QWidget()
        inner.setMaximumWidth(_WIDEST)
        inner.setLayout(content)
        inner.setAutoFillBackground(False)
        # Cards stand out from the window's colour; a scroll area would paint a list's.
        self.viewport().setAutoFillBackground(False)
        page = QWidget()
        page.setProperty("role", "page")
        # In a row: a column would ask how high it is without minding that it is not so wide.
        outer = row(inner, 1, gap=0)
        outer.setStretch(0, 1000)
        outer.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.XL)
        page.setLayout(outer)
        self.setWidget(page)
        service.changed.connect(self.refresh)
        service.progress.connect(self._on_progress)
        self.refresh()

    def refresh(self) -> None:
        """Show what the service knows now. Cards stay, so that nobody loses their place."""
        models = self._service.models()
        gone = set(self.cards) - {model.id for model in models}
        for model_id in gone:
            card = self.cards.pop(model_id)
            self._card_column.removeWidget(card)
            card.hide()
            card.deleteLater()
        for place, model in enumerate(models):
            if model.id not in self.cards:
                self.cards[model.id] = ModelCard(self._service, model)
                self.cards[model.id].reportRequested.connect(self._show_report)
            card = self.cards[model.id]
            if self._card_column.indexOf(card) != place:
                self._card_column.insertWidget(place, card)
            card.show_model(model)
        if self.isVisible():
            self._look_at_the_machine()

    def install_adapter(self, path: Path) -> None:
        """Install a LoRA adapter that was dropped somewhere in the window."""
        self.adapters.install(path)
        self.ensureWidgetVisible(self.adapters)

    def import_folder(self, folder: Path) -> None:
        """Add the folder of a model that was dropped somewhere in the window."""
        self.add.import_folder(folder)
        self.ensureWidgetVisible(self.add)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._service.refresh()  # models come and go without us, by the command line or Finder
        self.adapters.refresh()
        self.voices.refresh()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isVisible():
            self.room.setText(self._room())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(path.is_dir() or path.suffix == ".safetensors" for path in _dropped(event)):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        for path in _dropped(event):
            if path.suffix == ".safetensors" or (path.is_dir() and _is_adapter(path)):
                self.install_adapter(path)
            elif path.is_dir():
                self.import_folder(path)

    def _look_at_the_machine(self) -> None:
        self._service.measure()
        self.room.setText(self._room())

    def _room(self) -> str:
        free = size_in_words(self._service.free_space())
        memory = size_in_words(self._service.memory())
        return f"{free} free for models. This machine has {memory} of memory."

    def _on_progress(self, model_id: str, fraction: float, text: str) -> None:
        if model_id == IMPORT:
            self.add.transfer.show_progress(fraction, text)
        elif model_id in self.cards:
            self.cards[model_id].show_progress(fraction, text)

    def _show_report(self, model_id: str) -> None:
        report, model = self._service.report(model_id), self._service.model(model_id)
        if report is not None and model is not None:
            ReportDialog(model.name, report, self).open()


def _section(title: str, content: QWidget) -> QVBoxLayout:
    return column(label(title, "heading"), content, gap=Space.M)


def _dropped(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file() or any(folder.glob("*lora*.safetensors"))
