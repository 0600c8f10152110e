"""What the transformer is given beside latents: conditions, and what it makes of timesteps."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx


@dataclass(frozen=True)
class Condition:
    """What the transformer attends to: states (B, S, inner_dim) and a 0/1 mask (B, S).

    `query_scale` (B,), when given, scales the queries of `ERG_BLOCKS` of each item.
    """

    states: mx.array
    mask: mx.array
    query_scale: mx.array | None = None

    @staticmethod
    def stack(conditions: list[Condition]) -> Condition:
        """Several conditions of one length as one batch."""
        scales = [
            mx.ones(c.states.shape[0]) if c.query_scale is None else c.query_scale
            for c in conditions
        ]
        scaled = any(c.query_scale is not None for c in conditions)
        return Condition(
            mx.concatenate([c.states for c in conditions]),
            mx.concatenate([c.mask for c in conditions]),
            mx.concatenate(scales) if scaled else None,
        )


@dataclass(frozen=True)
class PreparedCondition:
    """A condition as every block sees it: keys and values, made once for all steps of a run.

    keys, values: one (B, heads, S', head_dim) per block, without positions that are masked in
    the whole batch. `bias` (B, 1, 1, S') is added to the scores; None if nothing is masked.
    `query_scale` (B, inner_dim) is float32.
    """

    keys: list[mx.array]
    values: list[mx.array]
    bias: mx.array | None
    query_scale: mx.array | None

    def repeat(self, count: int) -> PreparedCondition:
        """Each item `count` times in a row, for a batch that shares its condition."""
        if count == 1:
            return self

        def repeated(x: mx.array) -> mx.array:
            return mx.repeat(x, count, axis=0)

        return PreparedCondition(
            [repeated(k) for k in self.keys],
            [repeated(v) for v in self.values],
            None if self.bias is None else repeated(self.bias),
            None if self.query_scale is None else repeated(self.query_scale),
        )

    def items(self, start: int, stop: int) -> PreparedCondition:
        """Those items of the batch, in the same memory."""
        if (start, stop) == (0, self.keys[0].shape[0]):
            return self
        own = slice(start, stop)
        return PreparedCondition(
            [k[own] for k in self.keys],
            [v[own] for v in self.values],
            None if self.bias is None else self.bias[own],
            None if self.query_scale is None else self.query_scale[own],
        )


@dataclass(frozen=True)
class Modulation:
    """Shifts, scales and gates of timesteps, float32, with every table and the one of a scale in.

    blocks: (B, blocks, 6, inner_dim); final: (B, 2, inner_dim). B is 1 if all items of a batch
    have one timestep.
    """

    blocks: mx.array
    final: mx.array


@dataclass(frozen=True)
class Timesteps:
    """What the networks of the timesteps say of each of them, and the tables of the blocks.

    A run knows its timesteps beforehand: one product for all of them reads those weights once.
    embedded: (timesteps, inner_dim); shared: (timesteps, 6, inner_dim), what all blocks have in
    common; blocks: (blocks, 6, inner_dim), what each has of its own; final (2, inner_dim). All
    of them float32.
    """

    embedded: mx.array
    shared: mx.array
    blocks: mx.array
    final: mx.array

    def at(self, index: int) -> Modulation:
        """The modulation of the timestep at `index`, for a whole batch."""
        return self._of(slice(index, index + 1))

    def all(self) -> Modulation:
        """The modulation of a batch whose items have these timesteps."""
        return self._of(slice(None))

    def _of(self, which: slice) -> Modulation:
        return Modulation(
            self.shared[which, None] + self.blocks, self.embedded[which, None] + self.final
        )
