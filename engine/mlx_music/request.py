"""What a person asks for: one frozen dataclass, with every default and every limit.

The command line's flags, the app's form, presets, the tags of a file and a library row are all
this request, written by `to_dict` and read by `from_dict`.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlx_music.errors import InvalidRequest
from mlx_music.text.languages import LANGUAGES

SCHEDULERS = ("euler", "heun", "pingpong")
CFG_TYPES = ("apg", "cfg", "cfg_star")

#: What a request can ask for: new music, or work on something that exists.
TASKS = ("text2music", "retake", "repaint", "extend", "edit")

#: The reference's training cut lyrics here; attention over more positions was never learnt.
MAX_LYRIC_TOKENS = 4096
MAX_SEED = 2**32 - 1

#: Seconds that the model attends to at once, and that a source may last.
MAX_DURATION = 240.0
MAX_SOURCE_DURATION = 600.0


@dataclass(frozen=True)
class Limit:
    """What one field accepts, for validation, `--help` and forms alike.

    `low` and `high` are inclusive. `unit` is shown to people ("seconds"). `group` is the
    heading under which a form or `--help` shows the field.
    """

    help: str
    group: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """The accepted values in words, for example "1 to 240 seconds"."""
        if self.choices:
            return ", ".join(self.choices)
        if self.low is None or self.high is None:
            return ""
        return f"{self.low:.15g} to {self.high:.15g}{' ' + self.unit if self.unit else ''}"


def _field(default: Any, help: str, group: str, **limits: Any) -> Any:
    return field(default=default, metadata={"limit": Limit(help, group, **limits)})


@dataclass(frozen=True)
class GenerationRequest:
    """Everything that decides how a piece of music sounds, apart from the model itself.

    Two equal requests with a seed give the same file on the same device. Defaults are those of
    the reference library (`pipeline_ace_step.py`), limits those within which it is meaningful.
    """

    prompt: str = _field(
        "", "style of the music: tags or a description, in English", "What to make"
    )
    lyrics: str = _field(
        "", "words to sing, a line each, with tags such as [verse]; none is instrumental",
        "What to make",
    )  # fmt: skip
    language: str | None = _field(
        None, "language of every line of the lyrics, instead of finding it line by line",
        "What to make", choices=LANGUAGES,
    )  # fmt: skip
    duration: float = _field(
        60.0, "length of the music", "What to make", low=1.0, high=MAX_DURATION, unit="seconds"
    )
    seed: int | None = _field(
        None, "number that the noise is drawn from; a new one is drawn when it is left out",
        "What to make", low=0, high=MAX_SEED,
    )  # fmt: skip

    num_inference_steps: int = _field(
        60, "sampling steps: more take longer and are cleaner", "Sampling", low=1, high=1000
    )
    scheduler: str = _field(
        "euler", "how a step is taken; heun calls the model twice per step", "Sampling",
        choices=SCHEDULERS,
    )  # fmt: skip
    omega_scale: float = _field(
        10.0, "how far a step departs from its mean", "Sampling", low=-100.0, high=100.0
    )
    oss_steps: tuple[int, ...] = _field(
        (), "steps to keep of a longer schedule, such as 16,29,52,96,129,158,172,183,189,200",
        "Sampling", low=1, high=1000,
    )  # fmt: skip

    guidance_scale: float = _field(
        15.0, "how closely prompt and lyrics are followed; 0 or 1 turns guidance off",
        "Guidance", low=0.0, high=100.0,
    )  # fmt: skip
    cfg_type: str = _field(
        "apg", "kind of guidance: adaptive projected, plain, or CFG-Zero*", "Guidance",
        choices=CFG_TYPES,
    )  # fmt: skip
    guidance_interval: float = _field(
        0.5, "middle part of the steps that is guided", "Guidance", low=0.0, high=1.0
    )
    guidance_interval_decay: float = _field(
        0.0, "how far guidance falls to its minimum over that part", "Guidance", low=0.0, high=1.0
    )
    min_guidance_scale: float = _field(
        3.0, "guidance at the end of a full decay", "Guidance", low=0.0, high=200.0
    )
    guidance_scale_text: float = _field(
        0.0, "guidance by the prompt alone; with the next, both over 1, replaces the scale above",
        "Guidance", low=0.0, high=100.0,
    )  # fmt: skip
    guidance_scale_lyric: float = _field(
        0.0, "guidance by the lyrics alone", "Guidance", low=0.0, high=100.0
    )
    use_erg_tag: bool = _field(
        True, "weaken the prompt in the unconditional pass instead of removing it", "Guidance"
    )
    use_erg_lyric: bool = _field(
        True, "weaken the lyrics in the unconditional pass instead of removing them", "Guidance"
    )
    use_erg_diffusion: bool = _field(
        True, "weaken attention of the transformer in the unconditional pass", "Guidance"
    )

    task: str = _field("text2music", "what to do", "Working on a source", choices=TASKS)
    source: str | None = _field(
        None, "audio file that is repainted, extended or edited", "Working on a source"
    )
    reference: str | None = _field(
        None, "audio file that new music starts from (audio to audio)", "Working on a source"
    )
    reference_strength: float = _field(
        0.5, "how much of the reference stays; 1 is the reference itself",
        "Working on a source", low=0.0, high=1.0,
    )  # fmt: skip
    retake_seed: int | None = _field(
        None, "number that the other noise of retake, repaint and extend is drawn from",
        "Working on a source", low=0, high=MAX_SEED,
    )  # fmt: skip
    retake_variance: float = _field(
        0.5, "how far a retake or repaint departs from what was there",
        "Working on a source", low=0.0, high=1.0,
    )  # fmt: skip
    repaint_start: float = _field(
        0.0, "where the repainted part starts", "Working on a source",
        low=0.0, high=MAX_SOURCE_DURATION, unit="seconds",
    )  # fmt: skip
    repaint_end: float = _field(
        0.0, "where the repainted part ends", "Working on a source",
        low=0.0, high=MAX_SOURCE_DURATION, unit="seconds",
    )  # fmt: skip
    extend_left: float = _field(
        0.0, "new music before the source", "Working on a source",
        low=0.0, high=MAX_DURATION, unit="seconds",
    )  # fmt: skip
    extend_right: float = _field(
        0.0, "new music after the source", "Working on a source",
        low=0.0, high=MAX_DURATION, unit="seconds",
    )  # fmt: skip
    source_prompt: str = _field(
        "", "what the source of an edit sounds like; the prompt is what it shall become",
        "Working on a source",
    )  # fmt: skip
    source_lyrics: str = _field(
        "", "what the source of an edit sings; the lyrics are what it shall sing",
        "Working on a source",
    )  # fmt: skip
    edit_n_min: float = _field(
        0.0, "part of the steps that an edit leaves out; more keeps more of the source",
        "Working on a source", low=0.0, high=1.0,
    )  # fmt: skip
    edit_n_max: float = _field(
        1.0, "part of the steps after which an edit samples freely", "Working on a source",
        low=0.0, high=1.0,
    )  # fmt: skip
    edit_n_avg: int = _field(
        1, "draws of noise that each step of an edit is averaged over", "Working on a source",
        low=1, high=16,
    )  # fmt: skip

    sample_rate: int = _field(
        48_000, "sample rate of the audio; 44100 is the model's own", "Sound",
        low=8_000, high=192_000, unit="Hz",
    )  # fmt: skip

    def validate(self) -> None:
        """Raise `InvalidRequest`, naming the field and its range, for the first bad value."""
        for spec in dataclasses.fields(self):
            check_field(spec.name, getattr(self, spec.name))
        if not self.prompt.strip():
            raise InvalidRequest(
                "prompt", 'is empty; describe the music, for example "warm lo-fi hip hop, 80 bpm"'
            )
        if list(self.oss_steps) != sorted(set(self.oss_steps)):
            raise InvalidRequest("oss_steps", "must rise from each step to the next")

        _check_task(self)

    @property
    def is_guided(self) -> bool:
        """Whether an unconditional pass is made at all (a scale of 0 or 1 turns it off)."""
        return self.guidance_scale not in (0.0, 1.0)

    @property
    def is_doubly_guided(self) -> bool:
        """Whether prompt and lyrics are guided separately."""
        return self.guidance_scale_text > 1.0 and self.guidance_scale_lyric > 1.0

    def takes(self, takes: int | Sequence[int]) -> list[GenerationRequest]:
        """The request of each of several takes, with every seed that it draws from.

        takes: how many, with seeds that count up from the request's, or from a new one if it has
        none; or the seeds themselves. For a retake they are retake seeds, because its seed is
        its original's.
        """
        is_retake = self.task == "retake"
        if is_retake and self.seed is None:
            raise InvalidRequest(
                "seed", "is missing; a retake starts from the seed of its original"
            )
        first = self.seed if self.seed is not None else new_seed()
        other = self.retake_seed if self.retake_seed is not None else new_seed()
        if isinstance(takes, int):
            if takes < 1:
                raise InvalidRequest("takes", f"{takes} cannot be made; ask for 1 or more")
            start = other if is_retake else first
            takes = [(start + take) % (MAX_SEED + 1) for take in range(takes)]
        for seed in takes:
            check_field("seed", seed)
        if is_retake:
            return [self.replace(retake_seed=seed) for seed in takes]
        if self.task not in ("repaint", "extend"):
            return [self.replace(seed=seed) for seed in takes]
        return [
            self.replace(seed=seed, retake_seed=(other + take) % (MAX_SEED + 1))
            for take, seed in enumerate(takes)
        ]

    def replace(self, **changes: Any) -> GenerationRequest:
        """A copy with some fields changed."""
        _refuse_unknown(changes)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON values. `from_dict` reads it back to an equal request."""
        values = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GenerationRequest:
        """The request that `to_dict` wrote. Fields left out take their defaults.

        Raises `InvalidRequest` for a field that this version does not know (a setting is never
        dropped in silence) and for a value of the wrong type; ranges are left to `validate`.
        """
        _refuse_unknown(values)
        converted: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        for name, value in converted.items():
            _check_type(name, value)
        return cls(**converted)


