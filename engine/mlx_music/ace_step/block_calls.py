"""The transformer's blocks as a run calls them: on a GPU, compiled, and portion by portion.

A block is some twenty operations, and naming them one by one takes Python as long as a GPU needs
for the half of it. A compiled function names them at once. What it computes is the same: where all
that lies between products are kernels, MLX finds nothing in it to fuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.accelerated import PROOF_FRAMES, traced
from mlx_music.ace_step.activations import on_cpu
from mlx_music.ace_step.made_for import MadeFor
from mlx_music.ace_step.operations import RotaryTables
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.transformer_blocks import Block, Change

#: Bytes that a portion should take for what lies between its operations, so that handing it over
#: costs little and several of them are not much.
_PORTION = 80_000_000

#: Portions that there is memory for: what runs, what waits so that a GPU never does, and what is
#: just being let go of.
_UNDER_WAY = 4

#: What half a block needs by kernels, in arrays like x: attention 12, the feed-forward 11.
_ARRAYS_PER_HALF = 12

#: The same on a CPU at most, by plain operations in float32.
_ARRAYS_ON_CPU = 37

#: Items on which kernels prove themselves before a function is traced.
_ITEMS = 2


@dataclass(frozen=True)
class BlockCall:
    """A block as two functions of arrays, which are `Block.attend` and `Block.feed`.

    attend: x, what is still to be added to it and the modulation that gates that (None before the
    first block), the block's own modulation, keys, values, bias, both rotary tables and the
    queries' scale (or None), to x and what is to be added to it. feed: those two and the
    modulation, to x and what is still to be added to it.
    """

    attend: Callable[..., tuple[mx.array, mx.array]]
    feed: Callable[..., tuple[mx.array, mx.array]]

    @classmethod
    def of(cls, block: Block) -> BlockCall:
        def attend(
            x: mx.array,
            value: mx.array | None,
            before: mx.array | None,
            own: mx.array,
            keys: mx.array,
            values: mx.array,
            bias: mx.array | None,
            first: mx.array,
            second: mx.array,
            query_scale: mx.array | None,
        ) -> tuple[mx.array, mx.array]:
            change = None if value is None or before is None else Change(value, before)
            rope = RotaryTables(first, second)
            return block.attend(x, change, own, keys, values, bias, rope, query_scale)

        def feed(x: mx.array, attended: mx.array, own: mx.array) -> tuple[mx.array, mx.array]:
            x, change = block.feed(x, attended, own)
            return x, change.value

        return cls(attend, feed)

    def compiled(self) -> BlockCall:
        return BlockCall(*map(_compiled, (self.attend, self.feed)))


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arrays: mx.array | None) -> Any:
        with traced():
            return function(*arrays)

    return mx.compile(call)


def fit_together(nbytes: int) -> bool:
    """Whether passes whose x has so many bytes in all are best made together.

    With more than two portions in half a block, a GPU is as fast with each by itself. A CPU has
    no portions.
    """
    return on_cpu() or _ARRAYS_PER_HALF * nbytes <= 2 * _PORTION


def bytes_under_way(nbytes: int) -> int:
    """What lies between operations, of all portions that are under way together, with what
    products need to work in."""
    if on_cpu():
        return max(2 * _PORTION, _ARRAYS_ON_CPU * nbytes)
    return _UNDER_WAY * max(_PORTION, _ARRAYS_PER_HALF * nbytes)


class Portions:
    """Hands halves of blocks over to a GPU, several at once while they are small."""

    def __init__(self, x: mx.array, pace: Pace | None) -> None:
        """x: as every block takes and gives it; pace: one for all calls of a run, or None for a
        call that stands by itself."""
        self._halves = max(1, _PORTION // (_ARRAYS_PER_HALF * x.nbytes))
        self._pace = None if on_cpu() else pace
        self._waiting = 0

    def add(self, *arrays: mx.array) -> None:
        """Take what a half made."""
        self._waiting += 1
        if self._pace is not None and self._waiting >= self._halves:
            self._pace(*arrays)
            self._waiting = 0


@dataclass(frozen=True)
class CompiledBlocks:
    """Functions of blocks. lengths: that they were made for, because MLX keeps what it compiled for
    every other one too."""

    made_for: MadeFor
    lengths: tuple[int, ...]
    calls: list[BlockCall]

    @classmethod
    def of(
        cls, blocks: list[Block], lengths: tuple[int, ...], made: CompiledBlocks | None
    ) -> CompiledBlocks | None:
        """Of `blocks` as they are now, whose weights are in memory; `made` if that still holds.

        None where it has no use or does not hold: on a CPU, and with adapters, whose weight can
        change while no array does.
        """
        if on_cpu() or not all(_is_plain(block) for block in blocks):
            return None
        now = MadeFor.now(*blocks)
        if made is not None and made.lengths == lengths and made.made_for.is_still(now):
            return made
        _prove_kernels(blocks)
        return cls(now, lengths, [BlockCall.of(block).compiled() for block in blocks])


def _is_plain(block: Block) -> bool:
    """Whether all that its layers compute with are parameters."""
    both = (block.attn, block.cross_attn)
    layers = [
        *(layer for each in both for layer in (each.to_q, each.to_k, each.to_v, *each.to_out)),
        *(block.ff.inverted_conv.conv, block.ff.point_conv.conv),
    ]
    return all(type(layer) in (nn.Linear, nn.QuantizedLinear) for layer in layers)


def _prove_kernels(blocks: list[Block]) -> None:
    """Call the first blocks once, on noise: nothing can be compared while a function is traced."""
    heads, table = blocks[0].attn.heads, blocks[0].scale_shift_table
    dim = table.shape[-1]
    keys = iter(mx.random.split(mx.random.key(0), 5))

    def noise(*shape: int) -> mx.array:
        return mx.random.normal(shape, key=next(keys))

    x, own = noise(_ITEMS, PROOF_FRAMES, dim).astype(table.dtype), noise(_ITEMS, 6, dim)
    states = noise(_ITEMS, heads, PROOF_FRAMES, dim // heads).astype(table.dtype)
    tables = noise(PROOF_FRAMES, dim // heads), noise(PROOF_FRAMES, dim // heads)
    value = None
    for call in map(BlockCall.of, blocks[:2]):
        for scale in (None, own[:, 0]):
            both = call.attend(x, value, own, own, states, states, None, *tables, scale)
        x, value = call.feed(*both, own)
    mx.eval(x, value)
