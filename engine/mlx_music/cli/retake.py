"""`mlx-music retake`: another take of a song made before."""

from __future__ import annotations

import argparse
import os

from mlx_music.cli.command import Command
from mlx_music.cli.making import make_music
from mlx_music.cli.model_flags import choose_model
from mlx_music.cli.request_flags import read_request
from mlx_music.cli.voice_flags import with_voice
from mlx_music.cli.working import add_task_flags
from mlx_music.errors import MLXMusicError
from mlx_music.metadata import read_description
from mlx_music.request import GenerationRequest

_EPILOG = """\
A retake of a retake starts from the first original again. Its seed and length are always the
song's own, and so are words and settings that are not given.

examples:
  four takes near the original
    mlx-music retake song.wav --variance 0.2 --takes 4 --output near.wav
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "settings_file", metavar="SONG", help="audio file made by MLX Music, or its settings"
    )
    # Those are the song's own: with others it would be another song, and no retake.
    add_task_flags(
        parser, ("retake_variance", "retake_seed"), skip=("seed", "duration"), from_file=False
    )


def _run(args: argparse.Namespace) -> int:
    chosen = choose_model(args)
    settings = read_description(os.path.expanduser(args.settings_file), chosen.defaults)
    own = settings.request
    if own.task not in ("text2music", "retake") or own.reference is not None:
        raise MLXMusicError(
            f"{args.settings_file}: was made from another recording; only music made from noise "
            "alone can be retaken"
        )
    own = own.replace(retake_seed=None, retake_variance=GenerationRequest().retake_variance)
    request = read_request(args, with_voice(args, own, "retake"), task="retake")
    return make_music(args, chosen, request, settings)


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
