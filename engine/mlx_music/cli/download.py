"""`mlx-music download`: fetch a model and the lyric vocabulary."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mlx_music.ace_step.published import MODEL_ID, MODEL_LICENCE
from mlx_music.cli.command import OK, Command, UsageError
from mlx_music.cli.interrupts import stoppable
from mlx_music.cli.model_flags import add_model_argument
from mlx_music.cli.progress_display import progress_display
from mlx_music.cli.text import size_in_words
from mlx_music.progress import ByteProgress

_EPILOG = """\
A download that was broken off goes on where it stopped; damaged files are fetched again.
Everything goes to the cache of the Hugging Face hub, which HF_HOME or HF_HUB_CACHE can move to
another disk. After this, nothing of MLX Music needs the network.

examples:
  mlx-music download
  HF_HUB_CACHE=/Volumes/Music/models mlx-music download
"""

#: Under which licence the published weights may be used.
_LICENCES = {MODEL_ID: MODEL_LICENCE}


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model_argument(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")


def _run(args: argparse.Namespace) -> int:
    from mlx_music.ace_step.finding import find_model, is_built_in
    from mlx_music.ace_step.vocabulary import find_vocabulary

    if is_built_in(args.model):
        folder = find_model(args.model, revision=args.revision)
        print(f"{folder} (built in; there is nothing to download)")
        return OK
    if Path(os.path.expanduser(args.model)).is_dir():
        raise UsageError(f"{args.model}: is a folder here already; give a hub id like org/name")
    licence = _LICENCES.get(args.model, "see its page")
    if not args.quiet:
        print(
            f"{args.model}, licence: {licence} (https://huggingface.co/{args.model})",
            file=sys.stderr,
        )
    with progress_display(quiet=args.quiet) as progress, stoppable(progress, quiet=args.quiet):
        folder = find_model(
            args.model,
            revision=args.revision,
            refresh=True,
            progress=ByteProgress(progress, "download"),
        )
        vocabulary = find_vocabulary()
    print(f"{folder} ({size_in_words(_size(folder))})")
    print(f"{vocabulary} ({size_in_words(vocabulary.stat().st_size)}, lyric vocabulary)")
    return OK


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


COMMAND = Command(
    name="download",
    summary="fetch a model and the lyric vocabulary",
    usage="[MODEL] [options]",
    description="Fetch the files of a model, and the vocabulary that lyrics are read with.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
