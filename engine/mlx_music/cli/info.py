"""`mlx-music info`: what a file or a model says of itself."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_music.cli.command import OK, Command, UsageError
from mlx_music.cli.describe_model import model_facts, print_model
from mlx_music.cli.model_flags import MODEL_HELP, add_revision_flag
from mlx_music.cli.request_flags import again_from_moved, fields_by_group, flag_of, is_default
from mlx_music.cli.text import length_in_words
from mlx_music.errors import InvalidRequest, MLXMusicError
from mlx_music.request import GenerationRequest, limit_of

if TYPE_CHECKING:
    from mlx_music.metadata import Description

_EPILOG = """\
examples:
  mlx-music info ballad.wav
  mlx-music info ballad.wav --json | jq .request.seed
  mlx-music info ACE-Step/ACE-Step-v1-3.5B
  mlx-music info sketch
"""

_INDENT = "  "


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        metavar="FILE",
        help=f"audio file, settings (.json), or a model: {MODEL_HELP}",
    )
    add_revision_flag(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _run(args: argparse.Namespace) -> int:
    from mlx_music.ace_step.finding import is_built_in

    path = Path(os.path.expanduser(args.target))
    if path.exists() and not path.is_dir() and not is_built_in(args.target):
        if args.revision is not None:
            raise UsageError("--revision: only models on the hub have one")
        facts = _file_facts(path)
        show = _print_file
    else:
        facts = model_facts(_model_folder(args.target, path, args.revision))
        show = print_model
    if args.json:
        print(json.dumps(facts, ensure_ascii=False))
    else:
        show(facts)
    return OK


def _model_folder(target: str, path: Path, revision: str | None) -> Path:
    """The folder of a model. What looks like a file is not called a missing model."""
    if not path.is_dir() and (path.suffix.lower() in _file_extensions() or path.is_absolute()):
        raise MLXMusicError(f"{path}: no such file or folder")
    from mlx_music.ace_step.finding import find_model

    return find_model(target, revision=revision, complete=False, download=False)


def _file_extensions() -> set[str]:
    from mlx_music.audio.formats import AUDIO_FORMATS

    return {".json", *(ending for kind in AUDIO_FORMATS.values() for ending in kind.extensions)}


def _file_facts(path: Path) -> dict[str, Any]:
    """What is in an audio file or a JSON of settings; "request" is None without settings."""
    from mlx_music.audio.tags import read_tags

    facts: dict[str, Any] = {"path": str(path)}
    described: Description | None
    if path.suffix.lower() == ".json":
        described = _described(path)
    else:
        from mlx_music.audio.files import probe_audio

        sound = probe_audio(path)
        facts |= {
            "format": sound.format,
            "subtype": sound.subtype,
            "duration": sound.duration,
            "sample_rate": sound.sample_rate,
            "channels": sound.channels,
        }
        described = _described(path) if read_tags(path) is not None else None
    return facts | {
        "version": described and described.version,
        "model": described and described.model,
        "request": described and described.request.to_dict(),
    }


def _described(path: Path) -> Description:
    from mlx_music.metadata import read_description

    try:
        return read_description(path)
    except InvalidRequest as error:  # which would be blamed on a flag
        raise MLXMusicError(f"{path}: its settings cannot be used ({error})") from error


def _print_file(facts: dict[str, Any]) -> None:
    print(facts["path"])
    if "format" in facts:
        print(
            f"{_INDENT}{facts['format']} {facts['subtype']}, {facts['sample_rate']} Hz,"
            f" {facts['channels']} channels, {length_in_words(facts['duration'])}"
        )
    request = facts["request"]
    if request is None:
        print(f"{_INDENT}no settings of MLX Music in its tags")
        return
    if facts["model"]:
        print(f"{_INDENT}made by MLX Music {facts['version']} with {facts['model']}")
    for title, fields in fields_by_group().items():
        # The settings of other tasks say nothing about this one.
        if title == limit_of("task").group and all(is_default(name, request) for name in fields):
            continue
        print(f"\n{title}")
        for name in fields:
            _print_setting(name, request[name])
    again = _same_again(facts["path"], facts["model"], GenerationRequest.from_dict(request))
    print(f"\n{again}")


def _same_again(path: str, model: str, request: GenerationRequest) -> str:
    """The command that makes a file again, or why there is none."""
    from mlx_music.ace_step.finding import installed_folder
    from mlx_music.ace_step.published import MODEL_ID

    problem = _not_again(path, model, request)
    if problem:
        return f"cannot be made again: {problem}"
    # Without --model, what is installed decides, which may change.
    is_default_model = model == MODEL_ID and installed_folder(MODEL_ID) is not None
    named = None if is_default_model else model
    for name in ("source", "reference"):
        recording = getattr(request, name)
        if recording is not None and not os.path.exists(recording):
            return (
                f"{recording} is not there; the same again, from where it is now:"
                f" {again_from_moved(name, request, path, named)}"
            )
    line = f"the same again: mlx-music generate --from {shlex.quote(path)}"
    line += "" if named is None else f" --model {shlex.quote(named)}"
    if "/" not in model and installed_folder(model, complete=False) is None:
        # Of a model in a folder only the name is kept.
        line += f"\n{_INDENT}({model} is the name of its model's folder; give where that is)"
    return line


def _not_again(path: str, model: str, request: GenerationRequest) -> str:
    """Why no command makes a file again; "" if one does."""
    if not model:
        return "the settings name no model"
    if request.seed is None or (request.task == "retake" and request.retake_seed is None):
        return "the settings lack a seed"
    if request.source is None and request.task in ("repaint", "extend", "edit"):
        return "what it was made from was no file, but sound given in Python"
    made_from = [name for name in (request.source, request.reference) if name is not None]
    if any(os.path.exists(name) and os.path.samefile(name, path) for name in made_from):
        return "it was written over the recording that it was made from"
    return ""


def _print_setting(name: str, value: Any) -> None:
    label = f"{_INDENT}{flag_of(name).removeprefix('--'):<26}"
    lines = _in_words(value).split("\n")
    for number, line in enumerate(lines):
        print(f"{label if number == 0 else ' ' * len(label)}{line}".rstrip())


def _in_words(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "-"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


COMMAND = Command(
    name="info",
    summary="show what is in an audio file or in a model",
    usage="FILE [options]",
    description="Show the settings that an audio file was made with, or what a model consists of.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
