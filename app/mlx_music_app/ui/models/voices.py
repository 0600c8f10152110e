"""Voices that were saved."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

from mlx_music import MLXMusicError
from mlx_music.voices import Voice, delete_voice, list_voices, save_voice
from mlx_music_app.background import Background
from mlx_music_app.ui.compose.look import button, column, icon_button
from mlx_music_app.ui.models import ask
from mlx_music_app.ui.models.shelf import Shelf, ShelfRow
from mlx_music_app.ui.reveal import reveal, reveal_words

_EMPTY = (
    "A voice is a recording under a name, to be picked in Compose: new music starts from it and "
    "takes on its sound, and with it melody and rhythm. For a voice that sings anything, install "
    "an adapter that was trained on it."
)


class VoicesSection(QWidget):
    """A shelf of voices, which removes."""

    chosen = Signal(str)  # name: to be used in Compose
    changed = Signal()

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self.save_button = button("Save a recording as a voice…", icon_name="plus")
        self.save_button.clicked.connect(self._choose)
        self.shelf = Shelf(_EMPTY, self.save_button)
        self.shelf.notice.dismissed.connect(self._dismiss)
        self.setLayout(column(self.shelf))
        self.refresh()

    def refresh(self) -> None:
        self.shelf.set_rows([self._row(voice) for voice in list_voices()])

    def _row(self, voice: Voice) -> ShelfRow:
        use = button("Use")
        use.setAccessibleName(f"Use the voice {voice.name} in Compose")
        use.clicked.connect(partial(self._use, voice))
        use.setEnabled(voice.problem is None)
        shown = icon_button("reveal", f"{reveal_words()}: {voice.name}")
        shown.clicked.connect(partial(self._reveal, voice))
        remove = icon_button("trash", f"Remove: {voice.name}")
        remove.clicked.connect(partial(self._remove, voice))
        made = ShelfRow("lyrics", voice.name, _contents(voice), use, shown, remove)
        if voice.problem is not None:
            made.text.setProperty("role", "error")
            made.text.setToolTip(voice.problem)
        return made

    def save(self, recording: Path, name: str) -> None:
        """Save up to half a minute of a recording; the original is not needed afterwards."""
        self.save_button.setEnabled(False)
        self.shelf.notice.tell(f"Reading {recording.name}", dismissable=False)
        function = partial(save_voice, name, reference=recording)
        self._background.run(function, self._saved, self._failed)

    def _choose(self) -> None:
        file, _ = QFileDialog.getOpenFileName(
            self, "A recording", "", "Audio (*.wav *.flac *.aiff *.aif *.mp3 *.ogg *.caf)"
        )
        if not file:
            return
        name, accepted = QInputDialog.getText(
            self, "Save a voice", "Name of the voice", text=Path(file).stem
        )
        if accepted:
            self.save(Path(file), name)

    def _saved(self, voice: Voice) -> None:
        self.save_button.setEnabled(True)
        self.refresh()
        self.shelf.notice.tell(f"{voice.name} is saved.", "success")
        self.changed.emit()

    def _failed(self, error: Exception) -> None:
        self.save_button.setEnabled(True)
        self.shelf.notice.tell(str(error), "danger")

    def _use(self, voice: Voice) -> None:
        self.chosen.emit(voice.name)

    def _reveal(self, voice: Voice) -> None:
        reveal(voice.folder)

    def _remove(self, voice: Voice) -> None:
        if not ask.ask_to_remove(self, "voice", voice.name):
            return
        try:
            delete_voice(voice.name)
        except MLXMusicError as error:
            self.shelf.notice.tell(str(error), "danger")
        else:
            self.changed.emit()
        self.refresh()

    def _dismiss(self) -> None:
        self.shelf.notice.tell("")


def _contents(voice: Voice) -> str:
    """What a voice consists of, in a line."""
    if voice.problem is not None:
        return "It cannot be read; remove it and save it again"
    parts = []
    if voice.reference is not None:
        parts.append(f"Recording, strength {voice.strength:g}")
    if voice.lora is not None:
        parts.append(f"Adapter, weight {voice.lora_weight:g}")
    if voice.speaker_embedding is not None:
        parts.append("Speaker embedding")
    return "  ·  ".join(parts + ([voice.note] if voice.note else []))
