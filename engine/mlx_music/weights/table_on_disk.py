"""An embedding whose table stays in its file: a call reads the rows that it asks for.

A text encoder's table can be most of its weights, and a prompt uses a few hundred rows of it. On
a graphics card, and on a Mac, whose memory is the graphics card's, the table would be there for
nothing.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from mlx_music.errors import CheckpointError
from mlx_music.weights.json_file import unreadable
from mlx_music.weights.safetensors_file import TensorInfo


class StoredTable:
    """A matrix in a safetensors file, of which rows can be read.

    dtype is what the rows have in the file, and `shape` the table's. The file is kept open, so
    that a model goes on working when its folder is moved, renamed or replaced.

    Raises CheckpointError for a file that cannot be opened.
    """

    def __init__(self, info: TensorInfo, dtype: mx.Dtype) -> None:
        self.shape = info.shape
        self.dtype = dtype
        self._info = info
        self._row_nbytes = info.nbytes // max(info.shape[0], 1)
        try:
            self._file = os.open(info.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError as error:
            raise unreadable(info.path, error) from error
        weakref.finalize(self, os.close, self._file)

    def read(self, rows: list[int]) -> mx.array:
        """The rows of these numbers, (len(rows), columns), in the dtype of the file.

        Raises CheckpointError for a row that the table does not have, and a read that fails.
        """
        info, size = self._info, self._row_nbytes
        read = np.empty((len(rows), size), dtype=np.uint8)
        for place, row in enumerate(rows):
            if not 0 <= row < self.shape[0]:
                raise CheckpointError(
                    f"{info.path}: tensor {info.name!r} has {self.shape[0]:,} rows, and row"
                    f" {row:,} is asked for; the tokenizer is of another model"
                )
            try:
                raw = os.pread(self._file, size, info.start + row * size)
            except OSError as error:
                raise unreadable(info.path, error) from error
            if len(raw) != size:
                raise CheckpointError(
                    f"{info.path}: tensor {info.name!r}: the file has become shorter"
                )
            read[place] = np.frombuffer(raw, dtype=np.uint8)
        return mx.array(read).view(self.dtype)


@dataclass(frozen=True)
class _Packing:
    """How rows are quantized: in the file (`scales` and `biases` lie there), or once read."""

    group_size: int
    bits: int
    scales: StoredTable | None = None
    biases: StoredTable | None = None


class EmbeddingOnDisk(nn.Module):
    """What `nn.Embedding` or `nn.QuantizedEmbedding` gives, bit for bit, without their memory.

    It has no parameters. dtype is what floating rows are cast to (None: that of the file).
    """

    def __init__(
        self, table: StoredTable, dtype: mx.Dtype | None, packing: _Packing | None = None
    ) -> None:
        super().__init__()
        self._table = table
        self._dtype = dtype
        self._packing = packing

    @property
    def weight(self) -> StoredTable:
        """The table, for its shape."""
        return self._table

    @property
    def bits(self) -> int | None:
        """Bits of a quantized weight; None if the table is not quantized."""
        return None if self._packing is None else self._packing.bits

    def __call__(self, ids: mx.array) -> mx.array:
        """Rows (..., columns) of int ids (...). Waits for the ids, which select what is read."""
        wanted, places = np.unique(np.array(ids), return_inverse=True)
        rows = self._rows(wanted.tolist())
        return rows[mx.array(places.reshape(ids.shape).astype(np.int32))]

    def to_quantized(self, group_size: int, bits: int, mode: str = "affine") -> EmbeddingOnDisk:
        """The same with rows that are quantized when they were read, as `nn.quantize` asks for.

        Groups do not reach over rows, so the values are those of the table quantized as a whole.
        """
        if self._packing is not None or mode != "affine":
            raise ValueError("a table is quantized once, in the affine mode")
        return EmbeddingOnDisk(self._table, self._dtype, _Packing(group_size, bits))

    def _rows(self, numbers: list[int]) -> mx.array:
        weight, packing = self._cast(self._table.read(numbers)), self._packing
        if packing is None:
            return weight
        if packing.scales is None or packing.biases is None:
            weight, scales, biases = mx.quantize(weight, packing.group_size, packing.bits)
        else:
            scales = self._cast(packing.scales.read(numbers))
            biases = self._cast(packing.biases.read(numbers))
        return mx.dequantize(weight, scales, biases, packing.group_size, packing.bits)

    def _cast(self, rows: mx.array) -> mx.array:
        if self._dtype is None or not mx.issubdtype(rows.dtype, mx.floating):
            return rows
        return rows.astype(self._dtype)


def leave_on_disk(
    module: nn.Module,
    path: str,
    weights: dict[str, mx.array],
    published: Mapping[str, mx.array],
    infos: Mapping[str, TensorInfo],
    dtype: mx.Dtype | None,
) -> None:
    """Replace the embedding at `path` by one on disk, and take its tensors out of `weights`.

    weights: what `module` would be given, by its own names, before any cast; published: the same
    arrays by the names of the file, and `infos` where they lie. A table must be in the file as
    the module has it, or there are no rows to read.
    """
    layer = dict(module.named_modules())[path]
    tables = {}
    leaves: dict[str, mx.array] = dict(tree_flatten(layer.parameters()))
    for leaf in leaves:
        array = weights.pop(f"{path}.{leaf}")
        name = next((name for name, other in published.items() if other is array), None)
        if name is None:
            raise ValueError(f"{path}.{leaf} is not in the file as the module has it")
        tables[leaf] = StoredTable(infos[name], array.dtype)
    packing = None
    if isinstance(layer, nn.QuantizedEmbedding):
        packing = _Packing(layer.group_size, layer.bits, tables["scales"], tables["biases"])
    elif not isinstance(layer, nn.Embedding):
        raise ValueError(f"{path} is no embedding")
    rows = EmbeddingOnDisk(tables["weight"], dtype, packing)
    module.update_modules(tree_unflatten([(path, rows)]))
