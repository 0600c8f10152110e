"""Every field of a request as a flag, made from the dataclass; and the request from the flags."""

from __future__ import annotations

import argparse
import dataclasses
import os
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlx_music.cli.text import STDIN, read_text
from mlx_music.errors import InvalidRequest, MLXMusicError
from mlx_music.request import GenerationRequest, check_field, limit_of, parse_lora

if TYPE_CHECKING:
    from mlx_music.metadata import Description

_FIELDS = {spec.name: spec for spec in dataclasses.fields(GenerationRequest)}

#: The headings of the fields, in the order in which the request has them.
REQUEST_GROUPS = tuple(dict.fromkeys(limit_of(name).group for name in _FIELDS))

_ALIASES = {
    "prompt": ("-p",),
    "lyrics": ("-l",),
    "duration": ("-d",),
    "num_inference_steps": ("--steps",),
    "reference_strength": ("--strength",),
    "retake_variance": ("--variance",),
    "repaint_start": ("--start",),
    "repaint_end": ("--end",),
    "extend_left": ("--left",),
    "extend_right": ("--right",),
    "edit_n_min": ("--n-min",),
    "edit_n_max": ("--n-max",),
    "edit_n_avg": ("--n-avg",),
}
_METAVARS = {
    "str": "TEXT",
    "str | None": "TEXT",
    "int": "N",
    "int | None": "N",
    "float": "X",
    "tuple[int, ...]": "N,N,...",
    "tuple[str, ...]": "ADAPTER",
}

#: Fields that name a file.
_FILES = ("source", "reference", "speaker_embedding")

#: Fields of several values, each given by a flag of its own: `--lora A --lora B`.
_REPEATED = tuple(name for name, spec in _FIELDS.items() if str(spec.type) == "tuple[str, ...]")

#: Fields whose text may be a file or standard input.
_READABLE = ("prompt", "lyrics", "source_prompt", "source_lyrics")

#: Fields that their command cannot do without: the default means nothing, and is not shown.
_REQUIRED = ("repaint_end",)

#: How to say on the command line that a field shall have no value, also against `--from`.
_NOTHING = {
    "seed": "random",
    "retake_seed": "random",
    "language": "auto",
    "reference": "none",
    "lora": "none",
    "speaker_embedding": "none",
}

#: Where a request's fields stand among the parsed arguments, safe from other flags' names.
_DEST = "request."


def flag_of(field: str) -> str:
    """The flag of a field: "--guidance-scale" for "guidance_scale"."""
    return f"--{field.replace('_', '-')}"


def in_flag(field: str, value: Any) -> str:
    """What to type for a field to have a plain JSON value: "--guidance-scale 4"."""
    if isinstance(value, bool):
        return flag_of(field) if value else flag_of(field).replace("--", "--no-", 1)
    if isinstance(value, list):
        return f"{flag_of(field)} {','.join(map(str, value))}"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{flag_of(field)} {text}"


