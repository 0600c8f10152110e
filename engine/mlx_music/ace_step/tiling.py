"""Cutting a long time axis into tiles that give exactly what the whole would give.

A stack of convolutions sees a bounded number of neighbours. A tile is therefore computed with
that many extra positions on each side (the halo), which are dropped again from its result. At
the true ends of the axis there is no halo, so the network's own padding happens where it would
have happened in the whole. The results differ only by the order of float sums.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mlx.core as mx


@dataclass(frozen=True)
class Tile:
    """Positions [start, stop) are wanted; [low, high) are computed, halo included."""

    start: int
    stop: int
    low: int
    high: int

    @classmethod
    def around(cls, start: int, stop: int, halo: int, length: int) -> Tile:
        """The tile [start, stop) of an axis of `length` positions, with its halo."""
        return cls(start, stop, max(0, start - halo), min(length, stop + halo))

    def take(self, x: mx.array, axis: int, scale: int = 1) -> mx.array:
        """What to compute on: the tile and its halo, from the whole `x`.

        `scale` is the number of entries of `x` along `axis` per position.
        """
        return _slice(x, axis, self.low * scale, self.high * scale)

    def trim(self, x: mx.array, axis: int, scale: int = 1) -> mx.array:
        """The wanted part of `x`, the result computed from what `take` gave."""
        first = (self.start - self.low) * scale
        return _slice(x, axis, first, first + (self.stop - self.start) * scale)


def tiles(length: int, size: int | None, halo: int) -> Iterator[Tile]:
    """Tiles of `size` positions (the last may be shorter) that cover `length`; None: one tile."""
    if size is not None and size < 1:
        raise ValueError(f"tile size {size}: must be at least 1")
    step = size or max(length, 1)
    for start in range(0, length, step):
        yield Tile.around(start, min(start + step, length), halo, length)


def _slice(x: mx.array, axis: int, start: int, stop: int) -> mx.array:
    return x[(slice(None),) * axis + (slice(start, stop),)]
