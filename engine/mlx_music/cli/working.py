"""What commands that work on a source have in common: the source, and the settings it brings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from mlx_music.cli.making import add_making_flags
from mlx_music.cli.model_flags import add_model_flags
from mlx_music.cli.request_flags import (
    REQUEST_GROUPS,
    add_request_flags,
    fields_by_group,
    read_request,
    read_settings,
    set_aside,
    typed_flags,
    whole_path,
)
from mlx_music.cli.voice_flags import add_voice_flags, with_voice
from mlx_music.errors import InvalidRequest, MLXMusicError
from mlx_music.metadata import Description
from mlx_music.request import SINGER_FIELDS, WORKING_GROUP, GenerationRequest


def add_task_flags(
    parser: argparse.ArgumentParser,
    fields: tuple[str, ...],
    *,
    skip: tuple[str, ...] = (),
    from_file: bool = True,
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add the flags of a task that works on what exists: `fields` of its own, and those of all
    requests but for `skip`. `defaults` as for `add_request_flags`."""
    others = {*fields_by_group()[WORKING_GROUP], *skip} - set(fields)
    groups = (WORKING_GROUP, REQUEST_GROUPS[0])
    add_request_flags(parser, groups, skip=others, defaults=defaults)
    add_making_flags(parser, from_file=from_file)
    add_voice_flags(parser)
    rest = [title for title in REQUEST_GROUPS[1:] if title != WORKING_GROUP]
    add_request_flags(parser, rest)
    add_model_flags(parser)


def add_working_flags(
    parser: argparse.ArgumentParser,
    fields: tuple[str, ...],
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add SOURCE and the flags of a task on it; `fields` and `defaults` are those of its own."""
    parser.add_argument("source_file", metavar="SOURCE", help="audio file to work on")
    # The source decides how long the music is.
    add_task_flags(parser, fields, skip=("duration",), defaults=defaults)


def settings_for(
    args: argparse.Namespace, defaults: GenerationRequest, **changes: Any
) -> GenerationRequest:
    """The settings that flags are laid over: of `--from`, else of the source's own tags.

    A file of `--from` that was made by the same command gives every field, seeds too, so that it
    can be made again from a source that has moved. Settings of another task say nothing of this
    one: they give words and sound, and seeds are drawn anew. A source that was not made here has
    none, and everything takes the model's `defaults`. `changes` are defaults of the command.
    """
    settings = read_settings(args, defaults.replace(**changes))
    if settings is not None and settings.request.task == args.command.name:
        return settings.request
    own = _own_settings(args.source_file, defaults) if settings is None else settings.request
    set_aside(args, {"seed", *fields_by_group()[WORKING_GROUP]} - set(SINGER_FIELDS))
    return own.for_another_task().replace(**changes)


def read_working_request(
    args: argparse.Namespace,
    settings: GenerationRequest,
    task: str,
    follow: Mapping[str, str] | None = None,
) -> GenerationRequest:
    """The request to do `task` with SOURCE: flags over `--voice` over `settings`; see
    `read_request`. The source is kept by its whole path, so that `--from` finds it again."""
    # Its default, 0, is none to name in an error: nobody gave it, and no part can end there.
    if task == "repaint" and not settings.repaint_end and "repaint_end" not in typed_flags(args):
        raise InvalidRequest("repaint_end", "is missing; give the second where the part ends")
    base = with_voice(args, settings, task)
    return read_request(args, base, follow=follow, task=task, source=whole_path(args.source_file))


def _own_settings(source: str, defaults: GenerationRequest) -> GenerationRequest:
    from mlx_music.audio.tags import read_tags

    path = os.path.expanduser(source)
    tags = read_tags(path)
    if tags is None:
        return defaults
    try:
        return Description.from_json(tags.request_json, path, defaults).request
    except InvalidRequest as error:  # which would be blamed on a flag
        raise MLXMusicError(f"{path}: the settings in its tags cannot be used ({error})") from error
