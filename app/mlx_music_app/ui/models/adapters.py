"""LoRA adapters that were installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from mlx_music import MLXMusicError
from mlx_music_app.background import Background
from mlx_music_app.models.adapters import (
    Adapter,
    install_adapter,
    installed_adapters,
    remove_adapter,
    rename_adapter,
)
from mlx_music_app.models.words import size_in_words
from mlx_music_app.ui.compose.look import button, column, icon_button
from mlx_music_app.ui.models import ask
from mlx_music_app.ui.models.shelf import Shelf, ShelfRow
from mlx_music_app.ui.reveal import reveal, reveal_words

_EMPTY = (
    "A LoRA adapter teaches a model a style or a voice. Drop a .safetensors file here to install "
    "one; it is copied, so the file may go afterwards."
)


class AdaptersSection(QWidget):
    """A shelf of adapters, which installs, renames and removes."""

    chosen = Signal(str)  # path: to be used in Compose
    changed = Signal()

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self.install_button = button("Install an adapter…", icon_name="plus")
        self.install_button.clicked.connect(self._choose)
        self.shelf = Shelf(_EMPTY, self.install_button)
        self.shelf.notice.dismissed.connect(self._dismiss)
        self.setLayout(column(self.shelf))
        self.refresh()

    def refresh(self) -> None:
        self.shelf.set_rows([self._row(adapter) for adapter in installed_adapters()])

    def install(self, path: Path) -> None:
        """Copy an adapter, and say what is wrong with it if it is none."""
        self.install_button.setEnabled(False)
        self.shelf.notice.tell(f"Installing {path.name}", dismissable=False)
        self._background.run(partial(install_adapter, path), self._installed, self._failed)

    def _row(self, adapter: Adapter) -> ShelfRow:
        use = button("Use")
        use.setAccessibleName(f"Use {adapter.name} in Compose")
        use.clicked.connect(partial(self._use, adapter))
        buttons: list[QWidget] = [use]
        for icon, words, act in (
            ("pencil", "Rename", self._rename),
            ("reveal", reveal_words(), self._reveal),
            ("trash", "Remove", self._remove),
        ):
            made = icon_button(icon, f"{words}: {adapter.name}")
            made.clicked.connect(partial(act, adapter))
            buttons.append(made)
        return ShelfRow("wand", adapter.name, size_in_words(adapter.nbytes), *buttons)

    def _choose(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, "A LoRA adapter", "", "LoRA adapters (*.safetensors)"
        )
        if file:
            self.install(Path(file))

    def _use(self, adapter: Adapter) -> None:
        self.chosen.emit(str(adapter.path))

    def _rename(self, adapter: Adapter) -> None:
        name, accepted = QInputDialog.getText(self, "Rename the adapter", "Name", text=adapter.name)
        if accepted:
            self._do(partial(rename_adapter, adapter, name))

    def _reveal(self, adapter: Adapter) -> None:
        reveal(adapter.path)

    def _remove(self, adapter: Adapter) -> None:
        if ask.ask_to_remove(self, "adapter", adapter.name):
            self._do(partial(remove_adapter, adapter))

    def _do(self, act: Callable[[], object]) -> None:
        try:
            act()
        except MLXMusicError as error:
            self.shelf.notice.tell(str(error), "danger")
        else:
            self._changed()

    def _installed(self, adapter: Adapter) -> None:
        self.install_button.setEnabled(True)
        self._changed()
        self.shelf.notice.tell(f"{adapter.name} is installed.", "success")

    def _failed(self, error: Exception) -> None:
        self.install_button.setEnabled(True)
        self.shelf.notice.tell(str(error), "danger")

    def _changed(self) -> None:
        self.shelf.notice.tell("")
        self.refresh()
        self.changed.emit()

    def _dismiss(self) -> None:
        self.shelf.notice.tell("")
