"""`mlx-music models`: what is built in or installed, how large it is, and where."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from mlx_music.ace_step.published import MODEL_ID, MODEL_SIZE
from mlx_music.cli.command import OK, Command
from mlx_music.cli.text import one_line, size_in_words
from mlx_music.errors import LyricsError

if TYPE_CHECKING:
    from pathlib import Path

    from mlx_music.ace_step.finding import ModelOnDisk

_EPILOG = """\
Models are kept in the cache of the Hugging Face hub, which HF_HOME or HF_HUB_CACHE can move to
another disk. Any folder with a checkpoint can be used as well: --model FOLDER.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _run(args: argparse.Namespace) -> int:
    from mlx_music.ace_step.finding import models_on_disk
    from mlx_music.weights.hub_cache import cache_folder

    models = models_on_disk()
    vocabulary = _installed_vocabulary()
    if args.json:
        values = {
            "models": [_facts(model) for model in models],
            "lyric_vocabulary": None if vocabulary is None else str(vocabulary),
        }
        print(json.dumps(values, ensure_ascii=False))
        return OK
    for model in models:
        print(_text(model))
    if all(model.built_in for model in models):
        print(
            f"no model in {cache_folder()}; get {MODEL_ID} with `mlx-music download` ({MODEL_SIZE})"
        )
    if vocabulary is None:
        print("no lyric vocabulary (needed to sing); `mlx-music download` gets it")
    else:
        print(f"lyric vocabulary\n  {vocabulary}")
    return OK


def _installed_vocabulary() -> Path | None:
    from mlx_music.ace_step.vocabulary import find_vocabulary

    try:
        return find_vocabulary(download=False)
    except LyricsError:
        return None


def _facts(model: ModelOnDisk) -> dict[str, object]:
    return {
        "id": model.model,
        "built_in": model.built_in,
        "revisions": list(model.revisions),
        "commit": model.commit,
        "nbytes": model.nbytes,
        "path": str(model.path),
        "missing": list(model.missing),
        "about": None if model.about is None else model.about.to_dict(),
    }


def _text(model: ModelOnDisk) -> str:
    lines = [f"{model.model}  {size_in_words(model.nbytes)}, {_state(model)}"]
    if model.about is not None:
        lines.append(model.about.summary)
    if model.problem:
        lines.append(one_line(model.problem))
    if model.commit is not None:
        lines.append(f"revision {', '.join(model.revisions) or 'no branch'} ({model.commit[:12]})")
    return "\n  ".join((*lines, str(model.path)))


def _state(model: ModelOnDisk) -> str:
    if not model.missing:
        return "built in" if model.built_in else "complete"
    if model.built_in:
        return f"incomplete ({len(model.missing)} files missing; install MLX Music anew)"
    return f"incomplete ({len(model.missing)} files missing; `mlx-music download` goes on)"


COMMAND = Command(
    name="models",
    summary="list the models that are built in or installed",
    usage="[options]",
    description="List the models that are built in or installed, their sizes, and where they are.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
