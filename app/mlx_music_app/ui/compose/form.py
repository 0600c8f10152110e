"""The form behind the window's parts: every field of a request, and what it is used for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from mlx_music import GenerationRequest, InvalidRequest
from mlx_music.request import (
    MAX_SOURCE_DURATION,
    MIN_SOURCE_DURATION,
    SINGER_FIELDS,
    WORKING_GROUP,
    limit_of,
)
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.ui.compose.advanced import AdvancedDrawer
from mlx_music_app.ui.compose.fields import FIELDS, FieldRow
from mlx_music_app.ui.compose.loras import LoraControl
from mlx_music_app.ui.compose.lyrics_editor import LyricsEditor
from mlx_music_app.ui.compose.modes import (
    COMPOSE,
    EXTEND,
    LYRICS,
    MODES,
    REFERENCE,
    REPAINT,
    RESTYLE,
    VARY,
    Mode,
    Part,
    Work,
    start_request,
)
from mlx_music_app.ui.compose.number_control import NumberControl
from mlx_music_app.ui.compose.seed import SeedControl
from mlx_music_app.ui.compose.source_strip import SourceStrip
from mlx_music_app.ui.compose.tags import TagControl
from mlx_music_app.ui.words import clock

#: Seconds: a frame of the model.
_END_TOLERANCE = 0.09

#: Fields that say what is worked on and how. Those that a use of the form does not show are
#: carried along as they came.
WORKING = tuple(
    name for name in FIELDS if limit_of(name).group == WORKING_GROUP and name not in SINGER_FIELDS
)


class Form(QObject):
    """All editors, and the way from a request into them and back.

    `request()` gives what `set_request()` got, field by field, as long as nothing is changed.
    """

    changed = Signal(str)  # the field; "" for several
    modeChanged = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tags = TagControl()
        self.prompt = FieldRow("prompt", self.tags, help="")
        self.lyrics = LyricsEditor()
        self.duration = FieldRow("duration", help="")
        self.seed_control = SeedControl()
        self.seed = FieldRow("seed", self.seed_control, help="", resettable=False)
        self.loras = LoraControl()
        self.lora = FieldRow("lora", self.loras, help="", resettable=False)
        self.advanced = AdvancedDrawer()
        self.strip = SourceStrip()
        main = (self.prompt, self.duration, self.seed, self.lora)
        self.rows: dict[str, FieldRow] = {
            **{made.name: made for made in main},
            **self.advanced.rows,
            **self.strip.rows,
        }
        self.mode: Mode = COMPOSE
        self.work: Work | None = None
        self._carried: dict[str, Any] = {name: FIELDS[name].default for name in WORKING}
        self._left: dict[str, dict[str, Any]] = {}
        self._defaults: dict[str, Any] = {}
        self._max_duration = float(limit_of("duration").high or 0.0)
        self._loading = False
        self._followed = ""
        for made in self.rows.values():
            made.changed.connect(self._row_changed)
        self.lyrics.changed.connect(self._lyrics_changed)
        self._set_mode(COMPOSE, None)

    # What is asked for

    def request(self) -> GenerationRequest:
        """What the form says. Raises `InvalidRequest` for what cannot be read."""
        values = {name: made.control.value() for name, made in self.rows.items()}
        values["lyrics"] = self.lyrics.value()
        values["language"] = self.lyrics.language.value()
        for name in WORKING:
            if name not in self.mode.fields:
                values[name] = self._carried[name]
        values["task"] = self.mode.task
        if self.mode is VARY:
            # The seed is its original's; what is drawn anew is the other one.
            values["retake_seed"], values["seed"] = values["seed"], self._carried["seed"]
        return GenerationRequest(**values)

    def problems(self) -> dict[str, str]:
        """What is wrong, by field: each value that cannot be read or is out of range, or else
        the first thing in which they do not go together."""
        found: dict[str, str] = {}
        for name, made in self.rows.items():
            if name in WORKING and name not in self.mode.fields:
                continue
            try:
                value = made.value()
                if name == "duration" and Part.DURATION in self.mode.parts:
                    self._check_duration(value)
            except InvalidRequest as error:
                found[name] = problem_of(error)
        try:
            self.lyrics.check()
            if not found:
                self._check_recording()
                self.request().validate()
        except InvalidRequest as error:
            found[error.field] = problem_of(error)
        return found

    def _check_duration(self, seconds: float) -> None:
        if seconds > self._max_duration:
            raise InvalidRequest(
                "duration",
                f"{seconds:g} is out of range; this model makes {self._max_duration:g} seconds",
            )

    def _check_recording(self) -> None:
        """What can be known of a recording's length before it is read."""
        length = None if self.work is None else self.work.duration
        if length is None or not self.mode.needs:
            return
        if length < MIN_SOURCE_DURATION:
            raise InvalidRequest(
                self.mode.needs,
                f"lasts {length:.2g} seconds, which is too short; it must last at least "
                f"{MIN_SOURCE_DURATION:g} seconds",
            )
        if length > MAX_SOURCE_DURATION:
            raise InvalidRequest(
                self.mode.needs,
                f"lasts {clock(length)}, which is too long; it must last at most "
                f"{clock(MAX_SOURCE_DURATION, 2, short=True)}",
            )
        if self.mode is REPAINT:
            for name in ("repaint_start", "repaint_end"):
                # Lengths are read off displays: a little beyond the end is the end.
                if self.rows[name].value() > length + _END_TOLERANCE:
                    raise InvalidRequest(
                        name,
                        f"is outside of the recording, which lasts {clock(length, 2, short=True)}",
                    )
        elif self.mode in (LYRICS, RESTYLE, REFERENCE) and length > self._max_duration:
            raise InvalidRequest(
                self.mode.needs,
                f"lasts {clock(length)}; this model hears "
                f"{clock(self._max_duration, 2, short=True)}",
            )

    # What is shown

    def set_request(self, request: GenerationRequest, mode: Mode, work: Work | None) -> None:
        """Show `request` as a use of the form, with what it works on."""
        self._loading = True
        values = {name: getattr(request, name) for name in FIELDS}
        self._carried = {name: values[name] for name in WORKING}
        self._carried["seed"] = values["seed"]
        if mode is VARY:
            values["seed"] = values["retake_seed"]
        for name, made in self.rows.items():
            made.set_value(values[name])
        self.lyrics.language.set_value(values["language"])
        self.lyrics.set_value(values["lyrics"])
        self._left.clear()
        self._set_mode(mode, work)

    def restore_defaults(self) -> None:
        """Every field to the default of the model."""
        for made in self.rows.values():
            made.set_value(made.default)

    def work_on(
        self,
        mode: Mode,
        work: Work,
        region: tuple[float, float] | None = None,
        *,
        left: bool = False,
    ) -> None:
        """Begin a use of a recording with the words and settings that it brings."""
        self.set_request(start_request(mode, work, self.words(), region, left=left), mode, work)

    def switch(self, mode: Mode) -> None:
        """Another use of the same recording: what was typed stays where it is of use."""
        if self.work is None or mode is self.mode:
            return
        typed = {name: self.rows[name].control.state() for name in self.mode.fields}
        if Part.STYLE in self.mode.parts:
            typed["prompt"] = self.tags.value()
        if Part.LYRICS in self.mode.parts:
            typed["lyrics"] = self.lyrics.text.text()
        self._left[self.mode.key] = typed
        self._left["words"] = self._left.get("words", {}) | {
            name: typed[name] for name in ("prompt", "lyrics") if name in typed
        }
        start = start_request(mode, self.work, self.words())
        self._loading = True
        self._carried = {name: getattr(start, name) for name in WORKING}
        self._carried["seed"] = start.seed
        words = self._left["words"]
        shows_style, shows_lyrics = Part.STYLE in mode.parts, Part.LYRICS in mode.parts
        self.tags.set_value(words.get("prompt", start.prompt) if shows_style else start.prompt)
        self.lyrics.text.set_text(
            words.get("lyrics", start.lyrics) if shows_lyrics else start.lyrics
        )
        if mode is VARY:
            self.duration.set_value(start.duration)
        for name in mode.fields:
            self.rows[name].set_value(getattr(start, name))
            if name in self._left.get(mode.key, {}):
                self.rows[name].control.set_state(self._left[mode.key][name])
        self._set_mode(mode, self.work)

    def leave_work(self) -> None:
        """Back to new music with the words that are there."""
        words = self.words().for_another_task()
        self._loading = True
        self._carried = {name: getattr(words, name) for name in WORKING}
        self._left.clear()
        self._set_mode(COMPOSE, None)

    def words(self) -> GenerationRequest:
        """What the form says as far as it makes sense: the rest is at its default."""
        values: dict[str, Any] = {}
        for name, made in self.rows.items():
            try:
                values[name] = made.value()
            except InvalidRequest:
                values[name] = made.default
        lyrics, language = self.lyrics.text.text(), self.lyrics.language.value()
        return GenerationRequest(**{**values, "lyrics": lyrics, "language": language})

    def use_model(self, choice: ModelChoice | None) -> None:
        """Take on a model's defaults and limits."""
        if choice is None:
            return
        self._max_duration = choice.max_duration
        control = self.duration.control
        if isinstance(control, NumberControl):
            high = limit_of("duration").high or choice.max_duration
            control.set_high(min(high, choice.max_duration))
        self.lyrics.set_sings(choice.sings)
        self._set_defaults(choice.default_fields)
        self.changed.emit("")

    def _set_defaults(self, defaults: Mapping[str, Any]) -> None:
        self._defaults = dict(defaults)
        for name, made in self.rows.items():
            default = self._defaults.get(name, FIELDS[name].default)
            if name == "retake_variance" and self.mode is EXTEND:
                default = 1.0
            if default != made.default:
                made.set_default(default)

    def _set_mode(self, mode: Mode, work: Work | None) -> None:
        self.mode, self.work = mode, work
        # Without moving the value along, which was chosen for this use.
        variance = self.rows["retake_variance"]
        variance.default = 1.0 if mode is EXTEND else FIELDS["retake_variance"].default
        variance.set_default(variance.default)
        self._followed = self._source_lyrics()
        self.strip.show_work(mode, work or Work(""))
        self.prompt.setVisible(Part.STYLE in mode.parts)
        self.lyrics.setVisible(Part.LYRICS in mode.parts)
        self.duration.setVisible(self._shows_duration())
        self._show_changes()
        self._loading = False
        self.modeChanged.emit()
        self.changed.emit("")

    def _shows_duration(self) -> bool:
        # With a reference the music is as long as that, unless it is fitted.
        loop = "reference_loop" in self.mode.fields and self.rows["reference_loop"].value()
        return Part.DURATION in self.mode.parts or bool(loop)

    # What follows from what

    def _row_changed(self, name: str) -> None:
        if self._loading:
            return
        if name == "source_prompt" and self.mode is LYRICS:
            self.tags.set_value(self.rows[name].control.value())
        if name == "source_lyrics" and self.mode is RESTYLE:
            # What is not sung anew stays as it is said to be.
            if self.lyrics.text.text() == self._followed:
                self.lyrics.text.set_text(self._source_lyrics())
            self._followed = self._source_lyrics()
        if name == "source_lyrics":
            self._show_changes()
        if name == "reference_loop":
            self.duration.setVisible(self._shows_duration())
        self.changed.emit(name)

    def _lyrics_changed(self) -> None:
        if not self._loading:
            self.changed.emit("lyrics")

    def _source_lyrics(self) -> str:
        return str(self.rows["source_lyrics"].control.value())

    def _show_changes(self) -> None:
        shown = Part.CHANGES in self.mode.parts
        self.lyrics.show_changes_from(self._source_lyrics() if shown else None)

    # Drafts

    def state(self) -> dict[str, Any]:
        """Everything that is typed and chosen, sense or not, as JSON can hold it."""
        return {
            "mode": self.mode.key,
            "work": None if self.work is None else self.work.to_json(),
            "carried": dict(self._carried),
            "defaults": self._defaults,
            "fields": {name: made.control.state() for name, made in self.rows.items()},
            "left": {key: dict(typed) for key, typed in self._left.items()},
            "lyrics": self.lyrics.state(),
            "language": self.lyrics.language.state(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Show what `state` gave. Raises KeyError, TypeError or ValueError for anything else."""
        mode, work = MODES[state["mode"]], state["work"]
        carried = {name: FIELDS[name].default for name in WORKING} | dict(state["carried"])
        shown = None if work is None else Work.from_json(work)
        # Drafts of earlier versions do not have it.
        left = {str(key): dict(typed) for key, typed in state.get("left", {}).items()}
        self._loading = True
        try:
            self._carried = carried
            self._set_defaults(state["defaults"])
            for name, value in state["fields"].items():
                self.rows[name].control.set_state(value)
            self.lyrics.set_state(state["lyrics"])
            self.lyrics.language.set_state(state["language"])
            self._left = left
            self._set_mode(mode, shown)
        finally:
            self._loading = False


def problem_of(error: InvalidRequest) -> str:
    """What an error says, without the name of its field."""
    return str(error).removeprefix(f"{error.field}: ")
