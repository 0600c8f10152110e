"""What commands that work on a source have in common: the source, and the settings it brings."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mlx_music.cli.making import add_making_flags
from mlx_music.cli.model_flags import add_model_flags
from mlx_music.cli.request_flags import (
    REQUEST_GROUPS,
    add_request_flags,
    fields_by_group,
    read_settings,
)
from mlx_music.metadata import Description
from mlx_music.request import WORKING_GROUP, GenerationRequest

#: Fields that a source decides, or that another command is for.
_NOT_HERE = frozenset(("task", "source", "reference", "reference_strength", "duration"))


def add_working_flags(parser: argparse.ArgumentParser, fields: tuple[str, ...]) -> None:
    """Add SOURCE and the flags of all requests, and of those that work on a source `fields`."""
    parser.add_argument("source_file", metavar="SOURCE", help="audio file to work on")
    others = _NOT_HERE | (set(fields_by_group()[WORKING_GROUP]) - set(fields))
    add_request_flags(parser, (WORKING_GROUP, REQUEST_GROUPS[0]), skip=others)
    add_making_flags(parser)
    rest = tuple(
        group for group in REQUEST_GROUPS if group not in (WORKING_GROUP, REQUEST_GROUPS[0])
    )
    add_request_flags(parser, rest)
    add_model_flags(parser)


def source_path(args: argparse.Namespace) -> str:
    return os.path.expanduser(args.source_file)


def settings_for(args: argparse.Namespace, **changes: Any) -> Description:
    """The settings that flags are laid over: of `--from`, else of the source's own tags.

    A source that was not made here has none, and everything takes its default. Seeds are drawn
    anew. `changes` are defaults of the command.
    """
    own = read_settings(args) or _own_settings(source_path(args))
    return Description(own.request.for_another_task().replace(**changes), own.model)


def _own_settings(path: str) -> Description:
    from mlx_music.audio.tags import read_tags

    tags = read_tags(path)
    if tags is None:
        return Description(GenerationRequest(), "")
    return Description.from_json(tags.request_json, path)
