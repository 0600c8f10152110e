"""float16 for convolutions on a GPU, where it takes half the time and memory: music decides.

Weights that were never tried in it may need more range than it has. So the first music that they
make is made in both, and they keep what they are where more of it is heard than should be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten


def try_float16(
    networks: Sequence[nn.Module],
    convert: Callable[[], None],
    make: Callable[[], mx.array],
    is_music: Callable[[mx.array], bool],
    is_heard: Callable[[mx.array, mx.array], bool],
) -> bool | None:
    """Leave `networks` in float16, to which `convert` takes them, unless it is heard in what they
    `make`; whether it is left. None, and nothing changed, if that is no music.

    is_heard: of what is made in float16, and of what was made before.
    """
    exact = make()
    if not is_music(exact):
        return None
    weights, fits = [network.parameters() for network in networks], False
    try:
        convert()
        fits = not is_heard(make(), exact)
    finally:  # also when it is interrupted
        if not fits:
            for network, own in zip(networks, weights, strict=True):
                network.update(own)
    return fits


def bytes_saved(networks: Sequence[nn.Module]) -> int:
    """By which the float32 arrays of networks would shrink in float16."""
    arrays = dict(tree_flatten([network.parameters() for network in networks])).values()
    return sum(array.nbytes // 2 for array in arrays if array.dtype == mx.float32)
