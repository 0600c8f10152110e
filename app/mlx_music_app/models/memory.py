"""How much memory a model works in, and how much this machine has."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlx_music import CheckpointError
from mlx_music.ace_step.about import AboutModel, read_about
from mlx_music.ace_step.published import DCAE_FOLDER, FOLDERS, TEXT_ENCODER, TRANSFORMER, VOCODER
from mlx_music.weights.component_files import ComponentFiles
from mlx_music_app.models.words import size_in_words

#: Numbers in the published model's transformer, the largest part, before it is here to be looked
#: at; and the bytes of its other networks that stay in memory.
PUBLISHED_TRANSFORMER = 2_588_427_392
PUBLISHED_OTHERS = 1_110_000_000

#: Tokens of a condition: a long prompt and the lyrics of a whole song, as guided steps have them.
_TOKENS = 1_000


@dataclass(frozen=True)
class MemoryNeed:
    """Bytes. least: with each network let go when it has done its part. comfortable: with all of
    them kept for the next run. limit: what the engine plans with on this machine."""

    least: int
    comfortable: int
    limit: int

    @property
    def fits(self) -> bool:
        return self.least <= self.limit

    @property
    def text(self) -> str:
        """One line for a person."""
        needs = f"Needs about {size_in_words(self.least)} of memory"
        machine = size_in_words(machine_memory())
        if self.fits:
            return f"{needs}; this machine has {machine}"
        return (
            f"{needs}, and this machine has {machine}, of which {size_in_words(self.limit)} are "
            "for music; a smaller copy needs less"
        )


def machine_memory() -> int:
    """Bytes of memory in this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def memory_need(folder: Path | None, limit_gb: float) -> MemoryNeed:
    """What the checkpoint in `folder` needs; None is the published one, which is not here yet.

    limit_gb: the person's limit, 0 for the engine's. Imports MLX, which takes a moment: not for
    the main thread. Reads headers only.
    """
    from mlx_music import backend
    from mlx_music.ace_step.memory import GIGABYTE, default_limit, plan_residency

    limit = int(limit_gb * GIGABYTE) if limit_gb > 0 else default_limit()
    working = _working_bytes(folder)
    if folder is None:
        least = PUBLISHED_TRANSFORMER * backend.dtype_of(None).size + working
        return MemoryNeed(least, least + PUBLISHED_OTHERS, limit)
    sizes = {name: _computed_bytes(folder, name) for name in FOLDERS}
    sound = sizes[DCAE_FOLDER] + sizes[VOCODER]
    least, most = (
        plan_residency(sizes[TEXT_ENCODER], sizes[TRANSFORMER], sound, given, working).peak_bytes
        for given in (0, sys.maxsize)
    )
    return MemoryNeed(least, most, limit)


def memory_needs(
    folders: Mapping[str, Path | None], limit_gb: float
) -> dict[str, MemoryNeed | None]:
    """`memory_need` of several models by their ids; None for one whose files are damaged."""
    needs: dict[str, MemoryNeed | None] = {}
    for model_id, folder in folders.items():
        try:
            needs[model_id] = memory_need(folder, limit_gb)
        except CheckpointError:  # its card says so already
            needs[model_id] = None
    return needs


def _working_bytes(folder: Path | None) -> int:
    """Bytes beside the weights for the model's longest song, guided."""
    from mlx_music import backend
    from mlx_music.ace_step.dcae import frames_of
    from mlx_music.ace_step.memory import Workload
    from mlx_music.ace_step.transformer import TransformerConfig
    from mlx_music.weights.loading import read_config

    about, config = AboutModel(), TransformerConfig()
    if folder is not None:
        about = read_about(folder)
        config = TransformerConfig.from_dict(read_config(folder / TRANSFORMER))
    work = Workload(frames_of(about.max_duration), passes=2, tokens=_TOKENS)
    return max(work.sampling_bytes(config, backend.dtype_of(None)), work.decoding_bytes())


def _computed_bytes(folder: Path, name: str) -> int:
    """Bytes of a component's weights as they are computed with."""
    from mlx_music import backend
    from mlx_music.ace_step.components import NETWORKS

    width = backend.dtype_of(None).size if name == TRANSFORMER else 4
    network = NETWORKS[name]
    left_on_disk = {f"{path}.weight" for path in network.on_disk}
    total = 0
    for tensor in ComponentFiles.open(folder / name).tensors.values():
        if network.unused(tensor.name) or tensor.name in left_on_disk:
            continue
        floats = {"F32": 4, "F16": 2, "BF16": 2}.get(tensor.dtype)
        total += tensor.nbytes if floats is None else tensor.nbytes // floats * width
    return total
