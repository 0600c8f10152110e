"""Which files of a checkpoint a model needs, and which of them a folder or a hub repository has."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from mlx_music.weights.component_files import INDEX_SUFFIX, shard_names

#: A relative file name ("component/config.json"), or names of which the first present one counts
#: (`weight_alternatives`). Where that is an index of shards, its shards are required with it.
Requirement = str | Sequence[str]


def missing_files(folder: Path, required: Sequence[Requirement]) -> list[str]:
    """The required files that a local checkpoint lacks, by their first names."""
    chosen, missing = _choose(required, lambda name: (folder / name).is_file())
    for name in chosen:
        if name.endswith(INDEX_SUFFIX):
            beside = name.rpartition("/")[0]
            shards = sorted(set(shard_names(folder / name).values()))
            names = (f"{beside}/{shard}" if beside else shard for shard in shards)
            missing += [shard for shard in names if not (folder / shard).is_file()]
    return missing


def select_files(
    available: Collection[str], required: Sequence[Requirement]
) -> tuple[list[str], list[str]]:
    """Of a repository's file names: those to download, and the required ones it lacks."""
    chosen, missing = _choose(required, available.__contains__)
    for name in list(chosen):
        if name.endswith(INDEX_SUFFIX):
            shards = name.removesuffix(INDEX_SUFFIX) + "-*.safetensors"
            chosen += sorted(other for other in available if fnmatch.fnmatchcase(other, shards))
    return list(dict.fromkeys(chosen)), missing


def _choose(
    required: Sequence[Requirement], exists: Callable[[str], bool]
) -> tuple[list[str], list[str]]:
    chosen, missing = [], []
    for requirement in required:
        names = (requirement,) if isinstance(requirement, str) else requirement
        found = next(filter(exists, names), None)
        if found is None:
            missing.append(names[0])
        else:
            chosen.append(found)
    return chosen, missing
