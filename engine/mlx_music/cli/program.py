"""`main`: finds the subcommand, runs it, and turns whatever happens into one line and a code."""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from types import TracebackType
from typing import Any, NoReturn

from mlx_music.cli.command import (
    BAD_ARGUMENTS,
    FAILED,
    INTERRUPTED,
    OK,
    Command,
    Stopped,
    UsageError,
)
from mlx_music.cli.request_flags import in_flags
from mlx_music.cli.text import one_line
from mlx_music.errors import Cancelled, InvalidRequest, MLXMusicError
from mlx_music.version import __version__

#: The subcommands in the order of `--help`: modules of this package that have a `COMMAND`.
COMMANDS = (
    "generate",
    "retake",
    "repaint",
    "extend",
    "edit",
    "voice",
    "info",
    "download",
    "verify",
    "models",
    "quantize",
    "bench",
    "app",
)

_DEBUG_VARIABLE = "MLX_MUSIC_DEBUG"

_EPILOG = """\
to begin, with the small model that is built in:
  mlx-music generate --prompt "warm lo-fi hip hop, 80 bpm" --output lofi.wav
for songs with singing:
  mlx-music download
  mlx-music COMMAND --help    for everything that a command can do

exit codes: 0 done, 1 failed, 2 wrong arguments, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (that of the process by default) and return its exit code.

    Nothing that a person can cause ends in a traceback: errors of the family `MLXMusicError` are
    one line on standard error. What is left is a fault of the program, and is reported as one.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    debug = "--debug" in argv or os.environ.get(_DEBUG_VARIABLE, "") not in ("", "0")
    sys.excepthook = _traceback_hook if debug else _short_hook
    _prepare_streams()
    args: argparse.Namespace | None = None
    try:
        try:
            args = _parse(argv)
            code = OK if args is None else args.command.run(args)
        except SystemExit as done:  # --help and --version
            code = int(done.code or OK)
        sys.stdout.flush()
    except MLXMusicError as error:
        if debug:
            traceback.print_exc()
        return _report(error, args)
    except KeyboardInterrupt:
        print("mlx-music: cancelled", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        # The system's own words and the file's name are all there is to say.
        if debug:
            traceback.print_exc()
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}")
    return code


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Leaves room for long flags, and lines as wide as the terminal but not too wide to read."""

    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size().columns - 2, 100)
        super().__init__(prog, max_help_position=30, width=width)


class _Parser(argparse.ArgumentParser):
    """Reports a wrong argument as an error like any other, instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')} (see `{self.prog} --help`)")


def make_parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the whole command line, and those of its subcommands by name."""
    parser = _Parser(
        prog="mlx-music",
        description="Music from a prompt and lyrics, offline, on this machine.",
        epilog=_EPILOG,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"mlx-music {__version__}")
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command_name")
    by_name: dict[str, argparse.ArgumentParser] = {}
    for module in COMMANDS:
        command: Command = import_module(f"mlx_music.cli.{module}").COMMAND
        sub = subparsers.add_parser(
            command.name,
            help=command.summary,
            usage=f"mlx-music {command.name} {command.usage}",
            description=command.description,
            epilog=command.epilog,
            formatter_class=_Formatter,
            allow_abbrev=False,
            add_help=False,
        )
        command.add_arguments(sub)
        _add_other_flags(sub)
        sub.set_defaults(command=command)
        by_name[command.name] = sub
    return parser, by_name


def _add_other_flags(parser: argparse.ArgumentParser) -> None:
    """What every command has, under the last heading of its help."""
    group = parser.add_argument_group("Other")
    group.add_argument("-h", "--help", action="help", help="show this help and exit")
    group.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help=f"show the traceback of an error (also {_DEBUG_VARIABLE}=1)",
    )


def _parse(argv: list[str]) -> argparse.Namespace | None:
    """The arguments; None if there are none, which prints the help."""
    parser, by_name = make_parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        sub = by_name.get(args.command_name, parser)
        raise UsageError(f"{_explain_unknown(unknown[0], sub)} (see `{sub.prog} --help`)")
    if args.command_name is None:
        parser.print_help()
        return None
    return args


def _explain_unknown(argument: str, parser: argparse.ArgumentParser) -> str:
    flag = argument.partition("=")[0]
    if not flag.startswith("-"):
        return f'"{argument}" is one argument too many; put texts with spaces in quotes'
    import difflib

    known = [name for action in parser._actions for name in action.option_strings]
    # For slips of the finger: at the usual 0.6, "--duration" is close to "--revision".
    close = difflib.get_close_matches(flag, known, n=1, cutoff=0.7)
    return f"{flag} is unknown" + (f"; did you mean {close[0]}?" if close else "")


def _report(error: MLXMusicError, args: argparse.Namespace | None) -> int:
    if isinstance(error, Cancelled):
        print(f"mlx-music: {one_line(str(error))}", file=sys.stderr)
        return 128 + error.signal if isinstance(error, Stopped) else INTERRUPTED
    text = in_flags(error, args) if isinstance(error, InvalidRequest) else str(error)
    return _fail(text, BAD_ARGUMENTS if isinstance(error, InvalidRequest | UsageError) else FAILED)


def _fail(text: str, code: int = FAILED) -> int:
    print(f"mlx-music: error: {one_line(text)}", file=sys.stderr)
    return code


def _short_hook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> Any:
    """A fault of the program itself, in one line; Python then exits with code 1."""
    text = one_line(f"{kind.__name__}: {error}")
    print(
        f"mlx-music: error: unexpected {text}; run again with --debug (or {_DEBUG_VARIABLE}=1)"
        " for the traceback",
        file=sys.stderr,
    )


_traceback_hook = sys.__excepthook__


def _prepare_streams() -> None:
    """Let everything be printed, also letters that a terminal lacks, or to nobody at all."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us; open until the end
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
