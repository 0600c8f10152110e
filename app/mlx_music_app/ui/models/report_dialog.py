"""Every file of a model, and how the last check found it."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from mlx_music.weights.verify import FileCheck, VerifyReport
from mlx_music_app.models.words import size_in_words
from mlx_music_app.ui.compose.look import column, label
from mlx_music_app.ui.style import icons
from mlx_music_app.ui.style.theme import Space


class ReportDialog(QDialog):
    """A list that can be read, and closed."""

    def __init__(self, name: str, report: VerifyReport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Files of {name}")
        self.resize(640, 380)
        self.tree = QTreeWidget()
        self.tree.setAccessibleName(f"Files of {name}")
        self.tree.setHeaderLabels(["File", "Size", "Found"])
        self.tree.setRootIsDecorated(False)
        for file in sorted(report.files, key=lambda file: (file.ok, file.name)):
            self.tree.addTopLevelItem(_item(file))
        header = self.tree.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for section in (1, 2):
            header.setSectionResizeMode(section, QHeaderView.ResizeMode.ResizeToContents)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        folder = label(str(report.folder), "hint", wrap=True)
        self.setLayout(column(folder, self.tree, buttons, gap=Space.M, margin=Space.L))


def _item(file: FileCheck) -> QTreeWidgetItem:
    how = "equal to the published file" if file.digest_compared else "whole"
    item = QTreeWidgetItem([file.name, size_in_words(file.nbytes), file.problem or how])
    item.setIcon(2, icons.icon("check", "success") if file.ok else icons.icon("error", "danger"))
    item.setToolTip(2, file.problem or "")
    return item
