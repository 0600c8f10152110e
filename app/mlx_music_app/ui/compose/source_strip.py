"""The strip at the top that says what is being worked on, with what matters for that."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QSizePolicy, QWidget

from mlx_music.request import EDIT_PRESETS
from mlx_music_app.ui.compose.fields import FieldRow
from mlx_music_app.ui.compose.grid import FieldGrid
from mlx_music_app.ui.compose.look import Segments, button, column, label, row
from mlx_music_app.ui.compose.modes import (
    COMPOSE,
    EXTEND,
    LYRICS,
    MODES,
    REPAINT,
    RESTYLE,
    Mode,
    Work,
)
from mlx_music_app.ui.long_text import Elided, WrappedLabel
from mlx_music_app.ui.style.theme import theme
from mlx_music_app.ui.words import clock

#: The fields of the strip, in the order in which they are shown.
WORK_FIELDS = (
    "repaint_start", "repaint_end", "extend_left", "extend_right", "reference_strength",
    "reference_loop", "source_prompt", "source_lyrics", "edit_n_min", "edit_n_max", "edit_n_avg",
    "retake_variance", "retake_seed",
)  # fmt: skip

#: What has no default worth going back to: it is chosen for each recording.
_CHOSEN = frozenset(
    ("repaint_start", "repaint_end", "extend_left", "extend_right", "source_prompt",
     "source_lyrics", "edit_n_min", "edit_n_max", "retake_seed")
)  # fmt: skip

_PLACEHOLDERS = {"retake_seed": "As the seed"}


class RegionBar(QWidget):
    """The recording as a bar: what is kept, and where something new comes."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(14)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._duration = 0.0
        self._new: list[tuple[float, float]] = []

    def show_parts(self, duration: float, new: list[tuple[float, float]]) -> None:
        """duration: seconds of the recording. new: from and to in seconds; before 0 and behind
        the end as well."""
        self._duration, self._new = duration, new
        self.setVisible(duration > 0)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        low = min([0.0, *(start for start, _ in self._new)])
        high = max([self._duration, *(end for _, end in self._new)])
        scale = self.width() / max(high - low, 1e-6)

        def part(start: float, end: float, colour: str) -> None:
            painter.setBrush(theme().color(colour))
            width = max(3.0, (end - start) * scale)
            painter.drawRoundedRect(QRectF((start - low) * scale, 3, width, 8), 3, 3)

        part(0.0, self._duration, "waveform")
        for start, end in self._new:
            if end > start:
                part(start, end, "accent")
        painter.end()


class SourceStrip(QFrame):
    """Hidden while new music is composed."""

    modeChosen = Signal(str)
    backClicked = Signal()
    changed = Signal(str)  # a field

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "card")
        self._mode, self._work = COMPOSE, Work("")
        self.rows = {name: FieldRow(name, resettable=name not in _CHOSEN) for name in WORK_FIELDS}
        for name, words in _PLACEHOLDERS.items():
            field = self.rows[name].control.field()
            if isinstance(field, QLineEdit):
                field.setPlaceholderText(words)
        self.name = Elided("heading", Qt.TextElideMode.ElideMiddle)
        self.facts = label("", "caption", wrap=False)
        self.back = button("Back to new music", "quiet", icon_name="close")
        self.back.clicked.connect(self.backClicked)
        choices = [(mode.key, mode.words) for mode in MODES.values() if mode is not COMPOSE]
        self.modes = Segments(choices, "What to do")
        self.modes.chosen.connect(self.modeChosen)
        self.hint = label("", "caption")
        self.problem = WrappedLabel(role="error")
        self.bar = RegionBar()
        presets = [(name, name.replace("_", " ").capitalize()) for name in EDIT_PRESETS]
        self.presets = Segments(presets, "How far to go")
        self.presets.chosen.connect(self._use_preset)
        self._preset_row = QWidget()
        self._preset_row.setLayout(
            row(label("How far to go", "label", wrap=False), self.presets, 1)
        )
        self._grid: FieldGrid | None = None
        top = row(column(self.name, self.facts, gap=2), self.back)
        top.setStretch(0, 1)
        self._box = column(
            top,
            row(self.modes, 1),
            self.hint,
            self.problem,
            self.bar,
            self._preset_row,
            gap=12,
            margin=16,
        )
        self.setLayout(self._box)
        for made in self.rows.values():
            made.changed.connect(self._row_changed)

    def show_work(self, mode: Mode, work: Work) -> None:
        """Show what is done with what."""
        self._mode, self._work = mode, work
        self.setVisible(mode is not COMPOSE)
        self.name.setText(work.name)
        self.name.setToolTip(work.name)
        self.hint.setText(mode.hint)
        self.modes.choose(mode.key)
        able = work.modes()
        for key in MODES:
            if key != COMPOSE.key:
                possible = MODES[key] in able
                self.modes.button(key).setEnabled(possible)
                self.modes.button(key).setToolTip("" if possible else self._why_not(key))
        self._preset_row.setVisible(mode in (LYRICS, RESTYLE))
        shown = set(mode.fields)
        if mode is LYRICS and work.request is not None:
            shown -= {"source_prompt", "source_lyrics"}  # known, and no business of anybody
        if mode is RESTYLE and work.request is not None:
            shown -= {"source_lyrics"}
        if self._grid is None and mode is not COMPOSE:
            # Not before it is looked at: styling a hundred widgets takes its time.
            rows = list(self.rows.values())
            self._grid = FieldGrid(rows, wide=("source_prompt", "source_lyrics"))
            self._box.addWidget(self._grid)
        if self._grid is not None:
            self._grid.show_only(shown)
        self._show_facts()

    def _why_not(self, key: str) -> str:
        if key == "vary":
            return "Only music that was made here, from nothing but words, has takes near it"
        return "The recording is not known, only its settings"

    def check_source(self) -> str:
        """What is wrong with the recording; "" if nothing is."""
        problem = self._work.problem if self._mode.needs else ""
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        return problem

    def _row_changed(self, name: str) -> None:
        self._show_facts()
        self.changed.emit(name)

    def _number(self, name: str) -> float:
        try:
            return float(self.rows[name].value())
        except ValueError:  # an InvalidRequest, which is shown at its field
            return 0.0

    def _show_facts(self) -> None:
        duration = self._work.duration or 0.0
        new: list[tuple[float, float]] = []
        facts = [clock(duration)] if duration else []
        if self._mode is REPAINT:
            start, end = self._number("repaint_start"), self._number("repaint_end")
            new = [(start, end)]
            facts.append(
                f"redone from {clock(start, 1, short=True)} to {clock(end, 1, short=True)}"
            )
        elif self._mode is EXTEND:
            left, right = self._number("extend_left"), self._number("extend_right")
            new = [(-left, 0.0), (duration, duration + right)]
            if duration:
                facts.append(f"becomes {clock(left + duration + right)}")
        self.facts.setText("  ·  ".join(facts))
        self.facts.setVisible(bool(facts))
        self.bar.show_parts(duration if new else 0.0, new)
        now = (self._number("edit_n_min"), self._number("edit_n_max"))
        self.presets.choose(next((n for n, both in EDIT_PRESETS.items() if both == now), ""))
        self.check_source()

    def _use_preset(self, name: str) -> None:
        for field, value in zip(("edit_n_min", "edit_n_max"), EDIT_PRESETS[name], strict=True):
            self.rows[field].set_value(value)
