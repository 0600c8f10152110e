"""The lyrics: sections, language, words, counts, and what changes in them."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QPushButton, QWidget

from mlx_music.errors import InvalidRequest
from mlx_music.request import MAX_LYRIC_TOKENS
from mlx_music_app.ui.compose.controls import ChoiceControl, Control
from mlx_music_app.ui.compose.look import Flow, button, column, label, row
from mlx_music_app.ui.compose.lyrics_diff import LyricsDiff
from mlx_music_app.ui.compose.lyrics_highlighter import SECTION
from mlx_music_app.ui.compose.lyrics_text import SECTIONS, LyricsText
from mlx_music_app.ui.compose.roving import Roving
from mlx_music_app.ui.compose.token_count import TokenCounter
from mlx_music_app.ui.compose.words import CHOICES
from mlx_music_app.ui.style.theme import set_state

_PLACEHOLDER = "Words to sing, a line each. Leave this empty for an instrumental."


class LyricsEditor(Control):
    """The fields lyrics and language. Its value is what will be sung: "" if nothing is."""

    outlineUsed = Signal()

    def __init__(self) -> None:
        super().__init__("lyrics")
        self.text = LyricsText()
        self.text.setMinimumHeight(220)
        self.text.setPlaceholderText(_PLACEHOLDER)
        self.language = ChoiceControl("language", CHOICES["language"], optional=True)
        self.language.menu.setAccessibleName("Language of the lyrics")
        self.language.menu.setMinimumContentsLength(20)
        self.language.menu.setToolTip("Language of every line of the lyrics")
        self.instrumental = QCheckBox("Instrumental")
        self.instrumental.setAccessibleDescription("Nothing is sung; the words are kept for later")
        self.counts = label("", "hint", wrap=False)
        self.error = label("", "error")
        self.error.hide()
        self.silent = label("This model does not sing. The words are kept for one that does.")
        self.silent.hide()
        self.diff = LyricsDiff()
        self.diff.hide()
        self.counter = TokenCounter(self)
        self._outline, self._old = "", ""
        self._sings = True
        self._tokens: int | None = None
        self._token_problem = ""
        self._sections = self._section_buttons()
        title = label("Lyrics", "label", wrap=False)
        title.setBuddy(self.text)
        head = row(title, 1, self.instrumental, self.language, gap=12)
        body = column(self.text, self.diff, gap=12)
        foot = row(self.counts, 1)
        self.setLayout(column(head, self._sections, self.silent, body, foot, self.error))
        self.text.textChanged.connect(self._edited)
        self.language.changed.connect(self._edited)
        self.instrumental.toggled.connect(self._enable)
        self.counter.counted.connect(self._counted)
        self.counter.failed.connect(self._count_failed)
        self._edited()

    def value(self) -> str:
        return self.text.text() if self._is_sung() else ""

    def set_value(self, value: Any) -> None:
        if not isinstance(value, str):
            raise InvalidRequest("lyrics", f"{value!r} is not text")
        self.instrumental.setChecked(False)
        self.text.set_text(value)

    def state(self) -> Any:
        return {"text": self.text.text(), "instrumental": self.instrumental.isChecked()}

    def set_state(self, state: Any) -> None:
        if not isinstance(state["text"], str):
            raise TypeError(state)
        self.text.set_text(state["text"])
        self.instrumental.setChecked(bool(state["instrumental"]))

    def field(self) -> QWidget:
        return self.text

    def set_sings(self, sings: bool) -> None:
        """Whether the model makes use of words."""
        self._sings = sings
        self._enable()

    @property
    def outline(self) -> str:
        return self._outline

    def set_outline(self, outline: str) -> None:
        """Sections that a preset suggests, for the outline button."""
        self._outline = outline
        self._outline_button.setToolTip(outline.replace("\n\n", "  "))
        self._offer_outline()

    def show_changes_from(self, old: str | None) -> None:
        """Show what changes from `old`; None shows nothing."""
        self.diff.setVisible(old is not None)
        self._old = old or ""
        if old is not None:
            self.diff.compare(self._old, self.text.text())

    def check(self) -> None:
        """Raise `InvalidRequest` for more than the model hears."""
        if self._is_sung() and self._tokens is not None and self._tokens > MAX_LYRIC_TOKENS:
            raise InvalidRequest(
                "lyrics", f"are {self._tokens} tokens long; the model hears {MAX_LYRIC_TOKENS}"
            )

    def show_problem(self, problem: str) -> None:
        self.error.setText(problem)
        self.error.setVisible(bool(problem))
        set_state(self.text, "invalid", bool(problem))
        self.text.setAccessibleDescription(problem)

    def _is_sung(self) -> bool:
        return self._sings and not self.instrumental.isChecked()

    def _section_buttons(self) -> QWidget:
        buttons: list[QPushButton] = []
        flow = Flow(6)
        for name in SECTIONS:
            made = button(name.capitalize(), "chip")
            made.setAccessibleName(f"Insert [{name}]")
            made.setToolTip(f"Insert [{name}]")
            made.setProperty("section", name)
            made.clicked.connect(self._insert_section)
            flow.addWidget(made)
            buttons.append(made)
        self._outline_button = button("Insert outline", "link", icon_name="lyrics")
        self._outline_button.setVisible(False)
        self._outline_button.clicked.connect(self._insert_outline)
        flow.addWidget(self._outline_button)
        holder = QWidget()
        holder.setLayout(flow)
        Roving([*buttons, self._outline_button], self)
        self.section_buttons = {str(made.property("section")): made for made in buttons}
        return holder

    def _insert_section(self) -> None:
        made = self.sender()
        if made is not None:
            self.text.insert_section(str(made.property("section")))

    def _offer_outline(self) -> None:
        has_sections = any(SECTION.match(line) for line in self.text.toPlainText().split("\n"))
        self._outline_button.setVisible(bool(self._outline) and not has_sections)

    def _insert_outline(self) -> None:
        self.text.insert_outline(self._outline)
        self.outlineUsed.emit()

    def _enable(self) -> None:
        # Words can be written for a model that sings while another one is chosen.
        for widget in (self.text, self._sections, self.language):
            widget.setEnabled(not self.instrumental.isChecked())
        self.silent.setVisible(not self._sings)
        self._edited()

    def _edited(self) -> None:
        if not self.diff.isHidden():
            self.diff.compare(self._old, self.text.text())
        self.counter.want(self.text.text(), self.language.value())
        self._show_counts()
        self._offer_outline()
        self.changed.emit()

    def _counted(self, tokens: int | None) -> None:
        self._tokens, self._token_problem = tokens, ""
        self._show_counts()
        self.changed.emit()

    def _count_failed(self, problem: str) -> None:
        self._token_problem = problem
        self._show_counts()

    def _show_counts(self) -> None:
        lines = self.text.sung_lines()
        if self.instrumental.isChecked():
            words = "Nothing is sung"
        elif not lines:
            words = "No words: an instrumental"
        else:
            words = "1 line" if lines == 1 else f"{lines} lines"
            if self._tokens is not None:
                words += f"  ·  {self._tokens:,} of {MAX_LYRIC_TOKENS:,} tokens"
        self.counts.setText(words)
        self.counts.setToolTip(self._token_problem)
