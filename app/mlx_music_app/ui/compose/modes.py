"""What Compose can be used for: new music, and each kind of work on a recording."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlx_music import GenerationRequest
from mlx_music.request import EDIT_PRESETS, MAX_DURATION
from mlx_music_app.library.take import Take


class Part(enum.Enum):
    """A part of the form that only some uses show."""

    STYLE = "style"
    PRESETS = "presets"
    LYRICS = "lyrics"
    CHANGES = "changes"
    DURATION = "duration"


_WORDS = frozenset({Part.STYLE, Part.LYRICS})


@dataclass(frozen=True)
class Mode:
    """One use of the form.

    task: of the request. fields: those of "Working on a source" that matter. parts: what is
    shown. needs: what the recording is called in the request, "" if it is not part of it.
    """

    key: str
    words: str
    task: str
    hint: str
    parts: frozenset[Part]
    fields: tuple[str, ...] = ()
    needs: str = ""


COMPOSE = Mode(
    "compose", "New music", "text2music", "",
    frozenset({Part.STYLE, Part.PRESETS, Part.LYRICS, Part.DURATION}),
)  # fmt: skip
REPAINT = Mode(
    "repaint", "Repaint", "repaint", "Makes a part anew and keeps the rest as it is.", _WORDS,
    ("repaint_start", "repaint_end", "retake_variance", "retake_seed"), "source",
)  # fmt: skip
EXTEND = Mode(
    "extend", "Extend", "extend", "Adds music before or after and keeps what is there.", _WORDS,
    ("extend_left", "extend_right", "retake_variance", "retake_seed"), "source",
)  # fmt: skip
VARY = Mode(
    "vary", "Vary", "retake", "Makes another take near this one.", frozenset(),
    ("retake_variance",),
)  # fmt: skip
_EDIT_FIELDS = ("source_prompt", "source_lyrics", "edit_n_min", "edit_n_max", "edit_n_avg")
LYRICS = Mode(
    "lyrics", "Edit lyrics", "edit", "Sings other words and keeps the music's outline.",
    frozenset({Part.LYRICS, Part.CHANGES}), _EDIT_FIELDS, "source",
)  # fmt: skip
RESTYLE = Mode(
    "restyle", "Restyle", "edit", "Changes what it sounds like and keeps its outline.",
    frozenset({Part.STYLE}), _EDIT_FIELDS, "source",
)  # fmt: skip
REFERENCE = Mode(
    "reference", "Use as reference", "text2music",
    "New music that starts from this recording: its melody, rhythm and sound.",
    frozenset({Part.STYLE, Part.LYRICS}), ("reference_strength", "reference_loop"), "reference",
)  # fmt: skip

MODES = {mode.key: mode for mode in (COMPOSE, REPAINT, EXTEND, VARY, LYRICS, RESTYLE, REFERENCE)}

#: What other parts of the app and the engine call these.
_OTHER_NAMES = {
    "retake": "vary",
    "edit": "lyrics",
    "edit_lyrics": "lyrics",
    "remix": "restyle",
    "continue": "extend",
    "extend_right": "extend",
    "extend_left": "extend",
    "use_as_reference": "reference",
}

#: Seconds that an extension adds, and that a repaint without a region redoes, to begin with.
_EXTENSION, _REPAINTED = 30.0, 10.0


def mode_named(task: str) -> Mode:
    """The use that a task's name means. Raises KeyError for none."""
    return MODES[_OTHER_NAMES.get(task, task)]


