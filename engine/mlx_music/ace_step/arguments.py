"""What a caller hands to the pipeline: checked by type, and put as it can be kept.

A request is kept in the tags of files, and read again in other folders and by other programs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mlx_music.ace_step.memory import GIGABYTE
from mlx_music.errors import InvalidRequest
from mlx_music.limits import check_type, plain_number
from mlx_music.request import GenerationRequest, parse_lora


def whole_request(
    request: GenerationRequest | None,
    defaults: GenerationRequest,
    fields: Mapping[str, Any],
    files: Mapping[str, object],
) -> GenerationRequest:
    """The request to run, valid and as it is kept: `request`, or else `defaults`, with `fields`.

    files: what was handed in for its fields that name files; only of a path can a trace be kept.
    Raises `InvalidRequest`.
    """
    if request is not None and not isinstance(request, GenerationRequest):
        what = "a text" if isinstance(request, str) else type(request).__name__
        raise InvalidRequest(
            "request", f"is {what}; give prompt=... and other fields, or a GenerationRequest"
        )
    paths = {
        name: os.fspath(file) for name, file in files.items() if isinstance(file, str | os.PathLike)
    }
    given = (defaults if request is None else request).replace(**fields)
    given = given.replace(**{name: path for name, path in paths.items() if path})
    given.validate()
    return _with_whole_paths(given)


def check_one_take(fields: Mapping[str, object]) -> None:
    """Raise `InvalidRequest` if a method that makes one piece is asked for several."""
    if "takes" in fields:
        raise InvalidRequest(
            "takes", "this makes one piece; generate_batch(request, takes=...) makes several"
        )


def check_takes(takes: object) -> None:
    """Raise `InvalidRequest` unless `takes` is a number of takes, or their seeds."""
    if not isinstance(plain_number(takes), int) and (
        isinstance(takes, str) or not hasattr(takes, "__len__")
    ):
        raise InvalidRequest("takes", f"{takes!r} is not a whole number or a list of seeds")


def check_path_or_id(path_or_id: object, what: str) -> None:
    """Raise `InvalidRequest` unless `path_or_id` can name a model or an adapter (`what`)."""
    if not isinstance(path_or_id, str | os.PathLike):
        raise InvalidRequest("path_or_id", f"{path_or_id!r} names no {what}; give a path or an id")


def checked_weight(weight: Any) -> float:
    """The weight of an adapter as a plain number; its range is checked where it is applied."""
    weight = plain_number(weight)
    check_type("weight", "float", weight)
    return float(weight)


def limit_in_bytes(gigabytes: Any) -> int:
    """`memory_limit` in bytes."""
    if isinstance(gigabytes, int | float) and math.isfinite(gigabytes) and gigabytes > 0:
        return int(gigabytes * GIGABYTE)
    raise InvalidRequest("memory_limit", f"{gigabytes!r} is not a number of GB over 0")


def local_adapter(path_or_id: str) -> str:
    """The whole path of an adapter that is here; a hub id as it is."""
    here = os.path.exists(os.path.expanduser(path_or_id))
    return whole_path(path_or_id) if here else path_or_id


def adapter_entries(adapters: Sequence[tuple[str | os.PathLike[str], float]]) -> tuple[str, ...]:
    """Adapters by path and weight as entries of a request's `lora`, with every digit."""
    return tuple(f"{os.path.abspath(path)}:{weight!r}" for path, weight in adapters)


def whole_path(path: str) -> str:
    """`path` from the root on, with `~` spelled out."""
    return os.path.abspath(os.path.expanduser(path))


def _with_whole_paths(request: GenerationRequest) -> GenerationRequest:
    """`request` with whole paths of its files, so that no other folder has others for them."""
    return request.replace(
        source=_whole(request.source),
        reference=_whole(request.reference),
        speaker_embedding=_whole(request.speaker_embedding),
        lora=tuple(map(_whole_adapter, request.lora)),
    )


def _whole(path: str | None) -> str | None:
    return whole_path(path) if path else path


def _whole_adapter(entry: str) -> str:
    path, weight = parse_lora(entry)
    whole = local_adapter(path)
    return entry if whole == path else f"{whole}:{weight!r}"
