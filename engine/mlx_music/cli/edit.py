"""`mlx-music edit`: change what a song sounds like or sings, keeping its outline."""

from __future__ import annotations

import argparse
from typing import Any

from mlx_music.cli.command import Command
from mlx_music.cli.making import make_music
from mlx_music.cli.model_flags import choose_model
from mlx_music.cli.request_flags import set_aside
from mlx_music.cli.working import add_working_flags, read_working_request, settings_for
from mlx_music.request import EDIT_PRESETS

_EPILOG = """\
--prompt and --lyrics say what the song shall become; what is left out stays. What it is now is
read from its tags, or said with --source-prompt and --source-lyrics.

examples:
  other words to the same music
    mlx-music edit song.wav --lyrics @new-words.txt --preset only_lyrics --output sung-anew.wav
  the same song as a calm piano piece
    mlx-music edit song.wav --prompt "calm piano, soft strings" --preset remix --output calm.wav
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument_group("How far to go").add_argument(
        "--preset",
        choices=tuple(EDIT_PRESETS),
        help="which steps to edit in: "
        + ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in EDIT_PRESETS.items()),
    )
    fields = ("source_prompt", "source_lyrics", "edit_n_min", "edit_n_max", "edit_n_avg")
    add_working_flags(parser, fields)


def _run(args: argparse.Namespace) -> int:
    chosen = choose_model(args)
    own = settings_for(args, chosen.defaults)
    changes: dict[str, Any] = {}
    follow: dict[str, str] = {}
    if own.task != "edit":  # settings of an edit say both what was and what shall be
        changes = {"source_prompt": own.prompt, "source_lyrics": own.lyrics}
        # What is said of the source alone is to stay so.
        follow = {"prompt": "source_prompt", "lyrics": "source_lyrics"}
    if args.preset is not None:
        changes["edit_n_min"], changes["edit_n_max"] = EDIT_PRESETS[args.preset]
        set_aside(args, {"edit_n_min", "edit_n_max"})
    request = read_working_request(args, own.replace(**changes), "edit", follow)
    return make_music(args, chosen, request)


COMMAND = Command(
    name="edit",
    summary="change what a song sounds like or sings",
    usage="SOURCE [--prompt TEXT] [--lyrics TEXT] [--preset NAME] [--output FILE] [options]",
    description="Change the style or the words of a song and keep its outline.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
