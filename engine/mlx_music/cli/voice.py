"""`mlx-music voice`: save, list, show and delete voices."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlx_music.cli.command import OK, Command, UsageError
from mlx_music.cli.text import length_in_words
from mlx_music.errors import InvalidRequest
from mlx_music.request import limit_of, parse_lora
from mlx_music.voices import (
    EMBEDDING_SIZE,
    LIMITS,
    VARIABLE,
    Voice,
    delete_voice,
    find_voice,
    list_voices,
    save_voice,
    voices_folder,
)

if TYPE_CHECKING:
    from mlx_music.audio.files import AudioInfo

_EPILOG = f"""\
What a voice can do, and what not:
  The published model holds no speaker encoder, so nothing here clones a voice from a recording.
  --reference  A recording that new music starts from (audio to audio). It passes on the sound of
               a voice, and with it melody, rhythm and arrangement, the more the higher the
               strength. Other commands than `generate` have no use for it.
  --lora       An adapter that was trained on a voice: the way to a voice that sings anything.
  --speaker-embedding
               {EMBEDDING_SIZE} numbers for a checkpoint that was trained with some. The published
               one was not: to it they mean nothing.

A voice is a folder with copies of these files, so the originals may go. {VARIABLE}
moves all voices to another folder.

examples:
  mlx-music voice save anna --reference song.wav --start 42 --seconds 20 --lora anna.safetensors
  mlx-music generate --voice anna --prompt "soul ballad" --lyrics @words.txt --duration 90
  mlx-music repaint song.wav --start 32 --end 40 --voice anna
  mlx-music voice list
