"""Where models are: built in, in a folder, or from the hub. Loads no network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlx_music.ace_step.about import ABOUT_FILE, PUBLISHED, AboutModel, read_about
from mlx_music.ace_step.published import MODEL_ID, MODEL_NAME, REQUIRED_FILES, SKETCH
from mlx_music.errors import CheckpointError
from mlx_music.resources import find_resource, resource_folders
from mlx_music.weights.download import ByteProgress
from mlx_music.weights.hub import find_checkpoint
from mlx_music.weights.hub_cache import installed_models
from mlx_music.weights.requirements import missing_files

#: Models that come with MLX Music, by the names under which they are opened. A folder of that
#: name is opened as "./sketch".
BUILT_IN = (SKETCH,)

#: What lies in the folder of a built-in model and is no part of it: how it was made.
NOT_OF_THE_MODEL = frozenset(("recipe", "__init__.py", "__pycache__"))


@dataclass(frozen=True)
class ModelOnDisk:
    """A model that is built in or installed, complete or not; nothing of it is checked.

    model: what `find_model` takes. missing: required files that are not there. revisions,
    commit: of the hub; none for a built-in model. about: None where nothing says what it is, and
    then problem may tell why.
    """

    model: str
    path: Path
    nbytes: int
    missing: tuple[str, ...]
    revisions: tuple[str, ...] = ()
    commit: str | None = None
    about: AboutModel | None = None
    problem: str = ""

    @property
    def built_in(self) -> bool:
        return self.commit is None


def is_built_in(model: str | Path) -> bool:
    """Whether `model` means one of `BUILT_IN`. A `Path` always means a folder."""
    return isinstance(model, str) and model in BUILT_IN


def built_in_folder(name: str) -> Path | None:
    """The folder of a built-in model; None if this installation came without it."""
    about = find_resource(f"{name}/{ABOUT_FILE}")
    return None if about is None else about.parent


def find_model(
    model: str | Path,
    *,
    revision: str | None = None,
    complete: bool = True,
    download: bool = True,
    refresh: bool = False,
    progress: ByteProgress | None = None,
) -> Path:
    """The folder of a model: one of `BUILT_IN`, a local folder, or a hub id.

    complete: whether all that a model needs must be there. The other arguments, and the errors,
    are those of `find_checkpoint`.
    """
    required = REQUIRED_FILES if complete else ()
    if not is_built_in(model):
        return find_checkpoint(
            model,
            required=required,
            optional=(ABOUT_FILE,),
            revision=revision,
            download=download,
            refresh=refresh,
            progress=progress,
        )
    if revision is not None:
        raise CheckpointError(f"{model}: a built-in model has no revisions, but one was given")
    folder = built_in_folder(str(model))
    if folder is None:
        places = ", ".join(map(str, resource_folders()))
        raise CheckpointError(
            f"{model}: this installation lacks its built-in model (looked in {places}); install "
            f"MLX Music anew, or get {MODEL_NAME} with `mlx-music download`"
        )
    return find_checkpoint(folder, required=required)


def installed_folder(
    model: str | Path, revision: str | None = None, *, complete: bool = True
) -> Path | None:
    """The folder of a model that can be used without a download, or None."""
    try:
        return find_model(model, revision=revision, complete=complete, download=False)
    except CheckpointError:
        return None


def models_on_disk() -> list[ModelOnDisk]:
    """The built-in models, and those in the hub's cache that have the published layout."""
    built_in = [(name, built_in_folder(name)) for name in BUILT_IN]
    return [_built_in(name, folder) for name, folder in built_in if folder is not None] + [
        ModelOnDisk(
            installed.repo_id,
            installed.path,
            installed.nbytes,
            installed.missing,
            installed.revisions,
            installed.commit,
            *_described(installed.repo_id, installed.path),
        )
        for installed in installed_models(REQUIRED_FILES)
    ]


def _built_in(name: str, folder: Path) -> ModelOnDisk:
    files = (path for path in folder.rglob("*") if path.is_file())
    nbytes = sum(
        path.stat().st_size
        for path in files
        if NOT_OF_THE_MODEL.isdisjoint(path.relative_to(folder).parts)
    )
    about, problem = _described(name, folder)
    missing = tuple(missing_files(folder, REQUIRED_FILES))
    return ModelOnDisk(name, folder, nbytes, missing, about=about, problem=problem)


def _described(model: str, folder: Path) -> tuple[AboutModel | None, str]:
    """What a model says of itself, or what is wrong with that."""
    if not (folder / ABOUT_FILE).is_file():
        return (PUBLISHED if model == MODEL_ID else None), ""
    try:
        return read_about(folder), ""
    except CheckpointError as error:
        return None, str(error)