def add_request_flags(
    parser: argparse.ArgumentParser,
    groups: Sequence[str] = REQUEST_GROUPS,
    *,
    skip: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add the flags of the fields in `groups`, under these headings, without those in `skip`.

    `defaults` are those of the command, where they are not the fields' own; for the help.
    """
    for title in groups:
        group = parser.add_argument_group(title)
        for name in _FIELDS:
            if limit_of(name).group == title and name not in skip:
                add_field_flag(group, name, (defaults or {}).get(name))


def add_from_flag(parser: argparse._ActionsContainer) -> None:
    """Add `--from FILE`."""
    parser.add_argument(
        "--from",
        dest="settings_file",
        metavar="FILE",
        help="take every setting that is not given here from FILE: an audio file made by MLX"
        " Music, its settings as .json, or the reference's *_input_params.json",
    )


def read_settings(args: argparse.Namespace, defaults: GenerationRequest) -> Description | None:
    """What the file of `--from` says, if there is one; `defaults` for what it leaves out.

    Raises `MLXMusicError` for a file without settings.
    """
    if args.settings_file is None:
        return None
    from mlx_music.metadata import read_description

    return read_description(os.path.expanduser(args.settings_file), defaults)


def read_request(
    args: argparse.Namespace,
    base: GenerationRequest,
    *,
    follow: Mapping[str, str] | None = None,
    **fixed: Any,
) -> GenerationRequest:
    """The request of a command line: its flags, over `base`.

    `follow` names, for a field whose flag is not given, another whose given value it takes.
    `fixed` are fields that the command itself decides. Raises `InvalidRequest`, for `in_flags`.
    """
    given = _given_fields(args)
    followed = {
        name: given[other]
        for name, other in (follow or {}).items()
        if name not in given and other in given
    }
    request = base.replace(**{**followed, **given, **fixed})
    request.validate()
    if args.settings_file is not None:
        _check_recordings_of_file(args, request, {"source", "reference"} - {*given, *fixed})
    _check_files(request)
    return request


def _check_recordings_of_file(
    args: argparse.Namespace, request: GenerationRequest, kept: Collection[str]
) -> None:
    """Say how to go on where a recording that the file of `--from` names is no longer there."""
    for name in kept:
        recording = getattr(request, name)
        if recording is not None and not os.path.exists(recording):
            command = again_from_moved(name, request, args.settings_file, args.model)
            raise MLXMusicError(
                f"{recording}: no such file, and {args.settings_file} was made from it; if it was"
                f" moved, `{command}` makes the same again"
            )


def again_from_moved(
    name: str, request: GenerationRequest, settings_file: str, model: str | None
) -> str:
    """The command that makes `request` again where its "source" or "reference" has moved.

    A file of the same name beside `settings_file` is taken for it: they were moved together.
    """
    base = os.path.basename(getattr(request, name))
    beside = os.path.join(os.path.dirname(settings_file), base)
    place = shlex.quote(
        beside if os.path.exists(os.path.expanduser(beside)) else f"NEW-PLACE/{base}"
    )
    settings = f"--from {shlex.quote(settings_file)}"
    if model is not None:
        settings += f" --model {shlex.quote(model)}"
    if name == "source":
        return f"mlx-music {request.task} {place} {settings}"
    return f"mlx-music generate {settings} {flag_of(name)} {place}"


def _check_files(request: GenerationRequest) -> None:
    """Find out that a file is missing before a model of gigabytes is looked for."""
    for recording in (request.source, request.reference):
        if recording is not None:
            from mlx_music.audio.files import probe_audio

            probe_audio(recording)
    named = [("lora", parse_lora(entry)[0]) for entry in request.lora]
    if request.speaker_embedding is not None:
        named.append(("speaker_embedding", request.speaker_embedding))
    for name, path in named:
        is_file = os.path.isabs(path) or path.startswith(".") or path.endswith(".safetensors")
        if is_file and not os.path.exists(path):
            raise MLXMusicError(
                f"{path}: no such file; give another with {flag_of(name)},"
                f" or {flag_of(name)} none to do without"
            )


def typed_flags(args: argparse.Namespace | None) -> dict[str, str]:
    """The fields that were given by a flag, with the flag as it was typed."""
    flags: dict[str, str] = getattr(args, "typed_flags", {})
    return flags


def set_aside(args: argparse.Namespace, fields: Collection[str]) -> None:
    """Note that the command takes `fields` from elsewhere than from the file of `--from`."""
    args.set_aside = {*getattr(args, "set_aside", ()), *fields}


def in_flags(error: InvalidRequest, args: argparse.Namespace | None) -> str:
    """`error` in one line that names the flag as it was typed, or the file of `--from`."""
    problem = str(error).removeprefix(f"{error.field}: ")
    typed = typed_flags(args)
    settings_file = getattr(args, "settings_file", None)
    elsewhere = {*typed, *getattr(args, "set_aside", ())}
    if settings_file is not None and error.field not in elsewhere:
        return f"{settings_file}: {error.field} {problem}"
    long_names = [name for name in _ALIASES.get(error.field, ()) if name.startswith("--")]
    usual = (*long_names, flag_of(error.field))[0]
    return f"{typed.get(error.field, usual)}: {problem}"


def add_field_flag(group: argparse._ArgumentGroup, name: str, default: Any = None) -> None:
    """Add the flag of one field of a request, with its short names, range and default."""
    spec, limit = _FIELDS[name], limit_of(name)
    flags = (*_ALIASES.get(name, ()), flag_of(name))
    kind = str(spec.type)
    common: dict[str, Any] = {
        "dest": _DEST + name,
        "default": argparse.SUPPRESS,
        "help": _help(name, default).replace("%", "%%"),
    }
    if kind == "bool":
        group.add_argument(*flags, action=argparse.BooleanOptionalAction, **common)
        return
    metavar = "FILE" if name in _FILES else _METAVARS[kind]
    if limit.choices:
        metavar = "{" + ",".join(limit.choices) + "}" if len(limit.choices) < 8 else "NAME"
    group.add_argument(*flags, action=_Typed, metavar=metavar, **common)


def _help(name: str, default: Any) -> str:
    limit, default = limit_of(name), _FIELDS[name].default if default is None else default
    facts = []
    if name in _READABLE:
        facts.append("@file.txt reads a file, - standard input")
    if name in _REPEATED:
        facts.append("may be given several times")
    if limit.range and not 0 < len(limit.choices) < 8:
        facts.append(limit.range)
    if name in _REQUIRED:
        facts.append("required")
    elif name in _NOTHING:
        facts.append(f"default {_NOTHING[name]}")
    elif isinstance(default, bool):
        facts.append(f"default {'on' if default else 'off'}")
    elif default not in ("", (), None):
        facts.append(f"default {default:g}" if isinstance(default, float) else f"default {default}")
    return f"{limit.help} ({'; '.join(facts)})" if facts else limit.help


class _Typed(argparse.Action):
    """Keeps the text of a field, or each of its texts, and as what the flag was typed."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        field = self.dest.removeprefix(_DEST)
        if field in _REPEATED:
            values = (*getattr(namespace, self.dest, ()), values)
        setattr(namespace, self.dest, values)
        namespace.typed_flags = typed_flags(namespace) | {field: option_string or flag_of(field)}


def _given_fields(args: argparse.Namespace) -> dict[str, Any]:
    texts = {
        dest.removeprefix(_DEST): value
        for dest, value in vars(args).items()
        if dest.startswith(_DEST)
    }
    _check_one_stdin(texts)
    return {name: _given(name, value) for name, value in texts.items()}


def _given(name: str, given: Any) -> Any:
    """The value of a field from what its flag, or each of its flags, was given."""
    if isinstance(given, bool):
        return given
    if name not in _REPEATED:
        return _value(name, given)
    entries: tuple[str, ...] = ()
    for text in given:
        entries = () if text == _NOTHING.get(name) else (*entries, _adapter(text))
    check_field(name, entries)
    return entries


def _adapter(text: str) -> str:
    """An entry of the field `lora`. A file or folder here is named by its whole path."""
    path, weight = parse_lora(text)
    local = os.path.expanduser(path)
    return f"{os.path.abspath(local) if os.path.exists(local) else path}:{weight!r}"


def _check_one_stdin(texts: dict[str, Any]) -> None:
    from_stdin = [name for name in _READABLE if texts.get(name) == STDIN]
    if len(from_stdin) > 1:
        raise InvalidRequest(
            from_stdin[1], f"- (standard input) is taken by {flag_of(from_stdin[0])} already"
        )


def _value(name: str, text: str) -> Any:
    """The value of a field from its text, checked against its limits."""
    if text == _NOTHING.get(name):
        return None
    try:
        value = _reader(name)(text)
    except ValueError as error:
        if name in _READABLE:
            raise InvalidRequest(name, str(error)) from error
        kind, required = str(_FIELDS[name].type), limit_of(name).range
        words = f"{_WORDS[kind]}; it must be {required}" if required else _WORDS[kind]
        raise InvalidRequest(name, f'"{text}" is not {words}') from error
    check_field(name, value)
    return value


def _reader(name: str) -> Callable[[str], Any]:
    if name in _READABLE:
        return read_text
    return whole_path if name in _FILES else _READERS[str(_FIELDS[name].type)]


def whole_numbers(text: str) -> tuple[int, ...]:
    """The numbers of "1,2,3"; none of "". Raises `ValueError`."""
    return tuple(int(part) for part in text.split(",")) if text.strip() else ()


def _plain(text: str) -> str:
    return text


def whole_path(path: str) -> str:
    """A file's path as it is kept in a request, so that it leads there from any folder."""
    return os.path.abspath(os.path.expanduser(path)) if path else path


_READERS: dict[str, Callable[[str], Any]] = {
    "str": _plain,
    "str | None": _plain,
    "int": int,
    "int | None": int,
    "float": float,
    "tuple[int, ...]": whole_numbers,
}
_WORDS = {
    "int": "a whole number",
    "int | None": "a whole number",
    "float": "a number",
    "tuple[int, ...]": "a list of whole numbers such as 1,2,3",
}


def fields_by_group() -> dict[str, list[str]]:
    """The names of a request's fields under their headings, for showing."""
    return {
        title: [name for name in _FIELDS if limit_of(name).group == title]
        for title in REQUEST_GROUPS
    }


def is_default(name: str, values: Mapping[str, Any]) -> bool:
    """Whether a field has its default value in what `GenerationRequest.to_dict` gave."""
    return bool(values[name] == GenerationRequest().to_dict()[name])
