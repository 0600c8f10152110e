"""The flags that say who or what the music sounds like, for every command that makes sound."""

from __future__ import annotations

import argparse
from typing import Any

from mlx_music.cli.command import UsageError
from mlx_music.cli.request_flags import add_field_flag, typed_flags
from mlx_music.request import SINGER_FIELDS, GenerationRequest

_TITLE = "Voice and adapters"

#: Fields of a recording that new music starts from; no other task has a use for one.
REFERENCE_FIELDS = ("reference", "reference_strength", "reference_loop")


def add_voice_flags(parser: argparse.ArgumentParser, *, reference: bool = False) -> None:
    """Add `--voice` and the flags of the fields that a voice sets."""
    group = parser.add_argument_group(_TITLE)
    group.add_argument(
        "--voice",
        metavar="NAME",
        help="a voice saved by `mlx-music voice save`; flags given beside it win over what it says",
    )
    for name in (*(REFERENCE_FIELDS if reference else ()), *SINGER_FIELDS):
        add_field_flag(group, name)


def with_voice(
    args: argparse.Namespace, base: GenerationRequest, task: str | None = None
) -> GenerationRequest:
    """`base` with the fields of `--voice`, for the flags to be laid over.

    `task` is what the command does, by default what `base` says. Raises `MLXMusicError` for
    a voice that is not there, `UsageError` for one that is of no use to the task.
    """
    if args.voice is None:
        return base
    fields = _fields_of(args.voice, task or base.task)
    if "reference" in typed_flags(args):
        # Another recording: how much of the voice's own shall stay says nothing of it.
        fields = {name: value for name, value in fields.items() if name not in REFERENCE_FIELDS}
    return base.replace(**fields)


def _fields_of(name: str, task: str) -> dict[str, Any]:
    from mlx_music.voices import find_voice

    voice = find_voice(name)
    fields = voice.request_fields()
    if task == "text2music":
        return fields
    usable = {name: value for name, value in fields.items() if name not in REFERENCE_FIELDS}
    if not usable:
        raise UsageError(
            f"--voice: {voice.name} is only a recording, which new music can start from;"
            f" to {task} takes an adapter or a speaker embedding"
        )
    return usable
