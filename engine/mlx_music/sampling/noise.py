"""Where the noise of a run comes from."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

import mlx.core as mx


class Noise(Protocol):
    """Gives the noise of a run, draw by draw, in the order in which a run asks.

    `purpose` is "initial" (the latents that a run starts from), "retake", "step" (fresh noise
    of one step) or "edit". `shape` is the latents' (batch, channels, height, frames), which is
    how they are saved and compared, whatever the model computes in. Values are standard normal.
    """

    def __call__(self, purpose: str, shape: tuple[int, ...]) -> mx.array: ...


class SeededNoise:
    """Noise of item i drawn from `seeds[i]` alone, so an item does not depend on its batch.

    Each purpose has a stream of its own: a run that draws one kind of noise more leaves the
    others as they were. Retakes draw from `retake_seeds`, so that a retake with a new seed
    still starts from its original's noise.
    """

    def __init__(self, seeds: Sequence[int], retake_seeds: Sequence[int] = ()) -> None:
        self._seeds = tuple(seeds)
        self._retake_seeds = tuple(retake_seeds) or self._seeds
        self._draws: dict[str, int] = {}

    def __call__(self, purpose: str, shape: tuple[int, ...]) -> mx.array:
        draw = self._draws.get(purpose, 0)
        self._draws[purpose] = draw + 1
        seeds = self._retake_seeds if purpose == "retake" else self._seeds
        if len(seeds) != shape[0]:
            raise ValueError(f"{len(seeds)} seeds for a batch of {shape[0]}")
        rows = [mx.random.normal(shape[1:], key=_key(seed, purpose, draw)) for seed in seeds]
        return mx.stack(rows)


def _key(seed: int, purpose: str, draw: int) -> mx.array:
    # A key is two words; the stream and the draw go into one that the seed does not reach.
    return mx.random.key((zlib.crc32(f"{purpose} {draw}".encode()) << 32) | seed)
