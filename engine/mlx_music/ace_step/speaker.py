"""Speaker embeddings, for checkpoints that were trained with one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music.errors import CheckpointError

#: A file (.npy, or .safetensors with one tensor) or the numbers themselves.
SpeakerEmbedding = str | os.PathLike[str] | npt.NDArray[Any]


def load_speaker(embedding: SpeakerEmbedding | None, size: int) -> mx.array:
    """The embedding as (1, size) float32; zeros for None.

    The published checkpoint has no speaker encoder and was released with zeros: other numbers
    mean nothing to it. Raises `CheckpointError` for a file that cannot be read and for numbers
    that are not `size` finite ones.
    """
    if embedding is None:
        return mx.zeros((1, size))
    if isinstance(embedding, str | os.PathLike):
        path = Path(os.path.expanduser(embedding))
        name, values = str(path), _read(path)
    else:
        name, values = "speaker_embedding", np.asarray(embedding)
    if values.size != size or not np.issubdtype(values.dtype, np.number):
        raise CheckpointError(
            f"{name}: a speaker embedding of this model is {size} numbers, "
            f"not {values.dtype} of shape {values.shape}"
        )
    values = values.astype(np.float32).reshape(1, size)
    if not np.isfinite(values).all():
        raise CheckpointError(f"{name}: holds values that are not finite numbers")
    return mx.array(values)


def _read(path: Path) -> npt.NDArray[Any]:
    if path.suffix == ".safetensors":
        from mlx_music.weights.safetensors_file import read_header

        names = list(read_header(path).tensors)
        if len(names) != 1:
            raise CheckpointError(f"{path}: holds {len(names)} tensors; an embedding is one")
        # MLX reads every dtype that safetensors has and NumPy lacks, bfloat16 above all.
        (tensor,) = mx.load(str(path)).values()  # type: ignore[union-attr]
        return np.array(tensor.astype(mx.float32))
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, EOFError) as error:
        raise CheckpointError(f"{path}: is no .npy or .safetensors file of numbers") from error
