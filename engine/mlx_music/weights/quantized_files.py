"""Write a component's weights quantized, one tensor at a time.

A safetensors file starts with a header that gives every tensor's place. All sizes follow from the
original's headers, so the new header can be written first, and then tensor after tensor is read,
quantized, written and let go of: what is in memory at a time is the largest tensor, not the model.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import mlx.core as mx
import mlx.nn as nn
import numpy as np

from mlx_music.errors import CheckpointError
from mlx_music.weights.component_files import INDEX_SUFFIX, ComponentFiles
from mlx_music.weights.json_file import unreadable
from mlx_music.weights.loading import load_component, read_config, use_every_tensor
from mlx_music.weights.misfit import Sanitize
from mlx_music.weights.quantization import (
    CONFIG_KEY,
    KindOf,
    Plan,
    QuantizationConfig,
    QuantizationReport,
    kind_of_layer,
    matrices,
    plan,
    stored_entry,
)
from mlx_music.weights.safetensors_file import DTYPE_BITS, TensorInfo

#: Dtypes of weights that can be quantized, by their name in a file and in MLX.
_FLOATS = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16}

_COPIED_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class _Stored:
    """A tensor of the new file; its bytes come from the old file, or from the layer's matrix."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: TensorInfo | None = None

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * DTYPE_BITS[self.dtype] // 8


@dataclass(frozen=True)
class QuantizedComponent:
    """A component as it will be written: everything is decided and checked, nothing written.

    `nbytes` is the size of the new weight file, `steps` how often `write` reports progress.
    """

    folder: Path
    config: QuantizationConfig
    network: nn.Module
    planned: Plan
    files: ComponentFiles
    tensors: tuple[_Stored, ...]
    header: bytes

    @classmethod
    def of(
        cls,
        network: nn.Module,
        folder: Path,
        config: QuantizationConfig,
        *,
        sanitize: Sanitize,
        unused: Callable[[str], bool] = use_every_tensor,
        kind_of: KindOf = kind_of_layer,
    ) -> QuantizedComponent:
        """Plan the quantization of the component in `folder`, whose module is `network`.

        Tensors that `unused` names are left out of the new file. Those of layers that are not
        quantized are copied byte for byte under their published names, and `sanitize` will turn
        them into the module's when the new file is loaded; a quantized layer has the module's
        own names and layout (`weight`, `scales`, `biases`).

        Raises CheckpointError as `load_component` does for files that do not suit the network,
        and for a component that is quantized already; InvalidRequest if no layer can be.
        """
        folder = Path(folder)
        if CONFIG_KEY in read_config(folder):
            raise CheckpointError(
                f"{folder}: this checkpoint is quantized already; start from the original weights"
            )
        # No values are read here; the arrays, which the module now has, are read one by one.
        load_component(network, folder, sanitize=sanitize, unused=unused)
        planned = plan(network, config, kind_of, folder.name)
        files = ComponentFiles.open(folder)
        used = {name: info for name, info in files.tensors.items() if not unused(name)}
        stored = tuple(_new_tensors(network, planned, config.group_size, used, sanitize))
        header = _header(stored, files.metadata)
        return cls(folder, config, network, planned, files, stored, header)

    @property
    def file_name(self) -> str:
        """Name of the new weight file: the old one's, or that of which the old ones are shards."""
        name = self.files.source.name
        return f"{name.removesuffix(INDEX_SUFFIX)}.safetensors" if INDEX_SUFFIX in name else name

    @property
    def nbytes(self) -> int:
        return len(self.header) + sum(tensor.nbytes for tensor in self.tensors)

    @property
    def steps(self) -> int:
        return len(self.tensors)

    def write(self, folder: Path, on_step: Callable[[], None] = lambda: None) -> QuantizationReport:
        """Write weights and `config.json` to `folder`, which must exist.

        The module's matrices are gone afterwards. `on_step` is called after each tensor and may
        raise. OSError if the system fails, CheckpointError if the original cannot be read.
        """
        layers: dict[str, Any] = dict(matrices(self.network))
        with (Path(folder) / self.file_name).open("wb") as file:
            file.write(self.header)
            parts: dict[str, mx.array] = {}
            for tensor in self.tensors:
                if tensor.source is not None:
                    _copy(tensor.source, file)
                else:
                    path, _, leaf = tensor.name.rpartition(".")
                    if leaf == "weight":
                        parts = self._quantized(path, layers[path])
                    _write(parts.pop(leaf), tensor, file)
                on_step()
            file.flush()
            os.fsync(file.fileno())
        config = read_config(self.folder)
        config[CONFIG_KEY] = stored_entry(self.config, self.planned.bits)
        text = json.dumps(config, indent=2) + "\n"
        (Path(folder) / "config.json").write_text(text, encoding="utf-8")
        return QuantizationReport(
            self.planned.bits,
            self.planned.kept,
            sum(info.nbytes for info in self.files.tensors.values()),
            sum(tensor.nbytes for tensor in self.tensors),
        )

    def _quantized(self, path: str, layer: Any) -> dict[str, mx.array]:
        """The arrays of a quantized layer; its own matrix is let go of."""
        bits = self.planned.bits[path]
        weight, scales, biases = mx.quantize(layer.weight, self.config.group_size, bits)
        with _reading(self.files.source):
            mx.eval(weight, scales, biases)
        layer.weight = mx.zeros((0,))
        # Else MLX keeps the memory for arrays of the same size, of which most come only once.
        mx.clear_cache()
        return {"weight": weight, "scales": scales, "biases": biases}


