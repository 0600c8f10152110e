"""The flags that say which model to use, and opening it."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from mlx_music.ace_step.published import MODEL_ID
from mlx_music.backend import DTYPES
from mlx_music.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from mlx_music.ace_step.pipeline import ACEStep


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, `--revision`, `--dtype`, `--memory-limit`, `--offline`."""
    group = parser.add_argument_group("Model")
    group.add_argument(
        "-m",
        "--model",
        default=MODEL_ID,
        metavar="MODEL",
        help="folder of a checkpoint, or its id on the Hugging Face hub (default %(default)s)",
    )
    add_revision_flag(group)
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        help="what the transformer computes with (default bfloat16 on a GPU, float32 on a CPU)",
    )
    group.add_argument(
        "--memory-limit",
        type=_gigabytes,
        metavar="GB",
        help="memory that a run may take; a small one costs time, and changes nothing that is"
        " heard (default 70 %% of what the GPU may use)",
    )
    group.add_argument(
        "--offline", action="store_true", help="download nothing, use what is installed"
    )


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add the positional MODEL and `--revision`, for commands about a model's files."""
    parser.add_argument(
        "model",
        nargs="?",
        default=MODEL_ID,
        metavar="MODEL",
        help="folder of a checkpoint, or its id on the Hugging Face hub (default %(default)s)",
    )
    add_revision_flag(parser)


def add_revision_flag(parser: argparse._ActionsContainer) -> None:
    """Add `--revision`."""
    parser.add_argument(
        "--revision", metavar="REV", help="branch, tag or commit on the hub (default main)"
    )


def open_model(args: argparse.Namespace, progress: Progress) -> ACEStep:
    """Open the model of `add_model_flags`, downloading it first if that is needed and allowed."""
    from mlx_music.ace_step.pipeline import ACEStep

    return ACEStep.from_pretrained(
        args.model,
        revision=args.revision,
        dtype=args.dtype,
        download=not args.offline,
        memory_limit=args.memory_limit,
        progress=progress,
    )


def locate_checkpoint(model: str, revision: str | None) -> Path:
    """The folder of an installed model, whether complete or not; nothing is downloaded.

    Raises `CheckpointError` if there is none.
    """
    from mlx_music.weights.hub import find_checkpoint

    return find_checkpoint(model, required=(), revision=revision, download=False)


def _gigabytes(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of GB over 0')
    return size
