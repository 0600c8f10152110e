"""`mlx-music app`: start the desktop app."""

from __future__ import annotations

import argparse
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from mlx_music.cli.command import Command
from mlx_music.errors import MLXMusicError

_EPILOG = """\
examples:
  mlx-music app
  mlx-music app song.wav     opens with the settings that made it
"""


class _AppMissing(MLXMusicError):
    """The app, or what its windows are made with, is not installed."""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files to open")


def _run(args: argparse.Namespace) -> int:
    for module, package in (("mlx_music_app", "the app"), ("PySide6", "PySide6")):
        if find_spec(module) is None:
            raise _AppMissing(
                f'{package} is not installed; run: pip install "mlx-music[app]", or in a clone: '
                'pip install -e ".[app]"'
            )
    code: int = import_module("mlx_music_app.__main__").main([str(path) for path in args.files])
    return code


COMMAND = Command(
    name="app",
    summary="open the desktop app",
    usage="[FILE ...] [options]",
    description="Open the desktop app, and files in it: audio, settings (.json), adapters.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