def _new_tensors(
    network: nn.Module,
    planned: Plan,
    group_size: int,
    used: Mapping[str, TensorInfo],
    sanitize: Sanitize,
) -> Iterator[_Stored]:
    layers: dict[str, Any] = dict(matrices(network))
    done: set[str] = set()
    for info in used.values():
        path = _quantized_layer(info, planned, sanitize)
        if path is None:
            yield _Stored(info.name, info.dtype, info.shape, info)
        elif path not in done:  # tied weights are published under several names
            done.add(path)
            if info.dtype not in _FLOATS:
                raise CheckpointError(
                    f"{info.path}: tensor {info.name!r}: weights of dtype {info.dtype} cannot be"
                    f" quantized; {', '.join(_FLOATS)} can"
                )
            rows, columns = layers[path].weight.shape
            groups = (rows, columns // group_size)
            packed = (rows, columns * planned.bits[path] // 32)
            yield _Stored(f"{path}.weight", "U32", packed)
            yield _Stored(f"{path}.scales", info.dtype, groups)
            yield _Stored(f"{path}.biases", info.dtype, groups)
    missing = planned.bits.keys() - done
    assert not missing, f"layers that no single tensor makes: {sorted(missing)}"


def _quantized_layer(info: TensorInfo, planned: Plan, sanitize: Sanitize) -> str | None:
    """The path of the layer whose matrix a tensor becomes, if that layer is quantized."""
    stand_in = mx.zeros(info.shape, _FLOATS.get(info.dtype, mx.float32))  # never evaluated
    try:
        made = sanitize({info.name: stand_in})
    except KeyError:  # one of several tensors that are fused: no layer that is a plain matrix
        return None
    for name in made:
        path, _, leaf = name.rpartition(".")
        if leaf == "weight" and path in planned.bits:
            return path
    return None


def _header(tensors: tuple[_Stored, ...], metadata: Mapping[str, str]) -> bytes:
    """Length and JSON, padded so that the data starts at a multiple of 8."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    position = 0
    for tensor in tensors:
        end = position + tensor.nbytes
        entries[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": (position, end),
        }
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _copy(info: TensorInfo, file: BinaryIO) -> None:
    for chunk in _chunks(info):
        file.write(chunk)


def _chunks(info: TensorInfo) -> Iterator[bytes]:
    left = info.nbytes
    try:
        with info.path.open("rb") as source:
            source.seek(info.start)
            while left and (chunk := source.read(min(left, _COPIED_AT_ONCE))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise unreadable(info.path, error) from error
    if left:
        raise CheckpointError(f"{info.path}: tensor {info.name!r}: the file has become shorter")


def _write(array: mx.array, tensor: _Stored, file: BinaryIO) -> None:
    assert (array.shape, array.nbytes) == (tensor.shape, tensor.nbytes), tensor.name
    # As bytes, because NumPy has no bfloat16.
    file.write(np.asarray(array.view(mx.uint8)).data)


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    """Turn the failure of a read, which happens at evaluation, into a CheckpointError."""
    try:
        yield
    except RuntimeError as error:
        if "[read]" not in str(error):
            raise
        raise CheckpointError(f"{source}: reading the weights failed ({error})") from error