def new_seed() -> int:
    """A seed drawn at random."""
    return secrets.randbelow(MAX_SEED + 1)


def _check_task(request: GenerationRequest) -> None:
    """What only some tasks need."""
    if request.task == "repaint" and request.repaint_start >= request.repaint_end:
        raise InvalidRequest(
            "repaint_end",
            f"{request.repaint_end:g} seconds is not after the start "
            f"at {request.repaint_start:g} seconds",
        )
    if request.task == "extend" and request.extend_left + request.extend_right == 0.0:
        raise InvalidRequest("extend_right", "is 0 and so is extend_left; give the seconds to add")
    if request.task == "edit":
        if not request.source_prompt.strip():
            raise InvalidRequest("source_prompt", "is empty; say what the source sounds like")
        if request.edit_n_min >= request.edit_n_max:
            raise InvalidRequest(
                "edit_n_max",
                f"{request.edit_n_max:g} is not over edit_n_min, {request.edit_n_min:g}",
            )
    if request.reference is not None and request.task != "text2music":
        raise InvalidRequest("reference", f"cannot be used to {request.task}; only for new music")
    if request.reference is not None and request.oss_steps:
        raise InvalidRequest("oss_steps", "cannot be used with a reference; give steps instead")


def _refuse_unknown(values: Mapping[str, Any]) -> None:
    for name in values:
        if name not in _FIELDS:
            raise InvalidRequest(
                str(name), f"is no field of a request; there are {', '.join(_FIELDS)}"
            )


