"""Where to start from: a row of cards, each a style with its tempo, length and outline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PySide6.QtCore import QEvent, QObject, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QEnterEvent, QKeyEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QAbstractButton, QFrame, QScrollArea, QWidget

from mlx_music_app.resources import resource
from mlx_music_app.ui.compose.look import column, hue, icon_button, label, row
from mlx_music_app.ui.compose.roving import Roving
from mlx_music_app.ui.style.theme import Radius, Space, theme
from mlx_music_app.ui.words import clock

_PLAIN = Qt.KeyboardModifier.NoModifier


@dataclass(frozen=True)
class Preset:
    """A style to start from. duration: seconds. structure: sections for the lyrics."""

    id: str
    name: str
    tags: tuple[str, ...]
    tempo: str
    duration: float
    hue: int
    structure: tuple[str, ...]

    @property
    def prompt(self) -> str:
        return ", ".join((*self.tags, self.tempo))

    @property
    def outline(self) -> str:
        """The sections as lyrics without words."""
        return "\n\n".join(f"[{section}]" for section in self.structure)


def load_presets(path: Path | None = None) -> list[Preset]:
    """The presets of the app, or of another file of their kind."""
    values = json.loads((path or resource("presets.json")).read_text("utf-8"))
    return [
        Preset(
            id=entry["id"],
            name=entry["name"],
            tags=tuple(entry["tags"]),
            tempo=entry["tempo"],
            duration=float(entry["duration"]),
            hue=int(entry["hue"]),
            structure=tuple(entry["structure"]),
        )
        for entry in values["presets"]
    ]


class PresetCard(QAbstractButton):
    """One preset, with a little picture of its own."""

    SIZE = QSize(148, 72)

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.setCheckable(True)
        self.setFixedSize(self.SIZE)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(f"Preset: {preset.name}")
        words = f"{preset.prompt}\n{clock(preset.duration, 3, short=True)}"
        self.setAccessibleDescription(words)
        self.setToolTip(words)
        self._hovered = False
        random = Random(preset.id)
        self._bars = [random.uniform(0.18, 1.0) for _ in range(22)]

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = True
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme()
        frame = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        edge, width = colours.color("border"), 1.0
        if self.isChecked() or (self.hasFocus() and self.property("keyboardFocus")):
            edge, width = colours.color("accent"), 1.5
        elif self._hovered:
            edge = colours.color("border_strong")
        painter.setPen(QPen(edge, width))
        painter.setBrush(colours.color("sunken" if self.isDown() else "surface"))
        painter.drawRoundedRect(frame, Radius.CARD, Radius.CARD)
        self._paint_bars(painter, frame)
        words = self.rect().adjusted(Space.M, 9, -Space.S, -Space.S)
        painter.setPen(colours.color("text"))
        painter.setFont(colours.font("label"))
        painter.drawText(words, Qt.AlignmentFlag.AlignTop, self.preset.name)
        painter.setFont(colours.font("small"))
        painter.setPen(colours.color("text_secondary"))
        below = words.adjusted(0, 18, 0, 0)
        text = painter.fontMetrics().elidedText(
            self.preset.tempo, Qt.TextElideMode.ElideRight, below.width()
        )
        painter.drawText(below, Qt.AlignmentFlag.AlignTop, text)
        painter.end()

    def _paint_bars(self, painter: QPainter, frame: QRectF) -> None:
        colour = hue(self.preset.hue)
        colour.setAlphaF(0.9 if self._hovered or self.isChecked() else 0.55)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        left, right, floor, most = (
            frame.left() + Space.M,
            frame.right() - Space.M,
            frame.bottom() - 10,
            18.0,
        )
        step = (right - left) / len(self._bars)
        for place, height in enumerate(self._bars):
            tall = height * most
            bar = QRectF(left + place * step, floor - tall, max(1.5, step - 2.0), tall)
            painter.drawRoundedRect(bar, 1, 1)


class _Cards(QScrollArea):
    """The cards, without a bar: the wheel, the arrows of the row and the keyboard move them."""

    moved = Signal()

    def __init__(self, cards: list[PresetCard]) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page = QWidget()
        page.setProperty("role", "page")
        page.setLayout(row(*cards, 1))
        self.setWidget(page)
        self.setFixedHeight(PresetCard.SIZE.height())
        self.horizontalScrollBar().rangeChanged.connect(self.moved)
        self.horizontalScrollBar().valueChanged.connect(self.moved)

    def wheelEvent(self, event: QWheelEvent) -> None:
        along = event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            along = along or event.angleDelta().y()
        if not along:
            event.ignore()  # down the page
            return
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - along)


class PresetRow(QWidget):
    """A heading, arrows, and the cards side by side."""

    chosen = Signal(object)  # Preset

    def __init__(self, presets: list[Preset]) -> None:
        super().__init__()
        self.setAccessibleName("Presets")
        self.cards = [PresetCard(preset) for preset in presets]
        self._area = _Cards(self.cards)
        self._left = icon_button("chevron-left", "Presets to the left")
        self._right = icon_button("chevron-right", "Presets to the right")
        for arrow in (self._left, self._right):
            # The keyboard moves from card to card.
            arrow.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            arrow.clicked.connect(self._page)
        head = row(label("Start from", "label", wrap=False), 1, self._left, self._right, gap=0)
        self.setLayout(column(head, self._area, gap=4))
        Roving(self.cards, self)
        for card in self.cards:
            card.clicked.connect(self._clicked)
            card.installEventFilter(self)
        self._area.moved.connect(self._show_arrows)
        self._show_arrows()

    def mark(self, prompt: str) -> None:
        """Check the card whose style is written in the field."""
        for card in self.cards:
            card.setChecked(card.preset.prompt == prompt)

    def _clicked(self) -> None:
        card = self.sender()
        if isinstance(card, PresetCard):
            self.chosen.emit(card.preset)
            card.setChecked(True)

    def _page(self) -> None:
        bar = self._area.horizontalScrollBar()
        step = max(PresetCard.SIZE.width(), self._area.width() - PresetCard.SIZE.width())
        bar.setValue(bar.value() + (step if self.sender() is self._right else -step))

    def _show_arrows(self) -> None:
        bar = self._area.horizontalScrollBar()
        self._left.setEnabled(bar.value() > bar.minimum())
        self._right.setEnabled(bar.value() < bar.maximum())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, PresetCard):
            if event.type() == QEvent.Type.FocusIn:
                self._area.ensureWidgetVisible(watched)
            elif (
                isinstance(event, QKeyEvent)
                and event.type() == QEvent.Type.KeyPress
                and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
                and event.modifiers() in (_PLAIN, Qt.KeyboardModifier.KeypadModifier)
            ):
                watched.click()
                return True
        return super().eventFilter(watched, event)
