"""`mlx-music extend`: go on with a song, at its end or before its beginning."""

from __future__ import annotations

import argparse

from mlx_music.cli.command import Command
from mlx_music.cli.making import make_music
from mlx_music.cli.model_flags import choose_model
from mlx_music.cli.working import add_working_flags, read_working_request, settings_for

_EPILOG = """\
The song itself is kept, at its own sample rate sample for sample, but for a fade of 0.2 seconds
at each seam. It may grow past what the model makes at once. Words, settings and adapters that are
not given are the source's own, if it was made here.

examples:
  half a minute more
    mlx-music extend song.wav --right 30 --output longer.wav
  an intro and an outro
    mlx-music extend song.wav --left 8 --right 12 --lyrics "[outro]" --output whole.wav
"""


#: What is new has nothing to stay near to.
_DEFAULTS = {"retake_variance": 1.0}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    fields = ("extend_left", "extend_right", "retake_variance", "retake_seed")
    add_working_flags(parser, fields, _DEFAULTS)


def _run(args: argparse.Namespace) -> int:
    chosen = choose_model(args)
    settings = settings_for(args, chosen.defaults, **_DEFAULTS)
    return make_music(args, chosen, read_working_request(args, settings, "extend"))


COMMAND = Command(
    name="extend",
    summary="go on with a song, at its end or before its beginning",
    usage="SOURCE [--left SECONDS] [--right SECONDS] [--output FILE] [options]",
    description="Add new music before or after a song.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
