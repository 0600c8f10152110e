"""The whole request of a take, in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from mlx_music import GenerationRequest
from mlx_music.request import limit_of
from mlx_music_app.ui.compose.look import button, label
from mlx_music_app.ui.compose.words import CHOICES, label_of
from mlx_music_app.ui.long_text import WrappedLabel
from mlx_music_app.ui.style.theme import Space

#: Fields with a place of their own.
_APART = ("prompt", "lyrics", "source_lyrics", "task")
_TASKS = {
    "text2music": "New music",
    "retake": "Variation of a take",
    "repaint": "Region painted anew",
    "extend": "Extension",
    "edit": "Edit",
}
#: Always shown, also when they are as they come.
_ALWAYS = ("duration", "seed", "num_inference_steps", "guidance_scale")


class RequestTable(QWidget):
    """First what somebody chose; everything else at a press."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._request: GenerationRequest | None = None
        self._all = False
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(Space.S)
        self._body = QWidget()
        self._toggle = button("Show every setting", "link")
        self._toggle.clicked.connect(self._on_toggle)
        self._box.addWidget(self._body)
        self._box.addWidget(self._toggle, 0, Qt.AlignmentFlag.AlignLeft)

    def set_request(self, request: GenerationRequest, model: str) -> None:
        if (request, model) != (self._request, self.property("model")):
            self._request = request
            self.setProperty("model", model)
            self._fill()

    def _on_toggle(self) -> None:
        self._all = not self._all
        self._toggle.setText("Show less" if self._all else "Show every setting")
        self._fill()

    def _fill(self) -> None:
        assert self._request is not None
        body = QWidget()
        box = QVBoxLayout(body)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(Space.S)
        for title, text in words_of(self._request):
            box.addWidget(label(title, "section"))
            box.addWidget(_selectable(text))
        form = QFormLayout()
        form.setHorizontalSpacing(Space.L)
        form.setVerticalSpacing(Space.XS)
        # A Mac would make the values as narrow as they can be.
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        rows = settings_of(self._request, everything=self._all)
        for name, value in [("Model", model_words(self.property("model"))), *rows]:
            form.addRow(label(name, "caption", wrap=False), _selectable(value))
        box.addLayout(form)
        self._box.replaceWidget(self._body, body)
        self._body.hide()
        self._body.deleteLater()
        self._body = body


def words_of(request: GenerationRequest) -> list[tuple[str, str]]:
    """Heading and text of what is read rather than looked up."""
    parts = [("Style", request.prompt), ("Lyrics", request.lyrics.strip() or "Instrumental")]
    if request.task == "edit":
        parts.append(("Lyrics before", request.source_lyrics.strip() or "Instrumental"))
    return [(title, text) for title, text in parts if text]


def settings_of(request: GenerationRequest, *, everything: bool) -> list[tuple[str, str]]:
    """Label and value of each field that differs from its default, or of all."""
    rows = [("Made as", _TASKS.get(request.task, request.task))]
    for spec in dataclasses.fields(request):
        value = getattr(request, spec.name)
        if spec.name in _APART:
            continue
        if everything or spec.name in _ALWAYS or value != spec.default:
            rows.append((label_of(spec.name), _written(spec.name, value)))
    return rows


def model_words(model: str) -> str:
    """A folder's or a hub id's last part; the rest is for those who look."""
    return "Sketch" if model == "sketch" else (Path(model).name or model or "Unknown")


def _written(name: str, value: Any) -> str:
    if value is None or value in ((), ""):
        return CHOICES.get(name, {}).get("", "None")
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    if name in ("source", "reference", "speaker_embedding"):
        return Path(value).name
    if isinstance(value, int | float):
        unit = limit_of(name).unit
        short = {"seconds": "s"}.get(unit, unit)
        return f"{value:.10g} {short}".strip()
    return CHOICES.get(name, {}).get(str(value), str(value))


def _selectable(text: str) -> WrappedLabel:
    words = WrappedLabel(text)
    words.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    words.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
    return words
