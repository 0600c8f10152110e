"""What a subcommand is, and the errors and exit codes that all of them share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from mlx_music.errors import Cancelled, MLXMusicError

#: Exit codes. Interrupted is 128 and the number of the signal, as shells count: 130 for Ctrl-C.
OK = 0
FAILED = 1
BAD_ARGUMENTS = 2
INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """One subcommand of `mlx-music`.

    `summary` is its line in the list of commands; `usage` (what follows its name), `description`
    and `epilog` frame its own `--help`. `run` gets the parsed arguments, prints its result to
    standard output and everything else to standard error, and returns an exit code or raises
    `MLXMusicError`.
    """

    name: str
    summary: str
    usage: str
    description: str
    epilog: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class UsageError(MLXMusicError):
    """The command line itself is wrong: exit code 2."""


class Stopped(Cancelled):
    """A signal stopped the command; `signal` is its number."""

    def __init__(self, signal: int) -> None:
        super().__init__("cancelled")
        self.signal = signal
