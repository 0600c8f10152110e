"""Everything about one take: hear it, name it, work on it, take it away."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from mlx_music_app.background import Background
from mlx_music_app.library.library import Library
from mlx_music_app.library.peaks import peaks_of
from mlx_music_app.library.take import Take
from mlx_music_app.ui.compose.look import Flow, button, icon_button, label, row
from mlx_music_app.ui.long_text import WrappedLabel
from mlx_music_app.ui.reveal import reveal_words
from mlx_music_app.ui.style.icons import icon
from mlx_music_app.ui.style.theme import Space
from mlx_music_app.ui.takes.actions import Region, TakeActions
from mlx_music_app.ui.takes.family import FamilyTree
from mlx_music_app.ui.takes.request_table import RequestTable, model_words
from mlx_music_app.ui.takes.tags_editor import TagsEditor
from mlx_music_app.ui.waveform import WaveformView
from mlx_music_app.ui.words import clock, day

#: Task as `ComposeView.work_on` knows it, words, icon, what it does.
WORK = (
    ("repaint", "Repaint", "repaint", "Make the selected region anew, keep the rest"),
    ("extend", "Extend", "extend", "Go on with it, before or after"),
    ("retake", "Vary", "vary", "Another take, near this one"),
    ("edit", "Edit lyrics", "lyrics", "Sing other words, or change the style"),
    ("reference", "Use as reference", "reference", "Start new music from its sound"),
)


class Inspector(QScrollArea):
    """Shows one take and writes what is changed into the library."""

    workRequested = Signal(object, str, object)  # Take, task, region or None
    useSettingsRequested = Signal(object)  # Take
    seekRequested = Signal(object, float)  # Take, seconds
    regionChanged = Signal(object)  # (start, end) or None
    familyPressed = Signal(int)

    def __init__(
        self,
        library: Library,
        background: Background,
        actions: TakeActions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._library, self._background, self._actions = library, background, actions
        self._take: Take | None = None
        self._region: Region | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # There is nothing to do with the page itself: Tab goes to what is on it.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("About the take")
        page = QWidget()
        page.setProperty("role", "page")
        self._box = QVBoxLayout(page)
        self._box.setContentsMargins(Space.XL, Space.L, Space.XL, Space.XL)
        self._box.setSpacing(Space.M)
        self._build_head()
        self._build_sound()
        self._build_actions()
        self._build_words()
        self._box.addStretch(1)
        self.setWidget(page)

    # Building.

    def _build_head(self) -> None:
        self.title = QLineEdit()
        self.title.setProperty("role", "title")
        self.title.setAccessibleName("Title")
        self.title.setMaxLength(200)
        self.title.setTextMargins(-5, 0, 0, 0)  # its words stand in line with all others
        self.title.editingFinished.connect(self._save_title)
        self.star = icon_button("star", "Favourite")
        self.star.setIcon(icon("star", on="star"))
        self.star.setCheckable(True)
        self.star.clicked.connect(self._save_star)
        self._facts = WrappedLabel(role="caption")
        self._box.addLayout(row(self.title, self.star))
        self._box.addWidget(self._facts)
        self.missing = QFrame()
        self.missing.setProperty("role", "notice")
        self.missing.setProperty("tone", "warning")
        locate = button("Locate…")
        locate.clicked.connect(self._on_locate)
        self._missing_words = WrappedLabel(role="caption")
        notice = row(self._missing_words, locate)
        notice.setContentsMargins(Space.M, Space.S, Space.S, Space.S)
        notice.setStretch(0, 1)
        self.missing.setLayout(notice)
        self._box.addWidget(self.missing)

    def _build_sound(self) -> None:
        self.waveform = WaveformView()
        self.waveform.setMinimumHeight(132)
        self.waveform.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.waveform.seekRequested.connect(self._on_seek)
        self.waveform.regionChanged.connect(self._on_region)
        self.waveform.dragRequested.connect(self._on_drag)
        self._hint = label("", "hint")
        self._box.addWidget(self.waveform)
        self._box.addWidget(self._hint)

    def _build_actions(self) -> None:
        self.work: dict[str, QPushButton] = {}
        flow = Flow(Space.S)
        for task, words, icon_name, tip in WORK:
            made = button(words, icon_name=icon_name, tip=tip)
            made.clicked.connect(partial(self._on_work, task))
            self.work[task] = made
            flow.addWidget(made)
        self.use_settings = button(
            "Use these settings", icon_name="settings", tip="Open Compose with all of them"
        )
        self.use_settings.clicked.connect(self._on_use_settings)
        flow.addWidget(self.use_settings)
        away = Flow(Space.S)
        self.export = button("Export…", "quiet", icon_name="export")
        self.export.clicked.connect(self._on_export)
        self.copy = button(
            "Copy", "quiet", icon_name="copy", tip="Copy the file, to paste it elsewhere"
        )
        self.copy.clicked.connect(self._on_copy)
        self.reveal = button(reveal_words(), "quiet", icon_name="reveal")
        self.reveal.clicked.connect(self._on_reveal)
        for made in (self.export, self.copy, self.reveal):
            away.addWidget(made)
        self._box.addLayout(flow)
        self._box.addLayout(away)

    def _build_words(self) -> None:
        self.tags = TagsEditor()
        self.tags.edited.connect(self._save_tags)
        self.notes = QPlainTextEdit()
        self.notes.setPlaceholderText("Notes")
        self.notes.setAccessibleName("Notes")
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(72)
        self._notes_unsaved = False
        self._notes_timer = QTimer(self, singleShot=True, interval=600)
        self._notes_timer.timeout.connect(self._save_notes)
        self.notes.textChanged.connect(self._on_notes_typed)
        self.family = FamilyTree()
        self.family.pressed.connect(self.familyPressed)
        self._family_title = label("Family", "section")
        self.request = RequestTable()
        for part in (
            _line(),
            label("Tags", "section"),
            self.tags,
            label("Notes", "section"),
            self.notes,
            self._family_title,
            self.family,
            _line(),
            self.request,
        ):
            self._box.addWidget(part)

    # Showing.

    @property
    def take(self) -> Take | None:
        return self._take

    @property
    def region(self) -> Region | None:
        """What is selected of the waveform, in seconds."""
        return self._region

    def show_take(self, take: Take) -> None:
        """Show it; the same take again only takes over what changed."""
        other = self._take is None or self._take.id != take.id
        if other:
            self.save_now()
        before, self._take = self._take, take
        if other or not self.title.hasFocus():
            self.title.setText(take.title)
            self.title.setCursorPosition(0)
        self.star.setChecked(take.favourite)
        self.star.setToolTip("Remove from favourites" if take.favourite else "Add to favourites")
        self._facts.setText(facts(take))
        self._missing_words.setText(f"{take.path.name} is not where it was.")
        self.missing.setVisible(take.missing)
        for part in (self.export, self.copy, self.reveal, *self.work.values()):
            part.setEnabled(not take.missing)
        self.tags.set_tags(take.tags, self._library.all_tags())
        if other or not (self.notes.hasFocus() or self._notes_unsaved):
            self._set_notes(take.notes)
        family = self._library.family(take.id)
        self._family_title.setVisible(len(family) > 1)
        self.family.setVisible(len(family) > 1)
        self.family.set_family(family if len(family) > 1 else [], take.id)
        self.request.set_request(take.request, take.model)
        if other or before is None or before.missing != take.missing or before.path != take.path:
            self._show_sound(take)
        self._on_region(self._region if not other else None)
        if other:
            self.verticalScrollBar().setValue(0)

    def set_position(self, seconds: float) -> None:
        self.waveform.set_position(seconds)

    def save_now(self) -> None:
        """Write what was typed and not yet written."""
        if self.title.isModified():
            self._save_title()
        self._save_notes()
        self.tags.commit()

    def _show_sound(self, take: Take) -> None:
        self.waveform.set_take(take, None)
        if not take.missing:
            self._background.run(partial(_measured, take), self._on_peaks, self._on_no_peaks)

    def _on_peaks(self, result: Any) -> None:
        take_id, peaks = result
        if self._take is not None and self._take.id == take_id:
            self.waveform.set_take(self._take, peaks)

    def _on_no_peaks(self, error: Exception) -> None:
        self._hint.setText("The file cannot be read, so there is no waveform.")

    def _on_region(self, region: object) -> None:
        self._region = region if isinstance(region, tuple) else None
        can_repaint = self._region is not None and self._take is not None and not self._take.missing
        self.work["repaint"].setEnabled(can_repaint)
        if self._region is None:
            missing = self._take is not None and self._take.missing
            self._hint.setText("" if missing else "Drag across the waveform to select a region.")
            self.copy.setText("Copy")
            self.export.setText("Export…")
        else:
            start, end = self._region
            self._hint.setText(
                f"{clock(start, 1)} to {clock(end, 1)}: repaint it, "
                "play it in a loop, or drag it into another program."
            )
            self.copy.setText("Copy region")
            self.export.setText("Export region…")
        self.regionChanged.emit(self._region)

    # What the person does.

    def _on_seek(self, seconds: float) -> None:
        if self._take is not None:
            self.seekRequested.emit(self._take, seconds)

    def _on_drag(self, region: object) -> None:
        if self._take is not None:
            chosen = region if isinstance(region, tuple) else None
            self._actions.drag(self.waveform, [self._take], chosen)

    def _on_work(self, task: str) -> None:
        if self._take is not None:
            self.save_now()
            self.workRequested.emit(self._take, task, self._region)

    def _on_use_settings(self) -> None:
        if self._take is not None:
            self.useSettingsRequested.emit(self._take)

    def _on_export(self) -> None:
        if self._take is not None:
            self._actions.export(self._take, self._region)

    def _on_copy(self) -> None:
        if self._take is not None:
            self._actions.copy([self._take], self._region)

    def _on_reveal(self) -> None:
        if self._take is not None:
            self._actions.reveal(self._take)

    def _on_locate(self) -> None:
        if self._take is not None:
            self._actions.locate(self._take)

    # What is written.

    def _save_title(self) -> None:
        take, title = self._take, self.title.text().strip()
        if take is None:
            return
        if not title:
            self.title.setText(take.title)
        elif title != take.title:
            self._actions.rename(take.id, title)

    def _save_star(self, on: bool) -> None:
        if self._take is not None:
            self._actions.set_favourite(self._take.id, on)

    def _save_tags(self, tags: tuple[str, ...]) -> None:
        if self._take is not None:
            self._actions.set_tags(self._take.id, tags)

    def _on_notes_typed(self) -> None:
        self._notes_unsaved = True
        self._notes_timer.start()

    def _save_notes(self) -> None:
        self._notes_timer.stop()
        take, notes = self._take, self.notes.toPlainText()
        if take is not None and self._notes_unsaved:
            saved = notes == take.notes or self._actions.set_notes(take.id, notes)
            self._notes_unsaved = not saved

    def _set_notes(self, text: str) -> None:
        if text != self.notes.toPlainText():
            self.notes.setPlainText(text)
        self._notes_unsaved = False
        self._notes_timer.stop()


def facts(take: Take) -> str:
    """Which take of its title, length, kind, model and day in one line."""
    kind = take.path.suffix.lstrip(".").upper()
    parts = (
        *([f"Take {take.number}"] if take.number > 1 else []),
        clock(take.duration),
        f"{take.sample_rate / 1000:g} kHz {kind}",
        model_words(take.model),
        day(take.created),
    )
    return "  ·  ".join(parts)


def _measured(take: Take) -> tuple[int, Any]:
    return take.id, peaks_of(take.path)


def _line() -> QFrame:
    line = QFrame()
    line.setProperty("role", "line")
    line.setFixedHeight(1)
    return line
