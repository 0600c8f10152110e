"""`mlx-music models`: what is installed, how large it is, and where."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from mlx_music.ace_step.published import MODEL_ID
from mlx_music.cli.command import OK, Command
from mlx_music.cli.text import size_in_words
from mlx_music.errors import LyricsError

if TYPE_CHECKING:
    from pathlib import Path

    from mlx_music.weights.hub_cache import InstalledModel

_EPILOG = """\
Models are kept in the cache of the Hugging Face hub, which HF_HOME or HF_HUB_CACHE can move to
another disk. Any folder with a checkpoint can be used as well: --model FOLDER.
"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _run(args: argparse.Namespace) -> int:
    from mlx_music.ace_step.components import REQUIRED_FILES
    from mlx_music.weights.hub_cache import cache_folder, installed_models

    models = installed_models([MODEL_ID], required=REQUIRED_FILES)
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
    if not models:
        print(f"no model in {cache_folder()}; get {MODEL_ID} with `mlx-music download`")
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


def _facts(model: InstalledModel) -> dict[str, object]:
    return {
        "id": model.repo_id,
        "revisions": list(model.revisions),
        "commit": model.commit,
        "nbytes": model.nbytes,
        "path": str(model.path),
        "missing": list(model.missing),
    }


def _text(model: InstalledModel) -> str:
    state = "complete"
    if model.missing:
        state = f"incomplete ({len(model.missing)} files missing; `mlx-music download` goes on)"
    names = ", ".join(model.revisions) or "no branch"
    return (
        f"{model.repo_id}  {size_in_words(model.nbytes)}, {state}\n"
        f"  revision {names} ({model.commit[:12]})\n"
        f"  {model.path}"
    )


COMMAND = Command(
    name="models",
    summary="list the installed models",
    usage="[options]",
    description="List the models that are installed, their sizes, and where they are.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
