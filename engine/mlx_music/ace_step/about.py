"""What a checkpoint says of itself: `model.json` at its top, which the published one lacks.

{"name": "Sketch", "licence": "MIT License", "max_duration": 30, "sings": false, "erg": false,
 "defaults": {"duration": 10, "num_inference_steps": 30}}
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlx_music.ace_step.published import MODEL_LICENCE, MODEL_NAME
from mlx_music.errors import CheckpointError, InvalidRequest
from mlx_music.request import MAX_DURATION, WORKING_GROUP, GenerationRequest, limit_of
from mlx_music.weights.json_file import read_json_object

ABOUT_FILE = "model.json"

#: Fields of a request that ask for entropy rectifying guidance.
ERG_FIELDS = ("use_erg_tag", "use_erg_lyric", "use_erg_diffusion")

_LYRIC_FIELDS = ("lyrics", "source_lyrics")

#: Fields for which a model has no default of its own: what a person says, and what is worked on.
_NEVER_DEFAULTS = frozenset(
    spec.name
    for spec in dataclasses.fields(GenerationRequest)
    if spec.name in ("prompt", "lyrics", "language", "seed")
    or limit_of(spec.name).group == WORKING_GROUP
)


@dataclass(frozen=True)
class AboutModel:
    """What a model is called and what it can do; without more, as ACE-Step v1.

    name: for people. max_duration: seconds that it attends to at once, which is how long new
    music may be. sings: whether it heeds lyrics. erg: whether its networks are deep enough for
    entropy rectifying guidance. defaults: a request, without words, from which those for this
    model start.
    """

    name: str = MODEL_NAME
    licence: str = MODEL_LICENCE
    max_duration: float = MAX_DURATION
    sings: bool = True
    erg: bool = True
    defaults: GenerationRequest = field(default_factory=GenerationRequest)

    def request(self, **fields: Any) -> GenerationRequest:
        """A request for this model: `fields`, and its defaults for all others."""
        return self.defaults.replace(**fields)

    def check(self, request: GenerationRequest, *, has_start: bool) -> None:
        """Raise `InvalidRequest` if new music would last longer than the model can make it.

        has_start: whether there is a source or a reference, which decides how long the music is.
        """
        looped = request.task == "text2music" and request.reference_loop
        if (looped or not has_start) and request.duration > self.max_duration:
            low = limit_of("duration").low
            raise InvalidRequest(
                "duration",
                f"{request.duration:g} is out of range; {self.name} makes {low:g} to "
                f"{self.max_duration:g} seconds",
            )

    def understood(self, request: GenerationRequest) -> tuple[GenerationRequest, tuple[str, ...]]:
        """What of `request` this model can heed, and notes on what a person asked for in vain."""
        changes: dict[str, Any] = {}
        notes = []
        if not self.sings:
            changes.update(dict.fromkeys(_LYRIC_FIELDS, ""))
            if any(getattr(request, name).strip() for name in _LYRIC_FIELDS):
                notes.append(f"{self.name} does not sing; the lyrics are ignored")
        if not self.erg:
            changes.update(dict.fromkeys(ERG_FIELDS, False))
            asked = [
                name
                for name in ERG_FIELDS
                if getattr(request, name) and not getattr(self.defaults, name)
            ]
            if asked:
                notes.append(
                    f"{self.name} has no entropy rectifying guidance (ERG); it is left out"
                )
        return request.replace(**changes), tuple(notes)

    @property
    def in_words(self) -> str:
        """What a person should know before choosing it: "instrumental, up to 30 seconds"."""
        what = "sings" if self.sings else "instrumental"
        return f"{what}, up to {self.max_duration:g} seconds"

    @property
    def summary(self) -> str:
        """Name, what it can do, and licence, in a line."""
        return f"{self.name}: {self.in_words}; {self.licence}"

    def own_defaults(self) -> dict[str, Any]:
        """The defaults that differ from those of `GenerationRequest`, as plain JSON values."""
        usual = GenerationRequest().to_dict()
        own = self.defaults.to_dict()
        return {name: value for name, value in own.items() if value != usual[name]}

    def to_dict(self) -> dict[str, Any]:
        """The content of `model.json`."""
        values = {spec.name: getattr(self, spec.name) for spec in dataclasses.fields(self)}
        return values | {"defaults": self.own_defaults()}


#: What is true of the published checkpoint, and of one without `model.json`.
PUBLISHED = AboutModel()


def read_about(folder: Path) -> AboutModel:
    """What the checkpoint in `folder` says of itself; `PUBLISHED` if it says nothing.

    Raises `CheckpointError`, naming file and key, for a `model.json` with a key that is unknown
    or missing, or a value that cannot be.
    """
    path = folder / ABOUT_FILE
    if not path.is_file():
        return PUBLISHED
    values = read_json_object(path)
    known = [spec.name for spec in dataclasses.fields(AboutModel)]
    for key in (*values, *known):
        if key not in known:
            raise CheckpointError(f"{path}: {key!r} is unknown; there are {', '.join(known)}")
        if key not in values:
            raise CheckpointError(f"{path}: {key!r} is missing")
    for key in ("name", "licence"):
        if not isinstance(values[key], str) or not values[key].strip():
            raise CheckpointError(f"{path}: {key!r} is {values[key]!r}, not a text")
    for key in ("sings", "erg"):
        if not isinstance(values[key], bool):
            raise CheckpointError(f"{path}: {key!r} is {values[key]!r}, not true or false")
    max_duration = _max_duration(values["max_duration"], path)
    defaults = _defaults(values["defaults"], path)
    if defaults.duration > max_duration:
        raise CheckpointError(
            f"{path}: 'defaults': duration is {defaults.duration:g}, over 'max_duration' "
            f"{max_duration:g}"
        )
    return AboutModel(
        name=values["name"],
        licence=values["licence"],
        max_duration=max_duration,
        sings=values["sings"],
        erg=values["erg"],
        defaults=defaults,
    )


def _max_duration(value: Any, path: Path) -> float:
    limit = limit_of("duration")
    assert limit.low is not None
    assert limit.high is not None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not limit.low <= value <= limit.high:
        raise CheckpointError(f"{path}: 'max_duration' is {value!r}, not {limit.range}")
    return float(value)


def _defaults(values: Any, path: Path) -> GenerationRequest:
    if not isinstance(values, Mapping):
        raise CheckpointError(f"{path}: 'defaults' is {values!r}, not an object")
    for name in values:
        if name in _NEVER_DEFAULTS:
            raise CheckpointError(f"{path}: 'defaults': {name} is not for a model to decide")
    try:
        defaults = GenerationRequest.from_dict(values)
        # A request needs words to be valid, and a model has none.
        defaults.replace(prompt="any").validate()
    except InvalidRequest as error:
        raise CheckpointError(f"{path}: 'defaults': {error}") from error
    return defaults