def limit_of(name: str) -> Limit:
    """The limits of the field called `name`."""
    limit: Limit = _FIELDS[name].metadata["limit"]
    return limit


def check_field(name: str, value: Any) -> None:
    """Raise `InvalidRequest` unless `value` has the type and range of the field `name`."""
    _check_type(name, value)
    if value is None:
        return
    limit = limit_of(name)
    if limit.choices and value not in limit.choices:
        raise InvalidRequest(name, f'"{value}" is not one of {limit.range}')
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, bool) or not isinstance(number, int | float):
            continue
        if not math.isfinite(number):
            raise InvalidRequest(name, f"{number:g} is not a number; it must be {limit.range}")
        if (limit.low is not None and number < limit.low) or (
            limit.high is not None and number > limit.high
        ):
            raise InvalidRequest(name, f"{number:.15g} is out of range; it must be {limit.range}")


#: For each annotation of a field: the Python types it accepts, and its name for people.
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "str | None": ((str, type(None)), "text or nothing"),
    "int": ((int,), "a whole number"),
    "int | None": ((int, type(None)), "a whole number or nothing"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
    "tuple[int, ...]": ((tuple,), "a list of whole numbers"),
}


def _check_type(name: str, value: Any) -> None:
    accepted, words = _TYPES[str(_FIELDS[name].type)]
    good = isinstance(value, accepted) and (bool in accepted or not isinstance(value, bool))
    if good and isinstance(value, tuple):
        good = all(isinstance(item, int) and not isinstance(item, bool) for item in value)
    if not good:
        raise InvalidRequest(name, f"{value!r} is not {words}")
    if isinstance(value, str) and not _is_unicode(value):
        raise InvalidRequest(name, "is not valid Unicode text")


def _is_unicode(text: str) -> bool:
    """Whether `text` can be written at all: JSON can hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_FIELDS: dict[str, dataclasses.Field[Any]] = {
    spec.name: spec for spec in dataclasses.fields(GenerationRequest)
}
