"""Add a model: a folder of this machine, or a repository of the hub."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QCheckBox, QFileDialog, QFrame, QLineEdit, QWidget

from mlx_music_app.models.service import IMPORT, ModelService
from mlx_music_app.ui.compose.look import button, column, label, row
from mlx_music_app.ui.models.notice import Notice
from mlx_music_app.ui.models.transfer_row import TransferRow
from mlx_music_app.ui.style.theme import Space


class AddModel(QFrame):
    """A card with two ways; a folder can be dropped on the page as well."""

    def __init__(self, service: ModelService, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._service = service
        self.setProperty("role", "card")
        self.choose = button("Choose a folder…", icon_name="folder")
        self.choose.clicked.connect(self._choose)
        self.copy = QCheckBox("Copy it into the app's own folder")
        self.copy.setToolTip("Without this, the model is used where it is")
        self.hub_id = QLineEdit()
        self.hub_id.setPlaceholderText("org/name, or the address of its page")
        self.hub_id.setAccessibleName("Id of a model on the Hugging Face hub")
        self.hub_id.returnPressed.connect(self._get)
        self.hub_id.textChanged.connect(self._typed)
        self.get = button("Download", icon_name="download")
        self.get.setAccessibleName("Download the model with this id")
        self.get.clicked.connect(self._get)
        self.get.setEnabled(False)
        self.transfer = TransferRow("Import")
        self.transfer.stopPressed.connect(self._stop)
        self.notice = Notice()
        self.notice.dismissed.connect(self._dismiss)
        folder = column(
            label("From a folder", "label"),
            label("An ACE-Step v1 model that you have already. You can also drop its folder here."),
            row(self.choose, self.copy, 1, gap=Space.L),
            gap=Space.XS,
        )
        hub = column(
            label("From the Hugging Face hub", "label"),
            label("Another model of the same kind, such as a fine-tuned one."),
            row(self.hub_id, self.get),
            gap=Space.XS,
        )
        self.setLayout(column(folder, hub, self.transfer, self.notice, gap=Space.L, margin=Space.L))
        service.changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        activity = self._service.activity(IMPORT)
        if activity is None:
            self.transfer.hide()
        else:
            self.transfer.show_activity(activity)
        self.choose.setEnabled(activity is None)
        self.notice.tell(self._service.error(IMPORT), "danger")

    def import_folder(self, folder: Path) -> None:
        self._service.import_folder(folder, copy=self.copy.isChecked())

    def _choose(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "The folder of a model"):
            self.import_folder(Path(folder))

    def _typed(self, text: str) -> None:
        self.get.setEnabled(bool(text.strip()))

    def _get(self) -> None:
        if self.hub_id.text().strip() and self._service.add_hub_id(self.hub_id.text()):
            self.hub_id.clear()

    def _stop(self) -> None:
        self._service.stop(IMPORT)

    def _dismiss(self) -> None:
        self._service.dismiss(IMPORT)
