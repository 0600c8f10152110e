"""Voices: a recording, an adapter and an embedding that are kept together under a name.

The published model has no speaker encoder, so nothing here copies a voice out of a recording. A
recording is what new music starts from (audio to audio), with its melody and arrangement; a LoRA
adapter that was trained on a voice is what sings like it; and an embedding is passed on for
checkpoints that were trained with one.

A voice is a folder in `voices_folder()`, named like it: `voice.json`, and beside it the excerpt,
the adapter and the embedding. Folders may be copied, renamed and carried to another machine.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlx_music.audio.atomic import as_audio_error
from mlx_music.errors import AudioError, InvalidRequest, MLXMusicError
from mlx_music.limits import MAX_LORA_WEIGHT, MIN_LORA_WEIGHT, Limit, check_type, check_value
from mlx_music.request import MAX_DURATION, MAX_SOURCE_DURATION, check_field, limit_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    FloatArray = npt.NDArray[np.float32]

#: The environment variable that moves all voices to another folder.
VARIABLE = "MLX_MUSIC_VOICES"

MAX_NAME_LENGTH = 60

#: Seconds of a recording that make a voice, at least.
MIN_SECONDS = 1.0

#: Numbers in a speaker embedding of the published architecture.
EMBEDDING_SIZE = 512

#: What the numbers of a voice may be; `seconds` is how much of a recording is kept.
LIMITS = {
    "start": Limit("", "", low=0.0, high=MAX_SOURCE_DURATION, unit="seconds"),
    "seconds": Limit("", "", low=MIN_SECONDS, high=MAX_DURATION, unit="seconds"),
    "strength": limit_of("reference_strength"),
    "lora_weight": Limit("", "", low=MIN_LORA_WEIGHT, high=MAX_LORA_WEIGHT),
}

_FORMAT = 1
_SETTINGS = "voice.json"
_REFERENCE = "reference.flac"
_BIT_DEPTH = 24
_LORA = "lora.safetensors"

#: Under this everything is silence, as in any source.
_SILENCE = 1e-5

#: What file systems and shells take for something else.
_FORBIDDEN = '/\\:*?"<>|'

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Voice:
    """A saved voice.

    reference: the excerpt that new music starts from, with its `strength`, and whether it is
    repeated or cut to the length of the music (`loop`). lora: file or hub id of an adapter, with
    its weight. speaker_embedding: a file of `EMBEDDING_SIZE` numbers. All paths are whole ones.
    problem: what is wrong with the folder; such a voice can only be replaced or deleted.
    """

    name: str
    folder: Path
    reference: Path | None = None
    strength: float = 0.5
    loop: bool = True
    lora: str | None = None
    lora_weight: float = 1.0
    speaker_embedding: Path | None = None
    note: str = ""
    problem: str | None = None

    def request_fields(self) -> dict[str, Any]:
        """The fields of a `GenerationRequest` that use this voice:
        `model.generate(prompt=..., **voice.request_fields())`."""
        fields: dict[str, Any] = {}
        if self.reference is not None:
            fields["reference"] = str(self.reference)
            fields["reference_strength"] = self.strength
            fields["reference_loop"] = self.loop
        if self.lora is not None:
            fields["lora"] = (f"{self.lora}:{self.lora_weight!r}",)
        if self.speaker_embedding is not None:
            fields["speaker_embedding"] = str(self.speaker_embedding)
        return fields


def voices_folder() -> Path:
    """Where voices are kept, whether or not it is there: what `VARIABLE` names, or where this
    user's programs keep their data."""
    if given := os.environ.get(VARIABLE):
        return Path(os.path.abspath(os.path.expanduser(given)))
    import platformdirs

    return Path(platformdirs.user_data_dir("MLX Music", appauthor=False)) / "voices"


