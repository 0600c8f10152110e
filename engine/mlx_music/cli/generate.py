"""`mlx-music generate`: music from a prompt and lyrics."""

from __future__ import annotations

import argparse

from mlx_music.cli.command import Command
from mlx_music.cli.making import add_making_flags, make_music
from mlx_music.cli.model_flags import add_model_flags, choose_model
from mlx_music.cli.request_flags import (
    REQUEST_GROUPS,
    add_request_flags,
    read_request,
    read_settings,
)
from mlx_music.cli.voice_flags import add_voice_flags, with_voice
from mlx_music.request import WORKING_GROUP

_EPILOG = """\
examples:
  an instrumental of half a minute
    mlx-music generate --prompt "warm lo-fi hip hop, 80 bpm" --duration 30 --output lofi.wav
  a song, its words from a file with a line each and tags such as [verse], [chorus], [bridge]
    mlx-music generate --prompt "piano ballad, female vocal" --lyrics @words.txt -o ballad.flac
  four takes, faster and rougher, to choose from
    mlx-music generate --prompt "surf rock" --steps 27 --takes 4 --output surf.wav
  the third of them again, with more steps
    mlx-music generate --from surf-3.wav --steps 100 --output surf-final.wav
  new music that starts from a recording (audio to audio)
    mlx-music generate --prompt "string quartet" --reference humming.wav --strength 0.4
  with two adapters, one of them at half its weight; with a saved voice
    mlx-music generate --prompt "rap, 90 bpm" --lora rap.safetensors --lora org/vinyl:0.5
    mlx-music generate --prompt "soul ballad" --lyrics @words.txt --voice anna
  for scripts
    mlx-music generate --prompt "rain on a tin roof" --json --quiet
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_request_flags(parser, REQUEST_GROUPS[:1])
    add_making_flags(parser)
    add_voice_flags(parser, reference=True)
    add_request_flags(parser, [title for title in REQUEST_GROUPS[1:] if title != WORKING_GROUP])
    add_model_flags(parser)


def _run(args: argparse.Namespace) -> int:
    chosen = choose_model(args)
    settings = read_settings(args, chosen.defaults)
    base = chosen.defaults if settings is None else settings.request
    return make_music(args, chosen, read_request(args, with_voice(args, base)), settings)


COMMAND = Command(
    name="generate",
    summary="make music from a prompt and lyrics",
    usage="--prompt TEXT [--lyrics TEXT] [--duration X] [--output FILE] [options]",
    description="Make music from a prompt and lyrics, and write it to an audio file. The file"
    " keeps\nall its settings: `mlx-music info FILE` shows them, `--from FILE` uses them again.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