@dataclass(frozen=True)
class Work:
    """What is being worked on.

    path: the recording; None for a take that is only known by its settings. request: what it was
    made by, if that is known. take: its number in the library. duration: seconds, if known.
    """

    name: str
    path: Path | None = None
    duration: float | None = None
    request: GenerationRequest | None = field(default=None)
    take: int | None = None

    @classmethod
    def of_take(cls, take: Take) -> Work:
        return cls(take.name, take.path, take.duration, take.request, take.id)

    @property
    def problem(self) -> str:
        """Why it cannot be worked on, in a sentence; "" if it can."""
        if self.path is not None and not self.path.is_file():
            return f"{self.path.name} is not where it was: {self.path.parent}"
        return ""

    def modes(self) -> list[Mode]:
        """What can be done with it."""
        able = [] if self.path is None else [REPAINT, EXTEND, LYRICS, RESTYLE, REFERENCE]
        if self.can_vary:
            able.insert(2 if able else 0, VARY)
        return able

    @property
    def can_vary(self) -> bool:
        """Only music made from noise alone, by a known seed, has takes near it."""
        own = self.request
        return (
            own is not None
            and own.task in ("text2music", "retake")
            and own.reference is None
            and own.seed is not None
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "path": None if self.path is None else os.fspath(self.path),
            "duration": self.duration,
            "request": None if self.request is None else self.request.to_dict(),
            "take": self.take,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Work:
        """What `to_json` gave. Raises KeyError, TypeError, ValueError for anything else."""
        path, own, take = values["path"], values["request"], values["take"]
        duration = values["duration"]
        if take is not None and not isinstance(take, int):
            raise TypeError(take)
        return cls(
            str(values["name"]),
            None if path is None else Path(path),
            None if duration is None else float(duration),
            None if own is None else GenerationRequest.from_dict(own),
            take,
        )


def start_request(
    mode: Mode,
    work: Work,
    words: GenerationRequest,
    region: tuple[float, float] | None = None,
    *,
    left: bool = False,
) -> GenerationRequest:
    """The request that a use of a recording begins with.

    words: what is in the form; it is used where the recording says nothing of itself. region:
    seconds from and to. left: an extension goes before the recording instead of after it.
    """
    own = work.request or words
    if mode is VARY:
        # Seed, words and settings are its original's: only the other noise is new.
        return own.replace(
            task="retake",
            retake_seed=None,
            retake_variance=GenerationRequest().retake_variance,
            source=None,
        )
    base = own.for_another_task()
    path = None if work.path is None else os.fspath(work.path)
    if mode is REFERENCE:
        # A reference and steps of a longer schedule exclude each other.
        return base.replace(reference=path, oss_steps=())
    if mode is REPAINT:
        end = work.duration or _REPAINTED
        start, end = region or (0.0, min(_REPAINTED, end))
        return base.replace(
            task="repaint", source=path, repaint_start=round(start, 3), repaint_end=round(end, 3)
        )
    if mode is EXTEND:
        added = {"extend_left" if left else "extend_right": min(_EXTENSION, MAX_DURATION)}
        # What is new has nothing to stay near to.
        return base.replace(task="extend", source=path, retake_variance=1.0, **added)
    if mode in (LYRICS, RESTYLE):
        low, high = EDIT_PRESETS["only_lyrics" if mode is LYRICS else "remix"]
        return base.replace(
            task="edit",
            source=path,
            source_prompt=base.prompt if work.request else "",
            source_lyrics=base.lyrics if work.request else "",
            edit_n_min=low,
            edit_n_max=high,
        )
    return base


def mode_of(request: GenerationRequest) -> Mode:
    """The use of the form that a request belongs to."""
    if request.task == "edit":
        return LYRICS if request.prompt == request.source_prompt else RESTYLE
    if request.task == "text2music":
        return COMPOSE if request.reference is None else REFERENCE
    return next((mode for mode in MODES.values() if mode.task == request.task), COMPOSE)


def work_of(request: GenerationRequest, title: str, take: int | None) -> Work | None:
    """What a request works on, as far as it says so itself; None for new music."""
    mode = mode_of(request)
    if mode is COMPOSE:
        return None
    path = request.source if mode.needs == "source" else request.reference
    if mode is VARY:
        own = request.replace(task="text2music", retake_seed=None)
        return Work(title or "An earlier take", None, request.duration, own, take)
    # The name of a voice's recording is the same for all of them; its folder says whose it is.
    file = Path(path) if path else None
    return Work(title or (file.stem if file else "A recording"), file, None, None, take)