def save_voice(
    name: str,
    *,
    reference: str | os.PathLike[str] | None = None,
    start: float = 0.0,
    seconds: float = 30.0,
    strength: float = 0.5,
    loop: bool = True,
    lora: str | os.PathLike[str] | None = None,
    lora_weight: float = 1.0,
    speaker_embedding: str | os.PathLike[str] | None = None,
    note: str = "",
    overwrite: bool = False,
) -> Voice:
    """Save a voice of a reference, an adapter, an embedding, or several of them.

    reference: a recording, of which `seconds` from `start`, or what there is of them, are kept as
    24-bit FLAC. lora: a file or folder, which is copied, or a hub id, which is only noted, and
    downloaded when the voice is used. Whether an adapter suits a model shows when it is used.
    The folder appears whole or not at all.

    Raises `InvalidRequest` for a name that no folder can have, numbers out of range and a voice
    of nothing; `AudioError` for a recording that cannot be used and a disk that cannot be
    written; `CheckpointError` for what is no adapter or no embedding; `MLXMusicError` if there is
    a voice of that name, unless `overwrite` is set.
    """
    name = _checked_name(name)
    numbers = {"start": start, "seconds": seconds, "strength": strength, "lora_weight": lora_weight}
    for field, number in numbers.items():
        check_value(field, "float", LIMITS[field], number)
    check_type("note", "str", note)
    if reference is None and lora is None and speaker_embedding is None:
        raise InvalidRequest(
            "reference", "is missing; a voice is a recording, an adapter or a speaker embedding"
        )
    old = _replaced(name, overwrite)
    settings: dict[str, Any] = {"format": _FORMAT, "name": name, "note": note}
    excerpt, copies = None, {}
    if reference is not None:
        excerpt = _excerpt(Path(os.path.expanduser(reference)), start, seconds)
        settings |= {"reference": _REFERENCE, "strength": strength, "loop": loop}
    if lora is not None:
        copies = _adapter_files(os.fspath(lora))
        settings |= {"lora": _LORA if copies else os.fspath(lora), "lora_weight": lora_weight}
    if speaker_embedding is not None:
        from mlx_music.ace_step.speaker import load_speaker

        file = Path(os.path.expanduser(speaker_embedding))
        load_speaker(file, EMBEDDING_SIZE)
        settings["speaker_embedding"] = f"speaker{file.suffix}"
        copies[settings["speaker_embedding"]] = file
    with _new_folder(name, old) as folder:
        if excerpt is not None:
            from mlx_music.audio.files import write_audio

            write_audio(folder / _REFERENCE, *excerpt, bit_depth=_BIT_DEPTH)
        for target, original in copies.items():
            shutil.copyfile(original, folder / target)
        text = json.dumps(settings, ensure_ascii=False, indent=2) + "\n"
        (folder / _SETTINGS).write_text(text, encoding="utf-8")
    return find_voice(name)


def list_voices() -> list[Voice]:
    """All voices by name, those with a `problem` too. Only listings and settings are read."""
    try:
        folders = [path for path in voices_folder().iterdir() if path.name[0] != "."]
    except (FileNotFoundError, NotADirectoryError):
        return []
    voices = [_read(folder) for folder in folders if (folder / _SETTINGS).is_file()]
    return sorted(voices, key=lambda voice: _key(voice.name))


def find_voice(name: str) -> Voice:
    """The voice called `name`; upper and lower case are the same.

    Raises `MLXMusicError` if there is none, naming those there are, or if it is damaged.
    """
    voice = _named(name)
    if voice.problem is not None:
        raise MLXMusicError(f"{voice.problem}; replace or delete the voice {voice.name}")
    return voice


def delete_voice(name: str) -> Voice:
    """Remove the voice called `name`, damaged or not, with its files; what it was.

    Raises `MLXMusicError` if there is none or its folder cannot be removed.
    """
    voice = _named(name)
    with as_audio_error(voice.folder, "removed"):
        # Under another name first, so that what is half removed is no voice any more.
        _discard(voice.folder.rename(_hidden(voice.folder)))
    return voice


def _named(name: str) -> Voice:
    voices = list_voices()
    for voice in voices:
        if _key(voice.name) == _key(name):
            return voice
    there = ", ".join(voice.name for voice in voices)
    there = f"there are: {there}" if there else "there are none; `mlx-music voice save` makes one"
    raise MLXMusicError(f"no voice is called {name!r}; {there}")


