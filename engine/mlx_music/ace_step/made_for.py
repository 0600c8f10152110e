"""What was made of weights is good for as long as they are the same."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten


@dataclass(frozen=True, eq=False)
class MadeFor:
    """The thread and the arrays that something was made in and of, compiled functions above all:
    what MLX compiles belongs to one thread, and has arrays in it that are replaced elsewhere."""

    thread: int
    weights: Sequence[mx.array]

    @classmethod
    def now(cls, *networks: nn.Module) -> MadeFor:
        """This thread, and the networks' parameters as they are."""
        arrays = dict(tree_flatten([network.parameters() for network in networks])).values()
        return cls(threading.get_ident(), list(arrays))

    def is_still(self, now: MadeFor) -> bool:
        """Whether it is the same thread and the very same arrays."""
        if self.thread != now.thread or len(self.weights) != len(now.weights):
            return False
        return all(ours is theirs for ours, theirs in zip(self.weights, now.weights, strict=True))
