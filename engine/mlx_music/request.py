"""What a person asks for: one frozen dataclass, with every default and every limit.

The command line's flags, the app's form, presets, the tags of a file and a library row are all
this request, written by `to_dict` and read by `from_dict`.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlx_music.errors import InvalidRequest
from mlx_music.limits import (
    MAX_LORA_WEIGHT,
    MIN_LORA_WEIGHT,
    Limit,
    check_type,
    check_value,
    limited,
    plain_number,
)
from mlx_music.text.languages import LANGUAGES

SCHEDULERS = ("euler", "heun", "pingpong")
CFG_TYPES = ("apg", "cfg", "cfg_star")

#: The heading of the fields that only matter where there is a source.
WORKING_GROUP = "Working on a source"

#: The fields that say who sings, whatever is done.
SINGER_FIELDS = ("lora", "speaker_embedding")

#: For an edit: what part of the steps to leave out, and after what part to sample freely.
EDIT_PRESETS = {"only_lyrics": (0.6, 1.0), "remix": (0.2, 0.4)}

#: What a request can ask for: new music, or work on something that exists.
TASKS = ("text2music", "retake", "repaint", "extend", "edit")

#: The reference's training cut lyrics here; attention over more positions was never learnt.
MAX_LYRIC_TOKENS = 4096
MAX_SEED = 2**32 - 1

#: Seconds that the model attends to at once, and that a source must and may last.
MAX_DURATION = 240.0
MIN_SOURCE_DURATION, MAX_SOURCE_DURATION = 0.5, 600.0


@dataclass(frozen=True)
class GenerationRequest:
    """Everything that decides how a piece of music sounds, apart from the model itself.

    Two equal requests with a seed give the same file on the same device. Defaults are those of
    the reference library (`pipeline_ace_step.py`), limits those within which it is meaningful.
    """

    prompt: str = limited(
        "", "style of the music: tags or a description, in English", "What to make"
    )
    lyrics: str = limited(
        "", "words to sing, a line each, with tags such as [verse]; none is instrumental",
        "What to make",
    )  # fmt: skip
    language: str | None = limited(
        None, "language of every line of the lyrics, instead of finding it line by line",
        "What to make", choices=LANGUAGES,
    )  # fmt: skip
    duration: float = limited(
        60.0, "length of the music", "What to make", low=1.0, high=MAX_DURATION, unit="seconds"
    )
    seed: int | None = limited(
        None, "number that the noise is drawn from; a new one is drawn when it is left out",
        "What to make", low=0, high=MAX_SEED,
    )  # fmt: skip

    num_inference_steps: int = limited(
        60, "sampling steps: more take longer and are cleaner", "Sampling", low=1, high=1000
    )
    scheduler: str = limited(
        "euler", "how a step is taken; heun calls the model twice per step", "Sampling",
        choices=SCHEDULERS,
    )  # fmt: skip
    omega_scale: float = limited(
        10.0, "how far a step departs from its mean", "Sampling", low=-100.0, high=100.0
    )
    oss_steps: tuple[int, ...] = limited(
        (), "steps to keep of a longer schedule, such as 16,29,52,96,129,158,172,183,189,200",
        "Sampling", low=1, high=1000,
    )  # fmt: skip

    guidance_scale: float = limited(
        15.0, "how closely prompt and lyrics are followed; 0 or 1 turns guidance off",
        "Guidance", low=0.0, high=100.0,
    )  # fmt: skip
    cfg_type: str = limited(
        "apg", "kind of guidance: adaptive projected, plain, or CFG-Zero*", "Guidance",
        choices=CFG_TYPES,
    )  # fmt: skip
    guidance_interval: float = limited(
        0.5, "middle part of the steps that is guided", "Guidance", low=0.0, high=1.0
    )
    guidance_interval_decay: float = limited(
        0.0, "how far guidance falls to its minimum over that part", "Guidance", low=0.0, high=1.0
    )
    min_guidance_scale: float = limited(
        3.0, "guidance at the end of a full decay", "Guidance", low=0.0, high=200.0
    )
    guidance_scale_text: float = limited(
        0.0, "guidance by the prompt alone; with the next, both over 1, replaces the scale above",
        "Guidance", low=0.0, high=100.0,
    )  # fmt: skip
    guidance_scale_lyric: float = limited(
        0.0, "guidance by the lyrics alone", "Guidance", low=0.0, high=100.0
    )
    use_erg_tag: bool = limited(
        True, "weaken the prompt in the unconditional pass instead of removing it", "Guidance"
    )
    use_erg_lyric: bool = limited(
        True, "weaken the lyrics in the unconditional pass instead of removing them", "Guidance"
    )
    use_erg_diffusion: bool = limited(
        True, "weaken attention of the transformer in the unconditional pass", "Guidance"
    )

    task: str = limited("text2music", "what to do", WORKING_GROUP, choices=TASKS)
    source: str | None = limited(
        None, "audio file that is repainted, extended or edited", WORKING_GROUP
    )
    reference: str | None = limited(
        None, "audio file that new music starts from (audio to audio)", WORKING_GROUP
    )
    reference_strength: float = limited(
        0.5, "how much of the reference stays; 1 is the reference itself",
        WORKING_GROUP, low=0.0, high=1.0,
    )  # fmt: skip
    reference_loop: bool = limited(
        False,
        "repeat or cut the reference to the duration; else the music is as long as the reference",
        WORKING_GROUP,
    )
    lora: tuple[str, ...] = limited(
        (), "adapter for this music: file, folder or hub id, and :WEIGHT from -3 to 3",
        WORKING_GROUP,
    )  # fmt: skip
    speaker_embedding: str | None = limited(
        None, "file of 512 numbers (.npy, .safetensors) for a checkpoint trained with them",
        WORKING_GROUP,
    )  # fmt: skip
    retake_seed: int | None = limited(
        None, "number that the other noise of retake, repaint and extend is drawn from",
        WORKING_GROUP, low=0, high=MAX_SEED,
    )  # fmt: skip
    retake_variance: float = limited(
        0.5, "how far a retake or repaint departs from what was there",
        WORKING_GROUP, low=0.0, high=1.0,
    )  # fmt: skip
    repaint_start: float = limited(
        0.0, "where the repainted part starts", WORKING_GROUP,
        low=0.0, high=MAX_SOURCE_DURATION, unit="seconds",
    )  # fmt: skip
    repaint_end: float = limited(
        0.0, "where the repainted part ends", WORKING_GROUP,
        low=0.0, high=MAX_SOURCE_DURATION, unit="seconds",
    )  # fmt: skip
    extend_left: float = limited(
        0.0, "new music before the source", WORKING_GROUP,
        low=0.0, high=MAX_DURATION, unit="seconds",
    )  # fmt: skip
    extend_right: float = limited(
        0.0, "new music after the source", WORKING_GROUP,
        low=0.0, high=MAX_DURATION, unit="seconds",
    )  # fmt: skip
    source_prompt: str = limited(
        "", "what the source of an edit sounds like; the prompt is what it shall become",
        WORKING_GROUP,
    )  # fmt: skip
    source_lyrics: str = limited(
        "", "what the source of an edit sings; the lyrics are what it shall sing",
        WORKING_GROUP,
    )  # fmt: skip
    edit_n_min: float = limited(
        0.0, "part of the steps that an edit leaves out; more keeps more of the source",
        WORKING_GROUP, low=0.0, high=1.0,
    )  # fmt: skip
    edit_n_max: float = limited(
        1.0, "part of the steps after which an edit samples freely", WORKING_GROUP,
        low=0.0, high=1.0,
    )  # fmt: skip
    edit_n_avg: int = limited(
        1, "draws of noise that each step of an edit is averaged over", WORKING_GROUP,
        low=1, high=16,
    )  # fmt: skip

    sample_rate: int = limited(
        48_000, "sample rate of the audio; 44100 is the model's own", "Sound",
        low=8_000, high=192_000, unit="Hz",
    )  # fmt: skip

    def __post_init__(self) -> None:
        # Lists are taken, and kept as what makes a request equal to others and hashable.
        for name, value in list(vars(self).items()):
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(map(plain_number, value)))

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

    def takes(self, takes: int | Sequence[int]) -> list[GenerationRequest]:
        """The request of each of several takes, with every seed that it draws from.

        takes: how many, with seeds that count up from the request's, or from a new one if it has
        none; or the seeds themselves. For a retake they are retake seeds, because its seed is
        its original's. Where a task needs both, each take's retake seed is its seed; or, if the
        request has a retake seed, they count up from that.
        """
        is_retake = self.task == "retake"
        if is_retake and self.seed is None:
            raise InvalidRequest(
                "seed", "is missing; a retake starts from the seed of its original"
            )
        takes = plain_number(takes)
        count = takes if isinstance(takes, int) else len(takes)
        if count < 1:
            raise InvalidRequest("takes", f"{count} cannot be made; ask for 1 or more")
        if isinstance(takes, int):
            first = self.retake_seed if is_retake else self.seed
            start = new_seed() if first is None else first
            takes = [(start + take) % (MAX_SEED + 1) for take in range(takes)]
        takes = [plain_number(seed) for seed in takes]
        for seed in takes:
            check_field("seed", seed)
        if is_retake:
            return [self.replace(retake_seed=seed) for seed in takes]
        if self.task not in ("repaint", "extend"):
            return [self.replace(seed=seed) for seed in takes]
        if self.retake_seed is None:
            return [self.replace(seed=seed, retake_seed=seed) for seed in takes]
        return [
            self.replace(seed=seed, retake_seed=(self.retake_seed + take) % (MAX_SEED + 1))
            for take, seed in enumerate(takes)
        ]

    def for_another_task(self) -> GenerationRequest:
        """The words and settings alone: no seed, and nothing that says what was worked on.

        Adapters and speaker stay, or a few new bars would be sung by somebody else.
        """
        working = {
            name: spec.default
            for name, spec in _FIELDS.items()
            if limit_of(name).group == WORKING_GROUP and name not in SINGER_FIELDS
        }
        return self.replace(seed=None, **working)

    def replace(self, **changes: Any) -> GenerationRequest:
        """A copy with some fields changed."""
        _refuse_unknown(changes)
        plain = {name: plain_number(value) for name, value in changes.items()}
        return dataclasses.replace(self, **plain)

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain JSON values. `from_dict` reads it back to an equal request."""
        values = dataclasses.asdict(self)
        return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], defaults: GenerationRequest | None = None
    ) -> GenerationRequest:
        """The request that `to_dict` wrote. Fields left out are those of `defaults` (of a model).

        Raises `InvalidRequest` for a field that this version does not know (a setting is never
        dropped in silence) and for a value of the wrong type; ranges are left to `validate`.
        """
        _refuse_unknown(values)
        converted: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        for name, value in converted.items():
            check_type(name, str(_FIELDS[name].type), value)
        return dataclasses.replace(defaults or cls(), **converted)


