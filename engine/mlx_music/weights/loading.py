"""Strict loading of one component: every tensor of the module, and none but them, or an error.

`mx.load` opens a safetensors file without reading tensors: each array carries a pending read
that runs when the array is first evaluated, and an array that is dropped is never read. (MLX does
not map files into memory; it reads at evaluation, on macOS and Linux alike, and keeps the file
open until then.) So whatever `unused` names costs neither time nor memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_music.errors import CheckpointError
from mlx_music.weights.component_files import ComponentFiles
from mlx_music.weights.json_file import read_json_object
from mlx_music.weights.misfit import Sanitize, Tensors, check_fit, sanitized
from mlx_music.weights.safetensors_file import TensorInfo
from mlx_music.weights.table_on_disk import leave_on_disk

#: The dtypes that `mx.load` turns into arrays of the same meaning (8-bit floats become bytes).
LOADABLE_DTYPES = frozenset(
    ("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F16", "BF16", "F32", "C64")
)

#: Bytes evaluated at a time. One `mx.eval` of all parameters keeps every tensor twice, before and
#: after its cast (805 MB for 268 MB of bfloat16 from float32); in pieces of this size it is 403 MB.
_EVALUATED_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class LoadReport:
    """What loading one component did.

    `source` is the weight file, or the index of its shards; `tensors` and `file_bytes` count what
    the module uses of the published tensors, `skipped_*` what was left unread; `parameters` and
    `nbytes` are the number of values and the bytes of the module's arrays after the cast, without
    tables that stay on disk.
    """

    source: Path
    tensors: int
    file_bytes: int
    skipped_tensors: int
    skipped_bytes: int
    parameters: int
    nbytes: int


def read_config(folder: Path) -> dict[str, Any]:
    """The object in `config.json` of a component's folder.

    Raises CheckpointError that names the file, and the line of bad JSON.
    """
    return read_json_object(Path(folder) / "config.json")


def use_every_tensor(name: str) -> bool:
    """The `unused` of a component whose every published tensor matters."""
    return False


def load_component(
    module: nn.Module,
    folder: Path,
    *,
    sanitize: Sanitize,
    unused: Callable[[str], bool] = use_every_tensor,
    dtype: mx.Dtype | None = None,
    prepare: Callable[[nn.Module, Mapping[str, Any]], None] | None = None,
    on_disk: Sequence[str] = (),
    evaluate: bool = False,
) -> LoadReport:
    """Put the published tensors in `folder` into `module`, strictly.

    `unused(name)` drops published tensors before anything is read of them. `sanitize` turns the
    others, still unread arrays, into the module's names and layouts; it must not depend on the
    values, and may index names directly: one that the file lacks is reported as missing. Floating
    tensors are cast to `dtype` (None keeps the file's), integers are left alone.
    `prepare(module, config)` may change the module, given the folder's `config.json`, before the
    names are compared: there a checkpoint that is stored quantized quantizes its layers.
    `on_disk` are paths of embeddings that become an `EmbeddingOnDisk`: their tables are checked
    like every tensor, but stay in the file.

    Nothing is read until the parameters are evaluated; `evaluate=True` does so here, piece by
    piece. MLX arrays belong to the thread that makes them: load where the module is used.

    Raises CheckpointError, naming file and tensors, for damaged files, missing or surplus
    tensors, wrong shapes, and dtypes that MLX does not have.
    """
    files = ComponentFiles.open(folder)
    if prepare is not None:
        prepare(module, read_config(folder))
    used = {name: info for name, info in files.tensors.items() if not unused(name)}
    published = _open_lazily(files, used)
    weights = sanitized(sanitize, published, files.source)
    expected: Tensors = dict(tree_flatten(module.parameters()))
    check_fit(expected, weights, sanitize, published, files.source)
    for path in on_disk:
        leave_on_disk(module, path, weights, published, used, dtype)
    if dtype is not None:
        weights = {name: _cast(array, dtype) for name, array in weights.items()}
    module.load_weights(list(weights.items()), strict=False)
    file_bytes = sum(info.nbytes for info in used.values())
    report = LoadReport(
        source=files.source,
        tensors=len(used),
        file_bytes=file_bytes,
        skipped_tensors=len(files.tensors) - len(used),
        skipped_bytes=sum(info.nbytes for info in files.tensors.values()) - file_bytes,
        parameters=sum(array.size for array in weights.values()),
        nbytes=sum(array.nbytes for array in weights.values()),
    )
    if evaluate:
        # An array that is still named here would keep its values from before the cast.
        del published, weights
        evaluate_parameters(module, files.source)
    return report


def evaluate_parameters(
    module: nn.Module, source: Path, check: Callable[[], None] = lambda: None
) -> None:
    """Read the parameters of a lazily loaded module now, in pieces of a bounded size.

    `check` is called before each piece and may raise; what was read stays read. `source` is named
    in the CheckpointError that a failing read raises (a disk that goes away; MLX reports it from
    0.32.4 on).
    """
    pending: list[mx.array] = []
    parameters: Tensors = dict(tree_flatten(module.parameters()))
    for position, array in enumerate(parameters.values(), start=1):
        pending.append(array)
        if position < len(parameters) and sum(a.nbytes for a in pending) < _EVALUATED_AT_ONCE:
            continue
        check()
        try:
            mx.eval(pending)
        except RuntimeError as error:
            # MLX has one exception type for everything; only its reader's own is about the file.
            if "[read]" not in str(error):
                raise
            raise CheckpointError(f"{source}: reading the weights failed ({error})") from error
        pending = []


def _open_lazily(files: ComponentFiles, used: Mapping[str, TensorInfo]) -> Tensors:
    for name, info in used.items():
        if info.dtype not in LOADABLE_DTYPES:
            raise CheckpointError(
                f"{info.path}: tensor {name!r}: MLX has no dtype {info.dtype}; convert the file"
            )
    arrays: Tensors = {}
    for path in sorted({info.path for info in used.values()}):
        try:
            opened = mx.load(str(path))
        except RuntimeError as error:
            raise CheckpointError(f"{path}: MLX cannot open it ({error})") from error
        assert isinstance(opened, dict), "a safetensors file gives names and arrays"
        arrays |= opened
    # In the order of the files; MLX's own is random.
    return {name: arrays[name] for name in used}


def _cast(array: mx.array, dtype: mx.Dtype) -> mx.array:
    return array.astype(dtype) if mx.issubdtype(array.dtype, mx.floating) else array
