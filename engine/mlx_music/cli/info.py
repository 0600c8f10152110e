"""`mlx-music info`: what a file or a model says of itself."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from pathlib import Path
from typing import Any

from mlx_music.cli.command import OK, Command, UsageError
from mlx_music.cli.describe_model import model_facts, print_model
from mlx_music.cli.model_flags import MODEL_HELP, add_revision_flag
from mlx_music.cli.request_flags import fields_by_group, flag_of, is_default
from mlx_music.cli.text import length_in_words
from mlx_music.errors import MLXMusicError
from mlx_music.request import limit_of

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
    from mlx_music.metadata import Description, read_description

    facts: dict[str, Any] = {"path": str(path)}
    described: Description | None
    if path.suffix.lower() == ".json":
        described = read_description(path)
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
        described = read_description(path) if read_tags(path) is not None else None
    return facts | {
        "version": described and described.version,
        "model": described and described.model,
        "request": described and described.request.to_dict(),
    }


def _print_file(facts: dict[str, Any]) -> None:
    from mlx_music.ace_step.finding import is_built_in

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
    model = f" --model {facts['model']}" if is_built_in(facts["model"]) else ""
    print(f"\nthe same again: mlx-music generate --from {shlex.quote(facts['path'])}{model}")


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
