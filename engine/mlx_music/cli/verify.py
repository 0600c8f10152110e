"""`mlx-music verify`: check the files of a model."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_music.cli.command import FAILED, OK, Command
from mlx_music.cli.interrupts import stoppable
from mlx_music.cli.model_flags import add_model_argument
from mlx_music.cli.progress_display import progress_display
from mlx_music.cli.text import one_line, size_in_words
from mlx_music.errors import CheckpointError
from mlx_music.progress import ByteProgress

if TYPE_CHECKING:
    from mlx_music.weights.verify import FileCheck

_EPILOG = """\
Every file is checked for being whole, and compared with the hub's checksum where that is known
(models in the hub cache). Exit code 1 if a file is missing or damaged; `mlx-music download`
fetches it again.

examples:
  mlx-music verify
  mlx-music verify ./my-checkpoint
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_argument(parser)
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="show no progress, and only files that are bad"
    )


def _run(args: argparse.Namespace) -> int:
    from mlx_music.ace_step.finding import NOT_OF_THE_MODEL, find_model, is_built_in
    from mlx_music.ace_step.published import REQUIRED_FILES
    from mlx_music.weights.verify import verify_checkpoint

    built_in = is_built_in(args.model)
    folder = find_model(args.model, revision=args.revision, complete=False, download=False)
    with progress_display(quiet=args.quiet) as progress, stoppable(progress, quiet=args.quiet):
        report = verify_checkpoint(
            folder,
            required=REQUIRED_FILES,
            ignore=NOT_OF_THE_MODEL if built_in else (),
            progress=ByteProgress(progress, "verify"),
        )
    files = [_checked_about(check, folder) for check in report.files]
    for check in files:
        if not (check.ok and args.quiet):
            print(_line(check))
    bad = sum(not check.ok for check in files)
    if bad:
        print(f"{folder}: {bad} of {len(files)} files are missing or damaged")
        return FAILED
    if not args.quiet:
        print(f"{folder}: {len(files)} files, {size_in_words(report.nbytes)}, all well")
    return OK


def _checked_about(check: FileCheck, folder: Path) -> FileCheck:
    """`check`, or for `model.json` what in it would stop every command that makes sound."""
    from mlx_music.ace_step.about import ABOUT_FILE, read_about

    if check.name != ABOUT_FILE or not check.ok:
        return check
    try:
        read_about(folder)
    except CheckpointError as error:
        return replace(check, problem=str(error).removeprefix(f"{folder / ABOUT_FILE}: "))
    return check


def _line(check: FileCheck) -> str:
    if check.problem is not None:
        return f"BAD   {check.name}: {one_line(check.problem)}"
    how = "checksum equal" if check.digest_compared else "whole"
    return f"ok    {check.name} ({size_in_words(check.nbytes)}, {how})"


COMMAND = Command(
    name="verify",
    summary="check the files of a model",
    usage="[MODEL] [options]",
    description="Check every file of an installed model.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
