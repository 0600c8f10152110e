"""What somebody has dropped on the window, or opened with the app."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QMimeData

from mlx_music import AudioError, GenerationRequest, MLXMusicError
from mlx_music.metadata import read_description

#: Endings of what libsndfile reads; files with others are not looked into.
AUDIO = frozenset(
    (
        *(".wav", ".wave", ".w64", ".rf64", ".flac", ".aif", ".aiff", ".aifc"),
        *(".caf", ".ogg", ".oga", ".opus", ".mp3", ".au"),
    )
)

#: Recordings that other programs make and that are not read.
_OTHER_AUDIO = frozenset([".m4a", ".mp4", ".aac", ".wma", ".alac"])

#: Files that a folder of the model has; any of them will do.
_MODEL_PARTS = ("ace_step_transformer", "transformer", "music_dcae_f8c8", "umt5-base")
_ADAPTER_FILES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")

_LARGEST_JSON = 10_000_000  # bytes: settings are small


@dataclass(frozen=True)
class Dropped:
    """kind: "audio", "own" (audio that was made here, with its request), "settings" (a request
    alone), "lora", "model" (a folder), or "" for what is of no use, where `problem` says why.

    request and model: what the file says of itself. duration: seconds, of audio. path: absolute,
    of the file or folder; for "lora" always the file.
    """

    kind: str
    path: Path
    request: GenerationRequest | None = None
    model: str = ""
    duration: float | None = None
    problem: str = ""

    def __bool__(self) -> bool:
        return bool(self.kind)


def what_was_dropped(data: QMimeData) -> Dropped:
    """The first thing that is of use; where none is, the first, with what is wrong with it.

    Only headers are read, so this is quick enough to ask while something is dragged along.
    """
    found = what_were_dropped(data)
    useful = [dropped for dropped in found if dropped]
    return (useful or found or [Dropped("", Path(), problem="No file was dropped.")])[0]


def what_were_dropped(data: QMimeData) -> list[Dropped]:
    """Every file and folder, in their order."""
    return what_are([Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()])


def what_are(paths: Sequence[Path]) -> list[Dropped]:
    return [what_is(path) for path in paths]


def what_is(path: Path) -> Dropped:
    """What a file or folder is to the app. Never raises for what people have on their disks."""
    path = path.absolute()
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return Dropped("", path, problem=f"{path.name} is not there any more.")
    return _what_is(path, changed)


# While something is dragged across the window, it is asked for again and again.
@lru_cache(maxsize=64)
def _what_is(path: Path, _changed: int) -> Dropped:
    if path.is_dir():
        return _folder(path)
    ending = path.suffix.lower()
    if ending in AUDIO:
        return _audio(path)
    if ending == ".json":
        return _settings(path)
    if ending == ".safetensors":
        return _adapter(path)
    if ending in _OTHER_AUDIO:
        return _useless(path, "convert it to WAV, FLAC or MP3 first")
    return _useless(path, "drop audio, settings (JSON), a LoRA or the folder of a model")


def _useless(path: Path, advice: str) -> Dropped:
    return Dropped("", path, problem=f"{path.name} cannot be used here: {advice}.")


def _audio(path: Path) -> Dropped:
    from mlx_music.audio.files import probe_audio

    try:
        duration = probe_audio(path).duration
    except AudioError as error:
        return Dropped("", path, problem=str(error))
    try:
        description = read_description(path)
    except MLXMusicError:
        # Any recording: it has no settings, or such as cannot be used.
        return Dropped("audio", path, duration=duration)
    return Dropped("own", path, description.request, description.model, duration)


def _settings(path: Path) -> Dropped:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            return _useless(path, "it is too large to be settings")
        description = read_description(path)
    except MLXMusicError as error:
        return Dropped("", path, problem=str(error))
    return Dropped("settings", path, description.request, description.model)


def _adapter(path: Path) -> Dropped:
    from mlx_music.weights.lora_file import read_lora

    try:
        read_lora(path)
    except MLXMusicError as error:
        return Dropped("", path, problem=str(error))
    return Dropped("lora", path)


def _folder(path: Path) -> Dropped:
    if any((path / part / "config.json").is_file() for part in _MODEL_PARTS):
        return Dropped("model", path)
    for name in _ADAPTER_FILES:
        if (path / name).is_file():
            return _adapter(path / name)
    # An adapter that somebody has saved under another name.
    single = sorted(path.glob("*.safetensors"))
    if len(single) == 1 and (path / "adapter_config.json").is_file():
        return _adapter(single[0])
    return _useless(path, "it is neither the folder of a model nor one of a LoRA")
