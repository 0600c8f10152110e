"""What a field of a request accepts: its type, its range, and words for both."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass, field
from typing import Any

from mlx_music.errors import InvalidRequest

#: Weights of an adapter: 0 is without it, 1 as it was trained, negative away from it.
MIN_LORA_WEIGHT, MAX_LORA_WEIGHT = -3.0, 3.0


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


def limited(default: Any, help: str, group: str, **limits: Any) -> Any:
    """A dataclass field with its `Limit`."""
    return field(default=default, metadata={"limit": Limit(help, group, **limits)})


def plain_number(value: Any) -> Any:
    """NumPy's numbers as Python's, which JSON knows; all else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    return float(value) if isinstance(value, numbers.Real) else value


def check_value(name: str, annotation: str, limit: Limit, value: Any) -> None:
    """Raise `InvalidRequest`, naming the field, unless `value` has its type and range."""
    check_type(name, annotation, value)
    if value is None:
        return
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
    "tuple[str, ...]": ((tuple,), "a list of texts"),
}


def check_type(name: str, annotation: str, value: Any) -> None:
    """Raise `InvalidRequest`, naming the field, unless `value` is of the type `annotation`."""
    accepted, words = _TYPES[annotation]
    good = isinstance(value, accepted) and (bool in accepted or not isinstance(value, bool))
    items = value if isinstance(value, tuple) else (value,)
    if good and isinstance(value, tuple):
        kind = int if "int" in annotation else str
        good = all(isinstance(item, kind) and not isinstance(item, bool) for item in items)
    if not good:
        raise InvalidRequest(name, f"{value!r} is not {words}")
    if any(isinstance(item, str) and not _is_unicode(item) for item in items):
        raise InvalidRequest(name, "is not valid Unicode text")


def _is_unicode(text: str) -> bool:
    """Whether `text` can be written at all: JSON can hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
