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
    def window(cls, start: int, stop: int, size: int, length: int) -> Tile:
        """The tile [start, stop) amid `size` positions of `length`: moved inwards at the ends."""
        low = max(0, min(start - (size - (stop - start)) // 2, length - size))
        return cls(start, stop, low, min(length, low + size))

    def take(self, x: mx.array, axis: int, scale: int = 1) -> mx.array:
        """What to compute on: the tile and its halo, from the whole `x`.

        `scale` is the number of entries of `x` along `axis` per position.
        """
        return _slice(x, axis, self.low * scale, self.high * scale)

    def wanted(self, x: mx.array, axis: int) -> mx.array:
        """The tile without its halo, from the whole `x`."""
        return _slice(x, axis, self.start, self.stop)

    def trim(self, x: mx.array, axis: int, scale: int = 1) -> mx.array:
        """The wanted part of `x`, the result computed from what `take` gave."""
        first = (self.start - self.low) * scale
        return _slice(x, axis, first, first + (self.stop - self.start) * scale)


def tiles(length: int, size: int | None, halo: int, period: int = 1) -> Iterator[Tile]:
    """Tiles of about `size` positions that cover `length`; None: one tile.

    All are computed on equally many positions, halo included, and those are a multiple of
    `period`: a GPU needs kernels for each shape, and plans for each convolution, which cost more
    than what the last tile computes again. So at the ends of the axis tiles see further than they
    need. An axis no longer than that is one tile.
    """
    if size is not None and size < 1:
        raise ValueError(f"tile size {size}: must be at least 1")
    seen = length if size is None else -(-(size + 2 * halo) // period) * period
    start = 0
    while start < length:
        low = max(0, min(start - halo, length - seen))
        high = min(length, low + seen)
        stop = high - halo if high < length else length
        yield Tile(start, stop, low, high)
        start = stop


def middle(x: mx.array, axis: int, size: int) -> mx.array:
    """The middle of `x`, of at most `size` positions."""
    start = max(0, x.shape[axis] - size) // 2
    return _slice(x, axis, start, start + size)


def _slice(x: mx.array, axis: int, start: int, stop: int) -> mx.array:
    return x[(slice(None),) * axis + (slice(start, stop),)]