def parse_lora(text: str) -> tuple[str, float]:
    """Path or id and weight of an entry of the field `lora`, such as "rap.safetensors:0.8"."""
    path, colon, end = text.rpartition(":")
    try:
        weight = float(end) if colon else 1.0
    except ValueError:
        colon = ""
        weight = 1.0
    path = path if colon else text
    if not path:
        raise InvalidRequest("lora", f'"{text}" names no adapter')
    if not MIN_LORA_WEIGHT <= weight <= MAX_LORA_WEIGHT:
        raise InvalidRequest(
            "lora",
            f"the weight {weight:g} of {path} is out of range; it must be "
            f"{MIN_LORA_WEIGHT:g} to {MAX_LORA_WEIGHT:g}",
        )
    return path, weight


def new_seed() -> int:
    """A seed drawn at random."""
    return secrets.randbelow(MAX_SEED + 1)


def _check_task(request: GenerationRequest) -> None:
    """What only some tasks need, and what adapters are."""
    for entry in request.lora:
        parse_lora(entry)
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
    if request.source is not None and request.task in ("text2music", "retake"):
        raise InvalidRequest("source", "is only for the tasks repaint, extend and edit")
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
    check_value(name, str(_FIELDS[name].type), limit_of(name), value)


_FIELDS: dict[str, dataclasses.Field[Any]] = {
    spec.name: spec for spec in dataclasses.fields(GenerationRequest)
}
