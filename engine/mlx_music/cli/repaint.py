"""`mlx-music repaint`: redo a part of a song and keep the rest."""

from __future__ import annotations

import argparse

from mlx_music.cli.command import Command
from mlx_music.cli.making import make_music
from mlx_music.cli.model_flags import choose_model
from mlx_music.cli.working import add_working_flags, read_working_request, settings_for

_EPILOG = """\
Outside of the window and a fade of 0.2 seconds, the sound stays the original's: at its own sample
rate, sample for sample. Words, settings and adapters that are not given are the source's own, if
it was made here.

examples:
  other eight seconds, from the middle of a song
    mlx-music repaint song.wav --start 32 --end 40 --output song-2.wav
  four tries, far from what was there
    mlx-music repaint song.wav --start 32 --end 40 --variance 0.9 --takes 4 --output try.wav
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_working_flags(parser, ("repaint_start", "repaint_end", "retake_variance", "retake_seed"))


def _run(args: argparse.Namespace) -> int:
    chosen = choose_model(args)
    settings = settings_for(args, chosen.defaults)
    return make_music(args, chosen, read_working_request(args, settings, "repaint"))


COMMAND = Command(
    name="repaint",
    summary="redo a part of a song and keep the rest",
    usage="SOURCE --start SECONDS --end SECONDS [--output FILE] [options]",
    description="Make a part of a song anew, so that it grows into what stands around it.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
