"""Takes out of the library: whole or in part, in any format, under names that programs can read.

What was dragged into a song may be referred to by it for ever. So exports are whole before anybody
hears of them, lie in a folder of their own inside the music folder, and are never changed nor
removed by us. The same part of the same take gives the same file again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlx_music import AudioError
from mlx_music.audio.atomic import write_whole
from mlx_music.audio.files import AudioFormat, audio_format, probe_audio, write_audio
from mlx_music.audio.tags import Tags, read_tags
from mlx_music_app.library.files import EXPORTS, free_name
from mlx_music_app.library.identity import EXPORT_KEY, TAKE_KEY
from mlx_music_app.library.naming import region_text, take_stem
from mlx_music_app.library.peaks import open_sound, read_part
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences

Region = tuple[float, float]


def export_audio(
    source: Path,
    target: Path,
    *,
    format: str,
    bit_depth: int | None,
    start: float | None = None,
    end: float | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a file's sound, or a part of it, to another file; whole or not at all.

    format: wav, flac, aiff, ogg or mp3. bit_depth: 16, 24 or (WAV) 32 for float; ignored for
    formats without one. start, end: seconds, to the nearest sample; None is the file's own.
    The settings in the file's tags go along. The same sound in the same format is copied byte by
    byte. overwrite: replace `target`, if a person has said so.

    Returns `target`, with the format's ending where it had another.

    Raises:
        AudioError: The source cannot be read; the part is empty; the target exists, is the source
            itself or cannot be written; the format lacks the source's sample rate.
    """
    kind = _format(format, bit_depth)
    if target.suffix.lower() not in kind.extensions:
        target = target.with_name(target.name + kind.extensions[0])
    # Never: a take's file is what it was made as, and songs refer to it.
    if overwrite and target.exists() and target.samefile(source):
        raise AudioError(f"{target}: is the take itself; choose another name or folder")
    first, last, rate = _part(source, start, end)
    whole = start is None and end is None
    if whole and _has_format(source, kind):
        write_whole(target, _bytes(source), overwrite=overwrite)
        return target
    export = {"of": _uid(source), "from": first, "to": last}
    return write_audio(
        target,
        read_part(source, first, last),
        rate,
        bit_depth=kind.bit_depth,
        metadata=_metadata(read_tags(source), export),
        overwrite=overwrite,
    )


def export_name(take: Take, region: Region | None = None) -> str:
    """What an exported take is called, without the format's ending:
    "Title - 120bpm - take 3 (0m12.00-0m20.00)"."""
    stem = take_stem(take.title, take.request.prompt, take.number)
    return stem if region is None else f"{stem} ({region_text(region)})"


def drag_file(take: Take, preferences: Preferences, region: Region | None = None) -> Path:
    """The file to hand to another program: whole, named for people, and there for good.

    That is the take's own file where all of it is wanted and it has the format that the
    preferences ask for; else one in the folder Exports, made now unless it is there already.
    Making it takes about 10 ms for a few seconds, and up to some seconds for a whole song as MP3.
    `dragged_file` says whether it is there, and this may be called ahead on another thread.

    Raises:
        AudioError: As `export_audio`.
    """
    found = dragged_file(take, preferences, region)
    if found is not None:
        return found
    kind = preferred_format(preferences)
    start, end = region if region is not None else (None, None)
    while True:
        target = free_name(_export_path(take, preferences, region, kind))
        try:
            return export_audio(
                take.path,
                target,
                format=kind.name.lower(),
                bit_depth=kind.bit_depth,
                start=start,
                end=end,
            )
        except AudioError:
            # Another thread may have taken the name, even with this very sound.
            if not target.exists():
                raise
            found = dragged_file(take, preferences, region)
            if found is not None:
                return found


def dragged_file(take: Take, preferences: Preferences, region: Region | None = None) -> Path | None:
    """The file that `drag_file` would give, if it need not be made.

    Raises:
        AudioError: The take's file is missing or cannot be read.
    """
    kind = preferred_format(preferences)
    if region is None and _has_format(take.path, kind):
        return take.path
    start, end = region if region is not None else (None, None)
    first, last, _ = _part(take.path, start, end)
    wanted = {"of": _uid(take.path), "from": first, "to": last}
    path = _export_path(take, preferences, region, kind)
    for candidate in _with_counts(path):
        if not candidate.exists():
            return None
        if _is_export(candidate, kind, wanted):
            return candidate
    return None


def _is_export(path: Path, kind: AudioFormat, wanted: Mapping[str, object]) -> bool:
    try:
        return _has_format(path, kind) and _export_of(path) == wanted
    except AudioError:
        return False  # whatever it is now, it is not what is wanted: the next name is free


def preferred_format(preferences: Preferences) -> AudioFormat:
    """The format that the person wants files in; with its own depth where it lacks the chosen."""
    return _format(preferences.get("export_format"), preferences.get("export_bit_depth"))


def exports_folder(preferences: Preferences) -> Path:
    """Where exports lie that have no other place."""
    return preferences.music_folder / EXPORTS


def _format(name: str, bit_depth: int | None) -> AudioFormat:
    kind = audio_format(name)
    return audio_format(name, bit_depth) if bit_depth in kind.bit_depths else kind


def _export_path(
    take: Take, preferences: Preferences, region: Region | None, kind: AudioFormat
) -> Path:
    name = export_name(take, region) + kind.extensions[0]
    return exports_folder(preferences) / name


def _with_counts(path: Path) -> Iterator[Path]:
    """The names that `free_name` tries, in its order."""
    yield path
    for count in range(2, 1000):
        yield path.with_name(f"{path.stem} ({count}){path.suffix}")


def _part(source: Path, start: float | None, end: float | None) -> tuple[int, int, int]:
    """First sample, the one behind the last, and the sample rate, of a part of a file."""
    with open_sound(source) as sound:
        rate, samples = int(sound.samplerate), int(sound.frames)
    first = 0 if start is None else min(max(round(start * rate), 0), samples)
    last = samples if end is None else min(max(round(end * rate), 0), samples)
    if last <= first:
        raise AudioError(
            f"{source.name}: nothing lies between {start or 0:.2f} and "
            f"{samples / rate if end is None else end:.2f} seconds; select a longer part"
        )
    return first, last, rate


def _has_format(path: Path, kind: AudioFormat) -> bool:
    info = probe_audio(path)
    return info.format.removesuffix("EX") == kind.container and info.subtype == kind.subtype


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error


def _values(tags: Tags | None) -> dict[str, Any]:
    return {} if tags is None else dict(json.loads(tags.request_json))


def _uid(path: Path) -> str:
    take = _values(read_tags(path)).get(TAKE_KEY)
    return str(take.get("id", "")) if isinstance(take, Mapping) else path.stem


def _export_of(path: Path) -> object:
    return _values(read_tags(path)).get(EXPORT_KEY)


def _metadata(tags: Tags | None, export: Mapping[str, object]) -> dict[str, str] | None:
    """A file's tags for what was made from it: it is not the take itself any more."""
    if tags is None:
        return None
    values = _values(tags)
    values.pop(TAKE_KEY, None)
    values[EXPORT_KEY] = dict(export)
    return {**tags.fields, "request_json": json.dumps(values, ensure_ascii=False)}