"""

_INDENT = "  "


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        title="actions",
        metavar="ACTION",
        dest="voice_action",
        required=True,
        prog="mlx-music voice",  # else the usage line, which goes on after the name
    )

    def add(
        name: str, usage: str, summary: str, run: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        action = actions.add_parser(
            name,
            help=summary,
            usage=f"mlx-music voice {name} {usage}",
            description=f"{summary[0].upper()}{summary[1:]}.",
            formatter_class=parser.formatter_class,
            allow_abbrev=False,
        )
        # For `main`, which looks for it on the whole command line.
        action.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
        action.set_defaults(run_voice=run)
        return action

    save = add("save", "NAME [options]", "save a voice under a name", _save)
    _add_name(save)
    _add_parts(save)
    listing = add("list", "[options]", "list the voices", _list)
    show = add("show", "NAME [options]", "show what a voice consists of", _show)
    _add_name(show)
    for action in (listing, show):
        action.add_argument("--json", action="store_true", help="print one JSON object")
    _add_name(add("delete", "NAME", "delete a voice and its files", _delete))


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="upper and lower case are the same")


def _add_parts(parser: argparse.ArgumentParser) -> None:
    """The flags of `save`. Those that are not given take the defaults of `save_voice`."""

    def add(name: str, help: str, default: str, **more: Any) -> None:
        facts = [LIMITS[name].range] if name in LIMITS else []
        facts += [f"default {default}"] if default else []
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            default=argparse.SUPPRESS,
            help=f"{help} ({'; '.join(facts)})" if facts else help,
            **more,
        )

    number: dict[str, Any] = {"type": float, "metavar": "X"}
    add("reference", "recording that new music starts from", "", metavar="FILE")
    add("start", "where in it the excerpt starts", "0", **number)
    add("seconds", "how much of it is kept, or all there is from there", "30", **number)
    add("strength", limit_of("reference_strength").help, "0.5", **number)
    add(
        *("no_loop", "music as long as the excerpt, which else is repeated or cut", ""),
        dest="loop",
        action="store_false",
    )
    add(
        "lora",
        "adapter: a file or folder, which is copied, or a hub id; and :WEIGHT from"
        f" {LIMITS['lora_weight'].range}",
        "",
        metavar="ADAPTER",
    )
    embedding = f"file of {EMBEDDING_SIZE} numbers (.npy, .safetensors)"
    add("speaker_embedding", embedding, "", metavar="FILE")
    add("note", "a line for yourself", "", metavar="TEXT")
    add("force", "replace the voice of that name", "", dest="overwrite", action="store_true")


#: What `save_voice` calls the flags of `save`.
_PARTS = (
    *("reference", "start", "seconds", "strength", "loop"),
    *("lora", "speaker_embedding", "note", "overwrite"),
)


def _run(args: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = args.run_voice
    return run(args)


def _save(args: argparse.Namespace) -> int:
    fields = {name: getattr(args, name) for name in _PARTS if hasattr(args, name)}
    if "lora" in fields:
        fields["lora"], fields["lora_weight"] = parse_lora(fields["lora"])
    try:
        voice = save_voice(args.name, **fields)
    except InvalidRequest as error:
        if error.field != "name":
            raise
        raise UsageError(f"NAME: {str(error).removeprefix('name: ')}") from error
    print(voice.folder)
    return OK


def _list(args: argparse.Namespace) -> int:
    voices = list_voices()
    if args.json:
        values = {"folder": str(voices_folder()), "voices": [_facts(voice) for voice in voices]}
        print(json.dumps(values, ensure_ascii=False))
        return OK
    width = max((len(voice.name) for voice in voices), default=0)
    for voice in voices:
        note = f"  ({voice.note})" if voice.note else ""
        print(f"{voice.name:<{width}}  {voice.problem or ', '.join(_parts(voice))}{note}")
    if not voices:
        print(f"no voice in {voices_folder()}; `mlx-music voice save` makes one")
    return OK


def _parts(voice: Voice) -> list[str]:
    """What a voice consists of, in a few words each."""
    parts = []
    if voice.reference is not None:
        parts.append(f"recording at strength {voice.strength:g}")
    if voice.lora is not None:
        parts.append(f"adapter at weight {voice.lora_weight:g}")
    if voice.speaker_embedding is not None:
        parts.append("speaker embedding")
    return parts


def _show(args: argparse.Namespace) -> int:
    from mlx_music.audio.files import probe_audio

    voice = find_voice(args.name)
    sound = None if voice.reference is None else probe_audio(voice.reference)
    if args.json:
        duration = None if sound is None else sound.duration
        print(json.dumps(_facts(voice) | {"reference_duration": duration}, ensure_ascii=False))
        return OK
    print(voice.name)
    for label, value in _lines(voice, sound):
        print(f"{_INDENT}{label:<20}{value}")
    print(f"\nuse it: mlx-music generate --voice {shlex.quote(voice.name)} --prompt ...")
    return OK


def _lines(voice: Voice, sound: AudioInfo | None) -> list[tuple[str, str]]:
    lines = [("folder", str(voice.folder))]
    if sound is not None:
        length = length_in_words(sound.duration)
        channels = "mono" if sound.channels == 1 else "stereo"
        lines += [
            ("reference", f"{length}, {sound.sample_rate} Hz, {channels}"),
            ("strength", f"{voice.strength:g}"),
            ("loop", "to the length of the music" if voice.loop else "no, it gives the length"),
        ]
    if voice.lora is not None:
        lines += [("lora", voice.lora), ("lora weight", f"{voice.lora_weight:g}")]
    if voice.speaker_embedding is not None:
        lines.append(("speaker embedding", str(voice.speaker_embedding)))
    if voice.note:
        lines.append(("note", voice.note))
    return lines


def _facts(voice: Voice) -> dict[str, Any]:
    """A voice as plain JSON values; "request" holds the fields of a request that use it."""
    return {
        "name": voice.name,
        "folder": os.fspath(voice.folder),
        "request": voice.request_fields(),
        "note": voice.note,
        "problem": voice.problem,
    }


def _delete(args: argparse.Namespace) -> int:
    print(f"{delete_voice(args.name).folder} deleted")
    return OK


COMMAND = Command(
    name="voice",
    summary="save, list, show and delete voices",
    usage="ACTION [NAME] [options]",
    description="Keep a recording, an adapter and a speaker embedding together under a name, for"
    " --voice NAME.",
    epilog=_EPILOG,
    add_arguments=_add_arguments,
    run=_run,
)
