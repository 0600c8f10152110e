"""Who makes the music: the model, and the voice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QWidget

from mlx_music.request import SINGER_FIELDS
from mlx_music.voices import Voice, list_voices
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.ui.compose.controls import Choices
from mlx_music_app.ui.compose.look import button, column, label, row
from mlx_music_app.ui.compose.modes import COMPOSE, REFERENCE, Mode


class ModelPicker(QWidget):
    """The model of the next job. It keeps a choice that is not in the list for the day it is."""

    changed = Signal()
    modelsRequested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._choices: list[ModelChoice] = []
        self._wanted = ""
        self.menu = Choices()
        self.menu.setAccessibleName("Model")
        self.note = label("", "hint")
        self.get = button("Get models…", "link")
        self.get.clicked.connect(self.modelsRequested)
        title = label("Model", "label", wrap=False)
        title.setBuddy(self.menu)
        self.setLayout(column(row(title, 1, self.get), self.menu, self.note, gap=4))
        self.menu.currentIndexChanged.connect(self._picked)
        self.set_models([])

    def set_models(self, choices: Sequence[ModelChoice]) -> None:
        """What there is, the best first."""
        self._choices = list(choices)
        self._show()

    def choose(self, value: str) -> None:
        """Another model; "" is the best that is installed."""
        self._wanted = value
        self._show()

    def has(self, value: str) -> bool:
        return any(one.value == value for one in self._choices)

    @property
    def wanted(self) -> str:
        """What was chosen, "" if nothing was."""
        return self._wanted

    def current(self) -> ModelChoice | None:
        return next((one for one in self._choices if one.value == self.menu.currentData()), None)

    def check(self) -> str:
        """Why no job can be made with it; "" if one can."""
        choice = self.current()
        if not self._choices:
            return "There is no model; get one under Models"
        if choice is None:
            return f"The model {self._wanted} is not here; choose another"
        return "" if choice.installed else f"{choice.name} is not installed; get it under Models"

    def _show(self) -> None:
        with QSignalBlocker(self.menu):
            self.menu.clear()
            for choice in self._choices:
                name = choice.name if choice.installed else f"{choice.name} (not installed)"
                self.menu.addItem(name, choice.value)
            best = next((one.value for one in self._choices if one.installed), "")
            best = best or (self._choices[0].value if self._choices else "")
            place = self.menu.findData(self._wanted or best)
            if place < 0 and self._wanted:
                self.menu.addItem(f"{self._wanted} (not here)", self._wanted)
                place = self.menu.count() - 1
            self.menu.setCurrentIndex(place)
        self._tell()

    def _picked(self) -> None:
        self._wanted = self.menu.currentData() or ""
        self._tell()

    def _tell(self) -> None:
        problem = self.check()
        choice = self.current()
        words = "" if choice is None or choice.sings else "Makes music without singing"
        self.note.setText(problem or words)
        self.note.setVisible(bool(problem or words))
        self.get.setVisible(bool(problem))
        self.changed.emit()


class _VoiceMenu(Choices):
    opening = Signal()

    def showPopup(self) -> None:
        self.opening.emit()
        super().showPopup()


class VoicePicker(QWidget):
    """Fills in the fields of a saved voice, and shows which voice they are of."""

    chosen = Signal(object)  # Voice or None

    def __init__(self) -> None:
        super().__init__()
        self._voices: list[Voice] = []
        self._mode = COMPOSE
        self.menu = _VoiceMenu()
        self.menu.setAccessibleName("Voice")
        self.menu.setToolTip("A saved voice: a recording, an adapter or an embedding")
        title = label("Voice", "label", wrap=False)
        title.setBuddy(self.menu)
        self.setLayout(column(title, self.menu, gap=4))
        self.menu.opening.connect(self.refresh)
        self.menu.activated.connect(self._activated)
        self.refresh()

    def refresh(self) -> None:
        """Read again which voices there are."""
        self._voices = list_voices()
        shown = self.menu.currentData()
        with QSignalBlocker(self.menu):
            self.menu.clear()
            self.menu.addItem("None", "")
            model = self.menu.model()
            for voice in self._voices:
                self.menu.addItem(voice.name, voice.name)
                problem = voice.problem or self._useless(voice)
                if problem and isinstance(model, QStandardItemModel):
                    model.item(self.menu.count() - 1).setEnabled(False)
                    model.item(self.menu.count() - 1).setToolTip(problem)
            self.menu.setCurrentIndex(max(0, self.menu.findData(shown)))

    def set_mode(self, mode: Mode) -> None:
        self._mode = mode

    def show_voice_of(self, values: dict[str, Any]) -> None:
        """Show the voice whose fields are among `values`, else none."""
        found = next((v.name for v in self._voices if self._is_used(v, values)), "")
        with QSignalBlocker(self.menu):
            self.menu.setCurrentIndex(max(0, self.menu.findData(found)))

    def current(self) -> Voice | None:
        return next((v for v in self._voices if v.name == self.menu.currentData()), None)

    def fields_of(self, voice: Voice) -> dict[str, Any]:
        """What of a voice is of use now: only new music starts from a recording."""
        fields = voice.request_fields()
        if self._mode in (COMPOSE, REFERENCE):
            return fields
        return {name: value for name, value in fields.items() if name in SINGER_FIELDS}

    def _useless(self, voice: Voice) -> str:
        if self.fields_of(voice):
            return ""
        return "Only a recording, which new music can start from"

    def _is_used(self, voice: Voice, values: dict[str, Any]) -> bool:
        fields = {} if voice.problem else self.fields_of(voice)
        own = set(fields.pop("lora", ()))
        used = own <= set(values.get("lora", ()))
        return bool(fields or own) and used and all(values.get(k) == v for k, v in fields.items())

    def _activated(self) -> None:
        self.chosen.emit(self.current())
