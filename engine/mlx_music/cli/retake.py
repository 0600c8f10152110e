"""`mlx-music retake`: another take of a song made before."""

from __future__ import annotations

import argparse

from mlx_music.cli.command import Command
from mlx_music.cli.making import add_making_flags, make_music
from mlx_music.cli.model_flags import add_model_flags
from mlx_music.cli.request_flags import (
    REQUEST_GROUPS,
    add_request_flags,
    fields_by_group,
    read_request,
)
from mlx_music.errors import MLXMusicError
from mlx_music.metadata import read_description
from mlx_music.request import WORKING_GROUP

_EPILOG = """\
examples:
  four takes near the original
    mlx-music retake song.wav --variance 0.2 --takes 4 --output near.wav
"""

_FIELDS = ("retake_variance", "retake_seed")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "settings_file", metavar="SONG", help="audio file made by MLX Music, or its settings"
    )
    others = set(fields_by_group()[WORKING_GROUP]) - set(_FIELDS)
    add_request_flags(parser, (WORKING_GROUP, REQUEST_GROUPS[0]), skip=others)
    add_making_flags(parser, from_file=False)
    rest = tuple(group for group in REQUEST_GROUPS[1:] if group != WORKING_GROUP)
    add_request_flags(parser, rest)
    add_model_flags(parser)


def _run(args: argparse.Namespace) -> int:
    settings = read_description(args.settings_file)
    own = settings.request
    if own.task not in ("text2music", "retake") or own.reference is not None:
        raise MLXMusicError(
            f"{args.settings_file}: was made from another recording; only music made from noise "
            "alone can be retaken"
        )
    own = own.replace(retake_seed=None)
    base = type(settings)(own, settings.model, settings.version)
    return make_music(args, read_request(args, base, task="retake"), base)


COMMAND = Command(
    name="retake",
    summary="make another take of a song made before",
    usage="SONG [--variance X] [--takes N] [--output FILE] [options]",
    description="Make a song again from noise that is turned away from its own: by a variance of"
    " 0 not at\nall, by 1 wholly.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