def _key(name: str) -> str:
    """What is equal in names that are the same to a person, and to a Mac's disk."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _checked_name(name: str) -> str:
    """`name` as a folder can have it on every system. Raises `InvalidRequest`."""
    name = unicodedata.normalize("NFC", name).strip()
    problem = ""
    if not any(character.isalnum() for character in name):
        problem = "needs a letter or a number"
    elif len(name) > MAX_NAME_LENGTH:
        problem = f"is longer than {MAX_NAME_LENGTH} characters"
    elif name[0] in ".-" or name[-1] == ".":
        problem = "must not begin with a dot or a dash, nor end with a dot"
    elif not name.isprintable() or any(character in _FORBIDDEN for character in name):
        problem = f"must not hold any of {' '.join(_FORBIDDEN)} or control characters"
    if problem:
        raise InvalidRequest("name", f'"{name}" {problem}')
    return name


def _replaced(name: str, overwrite: bool) -> Path | None:
    """The folder that a voice called `name` will replace. Raises `MLXMusicError` for one that
    it must not replace: of a voice without `overwrite`, or of something else."""
    for voice in list_voices():
        if _key(voice.name) == _key(name):
            if not overwrite:
                raise MLXMusicError(
                    f"{voice.folder}: the voice exists; use --force (overwrite=True) to replace it"
                )
            return voice.folder
    folder = voices_folder() / name
    if os.path.lexists(folder):
        raise MLXMusicError(
            f"{folder}: is no voice, and in the way; remove it or take another name"
        )
    return None


def _excerpt(path: Path, start: float, seconds: float) -> tuple[FloatArray, int]:
    """The part of a recording that is kept (channels, samples), and its rate."""
    import numpy as np

    from mlx_music.audio.files import read_audio

    audio, rate = read_audio(path, max_seconds=MAX_SOURCE_DURATION)
    duration = audio.shape[1] / rate
    if duration < MIN_SECONDS:
        raise AudioError(f"{path}: lasts {duration:.2f} seconds; it takes {MIN_SECONDS:g} or more")
    first = round(start * rate)
    part = audio[:, first : first + round(seconds * rate)]
    if part.shape[1] < round(MIN_SECONDS * rate):
        raise InvalidRequest(
            "start",
            f"{start:g} seconds is not {MIN_SECONDS:g} second before the end of {path}, "
            f"which lasts {duration:.2f} seconds",
        )
    if part.shape[0] > 2:
        raise AudioError(f"{path}: has {part.shape[0]} channels; mix it down to two first")
    peak = float(np.abs(part).max())
    if peak <= _SILENCE:
        end = (first + part.shape[1]) / rate
        raise AudioError(f"{path}: is silent from {start:g} to {end:g} seconds")
    # FLAC has no values over 1, which files of floats can hold.
    return part / max(peak, 1.0), rate


def _adapter_files(lora: str) -> dict[str, Path]:
    """The files of an adapter under the names that they get; none for one on the hub.

    Raises `CheckpointError` for what is neither.
    """
    from mlx_music.weights.lora_file import CONFIG_FILE, find_lora, read_lora

    if _HUB_ID.fullmatch(lora) and not lora.endswith(".safetensors") and not os.path.exists(lora):
        return {}
    file = find_lora(lora, download=False)
    read_lora(file)
    files = {_LORA: file}
    if (file.parent / CONFIG_FILE).is_file():
        files[CONFIG_FILE] = file.parent / CONFIG_FILE
    return files


def _read(folder: Path) -> Voice:
    """The voice in `folder`, or what is wrong with it."""
    name = unicodedata.normalize("NFC", folder.name)
    try:
        return _parsed(name, folder, _settings(folder / _SETTINGS))
    except MLXMusicError as error:
        return Voice(name, folder, problem=f"{folder / _SETTINGS}: {error}")


def _settings(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MLXMusicError(f"cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise MLXMusicError(f"is not JSON ({error})") from error
    version = values.get("format") if isinstance(values, dict) else None
    if not isinstance(values, dict) or not isinstance(version, int):
        raise MLXMusicError("holds no voice")
    if version > _FORMAT:
        raise MLXMusicError("is of a newer version of MLX Music")
    return values


def _parsed(name: str, folder: Path, values: dict[str, Any]) -> Voice:
    def text(key: str) -> str | None:
        value = values.get(key)
        if value is not None and not isinstance(value, str):
            raise MLXMusicError(f"{key} is not text")
        return value

    def file(key: str) -> Path | None:
        given = text(key)
        if given is None:
            return None
        # A voice from elsewhere must not lead out of its folder.
        if Path(given).name != given or not (folder / given).is_file():
            raise MLXMusicError(f"its {key} {given!r} is not in the folder")
        return folder / given

    lora = text("lora")
    if lora is not None and not _HUB_ID.fullmatch(lora):
        lora = str(file("lora"))
    voice = Voice(
        name=name,
        folder=folder,
        reference=file("reference"),
        strength=values.get("strength", Voice.strength),
        loop=values.get("loop", Voice.loop),
        lora=lora,
        lora_weight=values.get("lora_weight", Voice.lora_weight),
        speaker_embedding=file("speaker_embedding"),
        note=text("note") or "",
    )
    for field in ("strength", "lora_weight"):
        check_value(field, "float", LIMITS[field], getattr(voice, field))
    check_field("reference_loop", voice.loop)
    if not voice.request_fields():
        raise MLXMusicError("holds neither a recording nor an adapter nor an embedding")
    return voice


@contextmanager
def _new_folder(name: str, old: Path | None) -> Iterator[Path]:
    """A hidden folder that becomes the voice's, in the place of `old`, if the block succeeds."""
    target = voices_folder() / name
    building = _hidden(target)
    with as_audio_error(target, "written"):
        building.mkdir(parents=True)
        try:
            yield building
            _put(building, target, old)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _put(building: Path, target: Path, old: Path | None) -> None:
    if old is None:
        building.rename(target)
        return
    aside = _hidden(old)
    old.rename(aside)
    try:
        building.rename(target)
    except BaseException:
        aside.rename(old)
        raise
    _discard(aside)


def _discard(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def _hidden(path: Path) -> Path:
    return path.with_name(f".mlx-music-{secrets.token_hex(8)}")
