"""Compose: where music is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QWidget

from mlx_music import GenerationRequest
from mlx_music.voices import Voice
from mlx_music_app.background import Background
from mlx_music_app.engine.jobs import Job
from mlx_music_app.library.take import Take
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.compose.draft import DraftKeeper
from mlx_music_app.ui.compose.drop_zones import ZONES, DropZones
from mlx_music_app.ui.compose.footer import GENERATE_KEYS, GenerateBar
from mlx_music_app.ui.compose.form import Form
from mlx_music_app.ui.compose.look import column
from mlx_music_app.ui.compose.modes import (
    COMPOSE,
    LYRICS,
    MODES,
    VARY,
    Work,
    mode_named,
    mode_of,
    work_of,
)
from mlx_music_app.ui.compose.page import ComposePage
from mlx_music_app.ui.compose.presets import Preset
from mlx_music_app.ui.compose.summary import Expect, length_of, summary_of
from mlx_music_app.ui.compose.token_count import CountTokens
from mlx_music_app.ui.compose.voice_use import use_voice, voice_fields
from mlx_music_app.ui.compose.ways_back import WaysBack
from mlx_music_app.ui.compose.words import blame
from mlx_music_app.ui.drop import Dropped


class ComposeView(QWidget):
    """Everything that a request can say, with what matters first.

    The form survives quitting: it is kept half a second after each change, and restored here.
    """

    generateRequested = Signal(object)  # Job
    modelsRequested = Signal()

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "content")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._preferences = preferences
        self._parent: int | None = None
        self._before: dict[str, Any] | None = None
        self._touched = False
        self._problems: dict[str, str] = {}
        self._expect: Expect | None = None
        self._voice_before: Voice | None = None
        self._restoring = True
        self.form = Form(self)
        self.page = ComposePage(self.form)
        self.settings, self.notice = self.page.settings, self.page.notice
        self._ways_back = WaysBack(self.notice, self.state, self._show_state)
        self.bar = GenerateBar()
        box = column(self.page, self.bar, gap=0)
        box.setStretch(0, 1)
        self.setLayout(box)
        self.drop_zones = DropZones(self)
        self.drop_zones.dropped.connect(self._dropped)
        self._connect()
        self._draft = DraftKeeper(
            self,
            state=self.state,
            show=self._show_state,
            forget=self._forget,
            tell=self.notice.tell,
        )
        self.settings.model.choose(preferences.get("model"))
        self._restoring = False
        self._mode_changed()
        self.restore_draft()

    # For other parts of the app

    def set_models(self, models: Sequence[ModelChoice]) -> None:
        """The models that can be picked, the best first."""
        self.settings.model.set_models(models)

    def set_token_counter(
        self, count: CountTokens | None, background: Background | None = None
    ) -> None:
        """What counts the tokens of lyrics; it is called on a thread of `background`."""
        self.form.lyrics.counter.use(count, background)

    def set_estimator(self, expect: Expect | None) -> None:
        """What tells how long a take will take, such as `engine.estimate.Paces.expect`."""
        self._expect = expect
        self._refresh()

    def request(self) -> GenerationRequest:
        """What the form says now. Raises `InvalidRequest` for what cannot be read."""
        return self.form.request()

    def title(self) -> str:
        """What the takes will be called."""
        return self.page.title

    def set_request(
        self,
        request: GenerationRequest,
        *,
        title: str = "",
        parent: int | None = None,
        model: str = "",
    ) -> None:
        """Show other settings. parent: id of the take that the music comes from."""
        before = self.state()
        self._choose_model(model)
        self.form.set_request(request, mode_of(request), work_of(request, title, parent))
        self._parent = parent
        self.page.title_edit.setText(title)
        self._before = None
        self._ways_back.begin()
        self._touched = False
        what = f"the settings of {title}" if title else "other settings"
        self._ways_back.tell(f"The form was filled with {what}.", before)
        self._refresh()

    def start_anew(self) -> None:
        """An empty form; Undo brings back what was there."""
        before = self.state()
        self.form.set_request(GenerationRequest(), COMPOSE, None)
        self.form.restore_defaults()
        self.form.lyrics.set_outline("")
        self.page.title_edit.clear()
        self.settings.set_takes(1)
        self._parent = self._before = None
        self._touched = False
        self._ways_back.tell("The form was emptied.", before)
        self._refresh()
        self.form.tags.edit.setFocus()

    def work_on(self, take: Take, task: str, region: tuple[float, float] | None = None) -> None:
        """Fill the form in for work on a take. task: a key of `MODES` or one of its other names;
        region: seconds from and to."""
        self._begin(Work.of_take(take), task, region, title=take.title, model=take.model)

    def work_on_file(
        self,
        path: Path,
        task: str,
        *,
        duration: float | None = None,
        request: GenerationRequest | None = None,
    ) -> None:
        """The same for a recording that is no take. duration: seconds. request: what it was made
        by; both if they are known."""
        work = Work(path.stem, path, duration, request)
        self._begin(work, task, None, title="", model="")

    def back(self) -> None:
        """From work on a recording to what was composed before; Undo brings back what was
        changed since the work began."""
        before, is_edited = self.state(), self._is_edited()
        if self._before is not None:
            self._show_state(self._before)
        else:
            self.form.leave_work()
            self._parent = None
        if is_edited:
            self._ways_back.tell("Back to new music.", before)
        self.form.tags.edit.setFocus()

    def accept(self, dropped: Dropped, zone: str = "") -> bool:
        """Take what was dropped; False if it is of no use here.

        zone: a key of `drop_zones.ZONES`, by default what is usually meant.
        """
        zones = ZONES.get(dropped.kind)
        if zones is None:
            return False
        self._dropped(dropped, zone or zones[0].key)
        return True

    def generate(self) -> None:
        """Emit the job, or show what is not right."""
        if self._why_not()[0]:
            self._touched = True
            self._refresh()
            self._go_to_problem()
            return
        request = self.form.request()
        is_variation = self.form.mode is VARY
        was_drawn = (request.retake_seed if is_variation else request.seed) is None
        request = request.takes(1)[0]
        work, model = self.form.work, self.settings.model.current()
        assert model is not None
        job = Job(
            request=request,
            model=model.value,
            title=self.title(),
            takes=self.settings.takes,
            parent=work.take if work is not None else self._parent,
        )
        if was_drawn:
            used = request.retake_seed if is_variation else request.seed
            self.form.seed_control.note_used(used)
        self.notice.settle()
        self.save_draft()
        self.generateRequested.emit(job)

    # Drafts

    def state(self) -> dict[str, Any]:
        """Everything in the form, as JSON can hold it."""
        return {
            "title": self.page.title_edit.text(),
            "model": self.settings.model.wanted,
            "takes": self.settings.takes,
            "parent": self._parent,
            "outline": self.form.lyrics.outline,
            "advanced": self.form.advanced.is_open,
            "before": self._before,
            "form": self.form.state(),
        }

    def save_draft(self) -> None:
        """Keep the form now."""
        self._draft.save()

    def restore_draft(self) -> None:
        """Show what was kept; a damaged draft is put aside."""
        self._draft.restore()

    def _forget(self) -> None:
        self.form.set_request(GenerationRequest(), COMPOSE, None)

    def _show_state(self, state: dict[str, Any]) -> None:
        before, parent = state["before"], state["parent"]
        if not isinstance(before, dict | None) or not isinstance(parent, int | None):
            raise TypeError("before or parent")
        self._restoring = True
        try:
            self.settings.model.choose(str(state["model"]))
            self.form.set_state(state["form"])
            self.page.title_edit.setText(str(state["title"]))
            self.settings.set_takes(int(state["takes"]))
            self.form.lyrics.set_outline(str(state["outline"]))
            self.form.advanced.open(bool(state["advanced"]))
            self._parent, self._before = parent, before
            self._ways_back.forget()
        finally:
            self._restoring = False
        self._mode_changed()
        self._refresh()

    def _is_edited(self) -> bool:
        """Whether work on a recording holds what was typed or chosen since it began."""
        return self.form.mode is not COMPOSE and self._ways_back.is_edited()

    # Wiring

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.WindowActivate:
            self._look_again()
        return super().event(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._look_again()

    def focusInEvent(self, event: QFocusEvent) -> None:
        # Not a focus proxy: Tab would lead to it past the title.
        self.form.tags.edit.setFocus(event.reason())

    def _connect(self) -> None:
        self.form.changed.connect(self._form_changed)
        self.form.modeChanged.connect(self._mode_changed)
        self.form.strip.modeChosen.connect(self._switch)
        self.form.strip.backClicked.connect(self.back)
        self.page.title_edit.textChanged.connect(self._refresh)
        self.page.presets.chosen.connect(self._use_preset)
        self.settings.takesChanged.connect(self._refresh)
        self.settings.model.changed.connect(self._model_changed)
        self.settings.model.modelsRequested.connect(self.modelsRequested)
        self.settings.voice.chosen.connect(self._voice_chosen)
        self._preferences.changed.connect(self._preference_changed)
        self.bar.generateClicked.connect(self.generate)
        self.bar.showProblem.connect(self._go_to_problem)
        self._shortcut = QShortcut(GENERATE_KEYS, self)
        self._shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._shortcut.activated.connect(self.generate)

    # What follows from what

    def _begin(
        self,
        work: Work,
        task: str,
        region: tuple[float, float] | None,
        *,
        title: str,
        model: str,
    ) -> None:
        mode = mode_named(task)
        if mode not in work.modes():
            self.notice.tell(f"{work.name} cannot be used for that: {mode.words.lower()}.")
            return
        before, is_edited = self.state(), self._is_edited()
        if self.form.mode is COMPOSE:
            self._before = before | {"before": None}
        self._choose_model(model)
        self.form.work_on(mode, work, region, left=task == "extend_left")
        self.page.title_edit.setText(title)
        self._ways_back.begin()
        self._touched = False
        self.notice.settle()
        if is_edited:
            self._ways_back.tell(f"The form was filled with {work.name}.", before)
        self.page.verticalScrollBar().setValue(0)
        self._refresh()

    def _dropped(self, dropped: Dropped, zone: str) -> None:
        path, own = dropped.path, dropped.request
        if zone == "lora":
            self.form.loras.add(str(path))
        elif zone == "settings" and own is not None:
            self.set_request(own, title=path.stem, model=dropped.model)
        else:
            task = "repaint" if zone == "work" else "reference"
            self.work_on_file(path, task, duration=dropped.duration, request=own)

    def _choose_model(self, model: str) -> None:
        """What made a take makes what follows from it too, as long as it is there."""
        if self.settings.model.has(model):
            self.settings.model.choose(model)

    def _switch(self, key: str) -> None:
        self.form.switch(MODES[key])

    def _use_preset(self, preset: Preset) -> None:
        self.form.tags.edit.replace_text(preset.prompt)
        self.form.duration.set_value(preset.duration)
        self.form.lyrics.set_outline(preset.outline)

    def _voice_chosen(self, voice: Voice | None) -> None:
        if self._voice_before is None and self.form.mode is COMPOSE and voice is not None:
            self._before = self.state() | {"before": None}
        use_voice(self.form, self.settings.voice, voice, self._voice_before)
        self._refresh()

    def _preference_changed(self, name: str) -> None:
        if name == "model":
            self.settings.model.choose(self._preferences.get("model"))

    def _model_changed(self) -> None:
        self.form.use_model(self.settings.model.current())
        self._refresh()

    def _mode_changed(self) -> None:
        self.page.show_mode(self.form.mode)

    def _form_changed(self, name: str) -> None:
        if name == "prompt" and self.form.tags.value():
            self._touched = True
        self._refresh()

    def _look_again(self) -> None:
        """A recording may have come or gone while nobody looked."""
        if self.form.work is not None:
            self._refresh()

    def _refresh(self) -> None:
        """Show what is wrong where it is, and what would be made; keep the draft soon."""
        if self._restoring:
            return
        form, page = self.form, self.page
        self._problems = form.problems()
        for name, made in form.rows.items():
            hidden = name == "prompt" and not self._touched
            made.show_problem("" if hidden else self._problems.get(name, ""))
        form.lyrics.show_problem(self._problems.get("lyrics", ""))
        reason, field = self._why_not()
        takes, summary = self.settings.takes, ""
        model = self.settings.model.current()
        if not reason and model is not None:
            request = form.request()
            length = length_of(request, form.work)
            stages = self._expect(model.value, request) if self._expect else None
            seconds = takes * sum(stages.values()) if stages else None
            summary = summary_of(request, form.mode, length, takes, seconds)
        self.bar.show_state(summary, takes, reason, has_field=page.shows(field))
        page.title_edit.setPlaceholderText(page.suggested_title)
        page.presets.mark(form.tags.value())
        self.settings.voice.show_voice_of(voice_fields(form))
        self._voice_before = self.settings.voice.current()
        page.settle()
        self._draft.soon()

    def _why_not(self) -> tuple[str, str]:
        """Why nothing can be made, and the field that is to blame if one is."""
        for field, problem in self._problems.items():
            return blame(field, problem), field
        reason = self.form.strip.check_source() or self.settings.model.check()
        return reason or self._why_silent(), ""

    def _why_silent(self) -> str:
        """Why other words would change nothing; "" if they do."""
        model = self.settings.model.current()
        if self.form.mode is not LYRICS or model is None or model.sings:
            return ""
        return f"{model.name} does not sing; choose a model that does, or another use of the take"

    def _go_to_problem(self) -> None:
        field = self._why_not()[1]
        if field:
            self._touched = True
            self._refresh()
            self.page.reveal(field)
