"""Look for models: built in, in the hub cache, in folders. Reads listings and headers only.

Nothing here imports MLX or asks the network, so that it can run while the window comes up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from mlx_music import CheckpointError, LyricsError
from mlx_music.ace_step.about import ABOUT_FILE, AboutModel, read_about
from mlx_music.ace_step.finding import NOT_OF_THE_MODEL, built_in_folder
from mlx_music.ace_step.published import (
    FOLDERS,
    MODEL_ID,
    MODEL_LICENCE,
    MODEL_NAME,
    REQUIRED_FILES,
    SKETCH,
    TRANSFORMER,
)
from mlx_music.weights.component_files import ComponentFiles
from mlx_music.weights.hub_cache import find_snapshot, repo_folder
from mlx_music.weights.json_file import read_json_object
from mlx_music.weights.requirements import missing_files
from mlx_music_app.models.info import Kind, ModelInfo, State
from mlx_music_app.models.registry import Remembered

#: Bytes of the published model: what its download takes.
MODEL_BYTES = 8_275_790_207

_SKETCH_ABOUT = "Short instrumental sketches, within seconds, on any machine."
_PUBLISHED_ABOUT = "Whole songs, with singing in 17 languages or instrumental."

_DTYPE_NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}


@dataclass(frozen=True)
class Catalogue:
    """vocabulary_problem: why lyrics cannot be read yet, in a line; empty if they can."""

    models: tuple[ModelInfo, ...] = ()
    vocabulary_problem: str = ""


def scan(known: Remembered, own_folder: Path) -> Catalogue:
    """Every model: those that are here, those that were asked for, and the published one."""
    models = []
    sketch = built_in_folder(SKETCH)
    if sketch is not None:
        models.append(_built_in(sketch))
    totals = {MODEL_ID: MODEL_BYTES, **dict(known.totals)}
    for hub_id in dict.fromkeys((MODEL_ID, *known.hub_ids)):
        models.append(hub_model(hub_id, totals.get(hub_id)))
    for folder in own_folders(own_folder):
        models.append(folder_model(folder, Kind.OWN))
    for name in known.folders:
        models.append(folder_model(Path(name), Kind.LINKED))
    return Catalogue(tuple(models), _vocabulary_problem())


def own_folders(folder: Path) -> list[Path]:
    """The models in the app's own folder; hidden ones are still being written."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def hub_model(hub_id: str, total: int | None) -> ModelInfo:
    """A repository of the hub, as far as it is here."""
    published = hub_id == MODEL_ID
    nbytes = cached_bytes(hub_id)
    model = ModelInfo(
        hub_id,
        MODEL_NAME if published else hub_id,
        Kind.HUB,
        State.PARTIAL if nbytes else State.ABSENT,
        about=_PUBLISHED_ABOUT if published else "",
        licence=MODEL_LICENCE if published else "",
        link=f"https://huggingface.co/{hub_id}",
        nbytes=nbytes,
        total=total,
    )
    snapshot = find_snapshot(hub_id, None)
    if snapshot is None or missing_files(snapshot, REQUIRED_FILES):
        return replace(model, folder=snapshot)
    return _opened(model, snapshot)


def folder_model(folder: Path, kind: Kind) -> ModelInfo:
    """A checkpoint in a folder of its own."""
    model = ModelInfo(str(folder), folder.name, kind, State.READY, nbytes=folder_bytes(folder))
    return _opened(model, folder)


def _built_in(folder: Path) -> ModelInfo:
    nbytes = folder_bytes(folder)
    model = ModelInfo(SKETCH, "Sketch", Kind.BUILT_IN, State.READY, _SKETCH_ABOUT, nbytes=nbytes)
    return _opened(model, folder)


def _opened(model: ModelInfo, folder: Path) -> ModelInfo:
    """`model`, whose files ought to be whole, with what they say."""
    model = replace(model, folder=folder)
    try:
        check_folder(folder)
        about = read_about(folder)
        quantized, precision = _precision(folder)
    except CheckpointError as error:
        return replace(model, state=State.DAMAGED, problem=str(error))
    if (folder / ABOUT_FILE).is_file():
        # The name of a folder tells copies of one model apart, which all say the same name.
        by_folder = model.kind in (Kind.OWN, Kind.LINKED)
        model = replace(model, licence=about.licence, name=model.name if by_folder else about.name)
    return replace(
        model,
        state=State.READY,
        about=model.about or _about(about),
        precision=precision,
        sings=about.sings,
        max_duration=about.max_duration,
        default_fields=about.own_defaults(),
        smaller=quantized,
    )


def check_folder(folder: Path) -> None:
    """Raise `CheckpointError`, with the reason, for a folder that holds no whole checkpoint."""
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder}: the folder is not there (moved, renamed, or on a disk that is not "
            "connected); bring it back, or remove the model from the list"
        )
    missing = missing_files(folder, REQUIRED_FILES)
    if missing:
        more = f" and {len(missing) - 2} more" if len(missing) > 2 else ""
        raise CheckpointError(
            f"{folder}: no whole ACE-Step v1 model, it lacks {', '.join(missing[:2])}{more}; "
            "choose the folder that has all of them"
        )
    for component in FOLDERS:
        ComponentFiles.open(folder / component)


def _about(about: AboutModel) -> str:
    length = f"up to {about.max_duration / 60:.0f} minutes"
    if about.max_duration < 120:
        length = f"up to {about.max_duration:.0f} seconds"
    return f"Music with singing, {length}." if about.sings else f"Instrumental music, {length}."


def _precision(folder: Path) -> tuple[bool, str]:
    """Whether the transformer is quantized, and how its numbers are kept, for a person."""
    stored = read_json_object(folder / TRANSFORMER / "config.json").get("quantization")
    if isinstance(stored, dict) and isinstance(stored.get("layers"), dict):
        bits = sorted({str(number) for number in stored["layers"].values()})
        return True, f"{' and '.join(bits)} bits" if bits else "quantized"
    nbytes: Counter[str] = Counter()
    for tensor in ComponentFiles.open(folder / TRANSFORMER).tensors.values():
        nbytes[tensor.dtype] += tensor.nbytes
    dtype = nbytes.most_common(1)[0][0] if nbytes else ""
    return False, _DTYPE_NAMES.get(dtype, dtype)


def _vocabulary_problem() -> str:
    from mlx_music.ace_step.vocabulary import find_vocabulary

    try:
        find_vocabulary(download=False)
    except LyricsError as error:
        return str(error)
    return ""


def folder_bytes(folder: Path) -> int:
    """Bytes of a model's files, links followed as they are read."""
    return sum(
        _size(path)
        for path in folder.rglob("*")
        if path.is_file() and not set(path.relative_to(folder).parts) & set(NOT_OF_THE_MODEL)
    )


def cached_bytes(hub_id: str) -> int:
    """Bytes that a repository takes in the hub cache, unfinished files too, each once."""
    folder = repo_folder(hub_id)
    paths = (path for name in ("blobs", "snapshots") for path in (folder / name).rglob("*"))
    return sum(_size(path) for path in paths if path.is_file() and not path.is_symlink())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was renamed while we looked: a download is going on
        return 0
