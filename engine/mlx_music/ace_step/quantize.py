"""Quantize an ACE-Step v1 checkpoint on disk."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlx_music.ace_step.about import ABOUT_FILE
from mlx_music.ace_step.components import NETWORKS
from mlx_music.ace_step.published import (
    DCAE_FOLDER,
    FOLDERS,
    REQUIRED_FILES,
    TEXT_ENCODER,
    TRANSFORMER,
    VOCODER,
)
from mlx_music.errors import CheckpointError, InvalidRequest
from mlx_music.progress import Progress
from mlx_music.weights.component_files import INDEX_SUFFIX
from mlx_music.weights.hub import find_checkpoint
from mlx_music.weights.loading import read_config
from mlx_music.weights.quantization import QuantizationConfig, QuantizationReport
from mlx_music.weights.quantized_files import QuantizedComponent

#: What can be quantized, and the folders of a checkpoint that it lives in. The transformer has
#: most of the weights; the decoder's are convolutions, of which only few are matrices.
PARTS: Mapping[str, tuple[str, ...]] = {
    "transformer": (TRANSFORMER,),
    "text_encoder": (TEXT_ENCODER,),
    "decoder": (DCAE_FOLDER, VOCODER),
}
DEFAULT_PARTS = ("transformer",)

#: Files at the top of a checkpoint that go along with a copy of it.
_PAPERS = (ABOUT_FILE, "LICENSE*", "NOTICE*", "README*")

#: Files from this size on are shared with the original; an edit of a smaller one stays its own.
_LINKED_FROM = 1 << 20

#: Kept free beyond the checkpoint itself.
_SPARE_BYTES = 16 << 20


@dataclass(frozen=True)
class QuantizedCheckpoint:
    """A checkpoint that was written: bytes of each component's files before and after.

    `reports` says for each quantized component which layers have how many bits, and which kept
    their precision.
    """

    folder: Path
    bytes_before: Mapping[str, int]
    bytes_after: Mapping[str, int]
    reports: Mapping[str, QuantizationReport]


def folders_of(parts: Sequence[str] | None) -> list[str]:
    """The folders of the components behind `parts`, by default of `DEFAULT_PARTS`.

    Raises InvalidRequest for an unknown part.
    """
    parts = DEFAULT_PARTS if parts is None else parts
    for part in parts:
        if part not in PARTS:
            raise InvalidRequest("parts", f'"{part}" is not one of {", ".join(PARTS)}')
    if not parts:
        raise InvalidRequest("parts", f"none given; there are {', '.join(PARTS)}")
    return [folder for part in dict.fromkeys(parts) for folder in PARTS[part]]


def quantize_checkpoint(
    source: Path,
    destination: Path,
    config: QuantizationConfig,
    *,
    parts: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> QuantizedCheckpoint:
    """Write the checkpoint in the folder `source` to `destination`, with quantized weights.

    The result has the published layout and opens with `ACEStep.from_pretrained(destination)`.
    `parts` (see `PARTS`; by default the transformer) are quantized. Large files of the others are
    shared with the source where the disk can, and copied where not. Tensors that never influence
    the output are left out. In memory is one tensor at a time.

    The folder appears under its name when it is complete, or not at all. Progress counts tensors.

    Raises CheckpointError for a source that is incomplete, damaged or quantized already, a
    destination that exists, and a disk that is full or fails; InvalidRequest for an unknown part;
    Cancelled.
    """
    progress = progress or Progress()
    source, destination = Path(source), Path(destination)
    folders = folders_of(parts)
    source = find_checkpoint(source, required=REQUIRED_FILES, download=False)
    if os.path.lexists(destination):
        raise CheckpointError(f"{destination}: exists; give another name, or remove it")
    planned = {folder: _planned(source / folder, config) for folder in folders}
    others = list(_files_to_keep(source, planned))
    with _system_errors(destination), _new_folder(destination) as building:
        _check_space(building, planned, others)
        progress.start("quantize", sum(component.steps for component in planned.values()))
        for file in others:
            progress.check()
            _take_along(file, building / file.relative_to(source))
        reports = _write(planned, building, progress)
        sizes = component_bytes(building)
        _rename(building, destination)
    return QuantizedCheckpoint(destination, component_bytes(source), sizes, reports)


def component_bytes(folder: Path) -> dict[str, int]:
    """Bytes of all files of each component of a checkpoint, as the disk has them."""
    return {
        name: sum(file.stat().st_size for file in _files(folder / name))
        for name in FOLDERS
        if (folder / name).is_dir()
    }


def _planned(folder: Path, config: QuantizationConfig) -> QuantizedComponent:
    network = NETWORKS[folder.name]
    module = network.build(read_config(folder))
    return QuantizedComponent.of(
        module, folder, config, sanitize=network.sanitize, unused=network.unused
    )


def _write(
    planned: Mapping[str, QuantizedComponent], building: Path, progress: Progress
) -> dict[str, QuantizationReport]:
    done = 0

    def on_step() -> None:
        nonlocal done
        done += 1
        progress.step(done)

    reports = {}
    for name, component in planned.items():
        (building / name).mkdir(exist_ok=True)
        reports[name] = component.write(building / name, on_step)
    return reports


def _files_to_keep(source: Path, planned: Mapping[str, QuantizedComponent]) -> Iterator[Path]:
    """Every file that goes into the new checkpoint as it is."""
    for pattern in _PAPERS:
        yield from (file for file in sorted(source.glob(pattern)) if file.is_file())
    for name in FOLDERS:
        for file in _files(source / name):
            rewritten = file.name == "config.json" or file.name.endswith(
                (".safetensors", INDEX_SUFFIX)
            )
            if name not in planned or not rewritten:
                yield file


def _files(folder: Path) -> list[Path]:
    """The files in a component's folder, without hidden ones."""
    return sorted(file for file in folder.iterdir() if file.is_file() and file.name[0] != ".")


def _take_along(file: Path, copy: Path) -> None:
    copy.parent.mkdir(exist_ok=True)
    # What a link of the hub's cache leads to, not the link, which would break with the cache.
    original = file.resolve()
    if original.stat().st_size >= _LINKED_FROM:
        try:
            os.link(original, copy)
        except OSError:  # another disk, or a disk without hard links
            pass
        else:
            return
    shutil.copyfile(original, copy)


def _check_space(
    building: Path, planned: Mapping[str, QuantizedComponent], others: Sequence[Path]
) -> None:
    needed = sum(component.nbytes for component in planned.values()) + _SPARE_BYTES
    disk = building.stat().st_dev
    needed += sum(
        status.st_size for status in (file.stat() for file in others) if status.st_dev != disk
    )
    free = shutil.disk_usage(building).free
    if needed > free:
        raise CheckpointError(
            f"{building.parent}: {needed / 1e9:.1f} GB to write, but the disk has"
            f" {free / 1e9:.1f} GB free"
        )


@contextmanager
def _new_folder(destination: Path) -> Iterator[Path]:
    """A hidden folder beside `destination`, which is gone afterwards unless it was renamed."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    building = destination.with_name(f".mlx-music-{secrets.token_hex(8)}")
    building.mkdir()
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _rename(building: Path, destination: Path) -> None:
    # A rename replaces an empty folder without a word.
    if os.path.lexists(destination):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    building.rename(destination)


@contextmanager
def _system_errors(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise CheckpointError(f"{destination}: cannot be written: {reason}") from error
