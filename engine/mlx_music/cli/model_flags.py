"""The flags that say which model to use; choosing it, and opening it."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlx_music.ace_step.published import MODEL_ID, MODEL_NAME, MODEL_SIZE, SKETCH
from mlx_music.backend import DTYPES
from mlx_music.cli.command import UsageError
from mlx_music.progress import Progress

if TYPE_CHECKING:
    from mlx_music.ace_step.about import AboutModel
    from mlx_music.ace_step.pipeline import ACEStep
    from mlx_music.request import GenerationRequest

#: What MODEL may be, on every command that takes one.
MODEL_HELP = f"{SKETCH} (built in), folder of a checkpoint, or its id on the Hugging Face hub"


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--model`, `--revision`, `--dtype`, `--memory-limit`, `--offline`."""
    group = parser.add_argument_group("Model")
    group.add_argument(
        "-m",
        "--model",
        type=model_name,
        metavar="MODEL",
        help=f"{MODEL_HELP} (default {MODEL_ID} if it is installed, else {SKETCH}); some have"
        " other defaults than those shown here: see `mlx-music info MODEL`",
    )
    add_revision_flag(group)
    group.add_argument(
        "--dtype",
        choices=DTYPES,
        help="what the transformer computes with (default bfloat16 on a GPU, float32 on a CPU)",
    )
    group.add_argument(
        "--memory-limit",
        type=gigabytes,
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
        type=model_name,
        default=MODEL_ID,
        metavar="MODEL",
        help=f"{MODEL_HELP} (default %(default)s)",
    )
    add_revision_flag(parser)


def add_revision_flag(parser: argparse._ActionsContainer) -> None:
    """Add `--revision`."""
    parser.add_argument(
        "--revision", metavar="REV", help="branch, tag or commit on the hub (default main)"
    )


@dataclass(frozen=True)
class ChosenModel:
    """`name` as `ACEStep.from_pretrained` takes it, what is known of it before it is opened, and
    what a person should know of the choice."""

    name: str
    about: AboutModel
    note: str = ""

    @property
    def defaults(self) -> GenerationRequest:
        """The request that flags are laid over where nothing else is given."""
        return self.about.defaults


def choose_model(args: argparse.Namespace) -> ChosenModel:
    """The model of `add_model_flags`; without `--model`, ACE-Step v1 if it is installed.

    Where it is not, the built-in model makes a start: nobody is made to wait for gigabytes that
    they did not ask for. A model that cannot be found is left for `open_model` to report, after
    mistakes in other flags. Raises `CheckpointError` for a model that describes itself wrongly,
    `UsageError` for a revision of no model.
    """
    if args.model is None and args.revision is not None:
        raise UsageError(f"--revision: is of no model; name one too, such as --model {MODEL_ID}")
    from mlx_music.ace_step.about import PUBLISHED, read_about
    from mlx_music.ace_step.finding import installed_folder

    name, note = args.model, ""
    if name is None:
        name = SKETCH if installed_folder(MODEL_ID) is None else MODEL_ID
    folder = installed_folder(name, args.revision, complete=False)
    about = PUBLISHED if folder is None else read_about(folder)
    if args.model is None and name == SKETCH and folder is not None:
        note = (
            f"{MODEL_NAME} is not installed, so this is {about.name}, the small model that is"
            f" built in ({about.in_words}); `mlx-music download` gets {MODEL_NAME} ({MODEL_SIZE})"
        )
    return ChosenModel(name, about, note)


def open_model(args: argparse.Namespace, model: str, progress: Progress) -> ACEStep:
    """Open the model that was chosen, downloading it first if that is needed and allowed."""
    from mlx_music.ace_step.pipeline import ACEStep

    return ACEStep.from_pretrained(
        model,
        revision=args.revision,
        dtype=args.dtype,
        download=not args.offline,
        memory_limit=args.memory_limit,
        progress=progress,
    )


def model_name(text: str) -> str:
    """The argument of a flag that is a model. An empty one is a variable that was not set in a
    script, and no wish for a default."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"is empty; give {MODEL_HELP}")
    return text


def gigabytes(text: str) -> float:
    """The argument of a flag that is an amount of memory in GB."""
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of GB over 0')
    return size
