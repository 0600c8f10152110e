"""From a component's `config.json` to its config dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

from mlx_music.errors import CheckpointError

T = TypeVar("T")


def config_from_dict(cls: type[T], values: Mapping[str, Any]) -> T:
    """A config of the dataclass `cls`; keys that it has no field for are ignored.

    Every field must have a default, whose type the value must have: lists become tuples, a
    nested object the default's own dataclass. Raises `CheckpointError`, naming class and field.
    """
    default = cls()
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    known = {
        spec.name: _converted(cls, spec.name, values[spec.name], getattr(default, spec.name))
        for spec in fields
        if spec.name in values
    }
    return cls(**known)


def _converted(cls: type[Any], name: str, value: Any, default: Any) -> Any:
    if dataclasses.is_dataclass(default) and isinstance(value, Mapping):
        return config_from_dict(type(default), value)
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        # Of elements, only the first default is looked at: they are all of one kind.
        return tuple(_converted(cls, name, item, default[0] if default else item) for item in value)
    accepted: tuple[type, ...] = (type(default),)
    if isinstance(default, float):
        accepted = (int, float)
    if isinstance(value, accepted) and isinstance(value, bool) == isinstance(default, bool):
        return value
    raise CheckpointError(
        f"{cls.__name__}: {name} is {value!r}, not like {default!r}; the config.json is damaged "
        "or of another model"
    )
