"""The weight files of one component of a checkpoint: a single file, or shards with an index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from mlx_music.errors import CheckpointError
from mlx_music.weights.json_file import REPAIR, read_json_object
from mlx_music.weights.safetensors_file import SafetensorsHeader, TensorInfo, read_header

INDEX_SUFFIX = ".safetensors.index.json"

#: Names under which components are published, in the order in which they are looked for.
WEIGHT_NAMES = (
    "model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "model.safetensors.index.json",
    "diffusion_pytorch_model.safetensors.index.json",
)


def weight_alternatives(folder: str) -> tuple[str, ...]:
    """Every relative name the weights of the component in `folder` may have in a checkpoint."""
    return tuple(f"{folder}/{name}" if folder else name for name in WEIGHT_NAMES)


@dataclass(frozen=True)
class ComponentFiles:
    """The valid headers of one component's files. Listing what they hold reads no tensor.

    `source` is the file to name to a person: the weight file, or the index of the shards.
    """

    source: Path
    headers: tuple[SafetensorsHeader, ...]

    @classmethod
    def open(cls, path: Path) -> ComponentFiles:
        """Open a component's folder, a safetensors file, or an index of shards.

        Raises CheckpointError for a missing folder, file or shard, a damaged file, and shards
        that do not hold what their index says.
        """
        path = Path(path)
        source = path if path.is_file() else _find_source(path)
        if source.name.endswith(INDEX_SUFFIX):
            return cls(source, _read_shards(source))
        return cls(source, (read_header(source),))

    @cached_property
    def tensors(self) -> Mapping[str, TensorInfo]:
        """Every tensor by its published name, over all files."""
        return {name: info for header in self.headers for name, info in header.tensors.items()}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The safetensors files."""
        return tuple(header.path for header in self.headers)

    @property
    def metadata(self) -> Mapping[str, str]:
        """The free text entries of the headers; the first file wins."""
        merged: dict[str, str] = {}
        for header in self.headers:
            merged = {**header.metadata, **merged}
        return merged

    @property
    def nbytes(self) -> int:
        """Size of the safetensors files in bytes."""
        return sum(header.size for header in self.headers)


def shard_names(index: Path) -> Mapping[str, str]:
    """The file name of the shard of every tensor, from an index file."""
    weight_map: Any = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{index}: it has no 'weight_map'; {REPAIR}")
    for tensor, shard in weight_map.items():
        # A shard lies beside its index: a path out of the folder is never followed.
        if not isinstance(shard, str) or not _is_plain_name(shard):
            raise CheckpointError(
                f"{index}: tensor {tensor!r}: {shard!r} is not a file name; {REPAIR}"
            )
    return weight_map


def _is_plain_name(name: str) -> bool:
    return name != "" and PurePosixPath(name).name == name and "\\" not in name


def _find_source(folder: Path) -> Path:
    if not folder.is_dir():
        raise CheckpointError(f"{folder}: no such folder or file; {REPAIR}")
    for name in WEIGHT_NAMES:
        if (folder / name).is_file():
            return folder / name
    raise CheckpointError(
        f"{folder}: no weights in this folder ({WEIGHT_NAMES[0]}, {WEIGHT_NAMES[1]}, or shards of"
        f" them); {REPAIR}"
    )


def _read_shards(index: Path) -> tuple[SafetensorsHeader, ...]:
    shard_of = shard_names(index)
    headers = {}
    for shard in sorted(set(shard_of.values())):
        path = index.parent / shard
        if not path.is_file():
            raise CheckpointError(f"{path}: this shard of {index.name} is missing; {REPAIR}")
        headers[shard] = read_header(path)
    for tensor, shard in shard_of.items():
        if tensor not in headers[shard].tensors:
            raise CheckpointError(
                f"{index.parent / shard}: tensor {tensor!r}: {index.name} lists it here, but it is"
                f" missing; {REPAIR}"
            )
    for shard, header in headers.items():
        for tensor in header.tensors:
            if shard_of.get(tensor) != shard:
                raise CheckpointError(
                    f"{header.path}: tensor {tensor!r}: {index.name} does not list it here;"
                    f" {REPAIR}"
                )
    return tuple(headers.values())
