"""LoRA adapters on a network at run time: several at once, each with a weight that can change.

The network's own weights are never touched. A layer that an adapter is for is put into an
`AdaptedLayer`, and comes out of it again, the very same object, with its last adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn

from mlx_music.errors import CheckpointError, InvalidRequest
from mlx_music.limits import MAX_LORA_WEIGHT, MIN_LORA_WEIGHT
from mlx_music.weights.download import ByteProgress
from mlx_music.weights.loading import use_every_tensor
from mlx_music.weights.lora_file import (
    WEIGHT_FILES,
    LoraFile,
    LoraLayer,
    find_lora,
    read_lora,
    spellings,
)
from mlx_music.weights.misfit import Sanitize, Tensors
from mlx_music.weights.safetensors_file import TensorInfo


@dataclass(frozen=True)
class _Term:
    """What one adapter adds to one layer: scale * (x A^T) B^T."""

    down: mx.array
    up: mx.array
    scale: float

    def added_to(self, y: mx.array, x: mx.array) -> mx.array:
        return mx.addmm(y, x @ self.down.T, self.up.T, alpha=self.scale)


class AdaptedLayer(nn.Module):
    """A linear layer, quantized or not, with adapters. Attributes are those of the layer."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self.base = base
        # Private to MLX's modules: no parameters, which are the network's own.
        self._terms: tuple[_Term, ...] = ()

    def __call__(self, x: mx.array) -> mx.array:
        y = self.base(x)
        for term in self._terms:
            y = term.added_to(y, x)
        return y

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if "base" not in self:
            raise AttributeError(name)
        return getattr(self["base"], name)


class ActiveAdapter(NamedTuple):
    """An adapter that was added. `notes` tells in a line each what of its file is not applied."""

    name: str
    weight: float
    path: Path
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Adapter:
    """An adapter in memory; `terms` by the path of each layer, with the scale at a weight of 1."""

    name: str
    weight: float
    path: Path
    notes: tuple[str, ...]
    terms: Mapping[str, _Term]


def _unchanged(tensors: Tensors) -> Tensors:
    return tensors


class AdapterSet:
    """The adapters of one network.

    `sanitize` and `unused` are those with which the network's checkpoint is loaded: an adapter
    names and shapes its tensors like the published layers, and may be for layers that the network
    leaves out because they never influence the output.

    Everything is checked before anything is changed, so a failing call leaves the network and the
    adapters on it as they were. Adapters work on the thread on which they were added.
    """

    def __init__(
        self,
        network: nn.Module | None = None,
        *,
        sanitize: Sanitize = _unchanged,
        unused: Callable[[str], bool] = use_every_tensor,
    ) -> None:
        self._network = network
        self._sanitize = sanitize
        self._unused = unused
        self._adapters: dict[str, _Adapter] = {}

    @property
    def active(self) -> list[ActiveAdapter]:
        """Name, weight, path and notes of each adapter, in the order in which they were added."""
        return [
            ActiveAdapter(adapter.name, adapter.weight, adapter.path, adapter.notes)
            for adapter in self._adapters.values()
        ]

    def add(
        self,
        path_or_id: str | Path,
        *,
        name: str | None = None,
        weight: float = 1.0,
        revision: str | None = None,
        download: bool = True,
        progress: ByteProgress | None = None,
    ) -> ActiveAdapter:
        """Load an adapter and apply it with `weight`, beside those that are there.

        `path_or_id` is a safetensors file, a folder with one, or a hub id; `name` is by default
        that of the file, folder or repository. `revision`, `download` and `progress` are for a
        hub id, as in `find_checkpoint`.

        Raises CheckpointError, naming file and tensor, for what is no whole adapter of this
        network, and InvalidRequest for a weight out of range and a name that is taken.
        """
        _check_weight(weight)
        path = find_lora(path_or_id, revision=revision, download=download, progress=progress)
        name = _default_name(path_or_id, path) if name is None else name
        if not name or name in self._adapters:
            problem = f"{name!r} is in use; give another one" if name else "is empty"
            raise InvalidRequest("name", problem)
        network = self._attached()
        file = read_lora(path)
        terms, notes = _fitted(file, network, self._sanitize, self._unused)
        adapter = _Adapter(name, weight, path, notes, terms)
        self._adapters[name] = adapter
        self._apply(adapter.terms)
        return self.active[-1]

    def set_weight(self, name: str, weight: float) -> None:
        """Change an adapter's weight, -3 to 3. Raises InvalidRequest."""
        _check_weight(weight)
        adapter = replace(self._named(name), weight=weight)
        self._adapters[name] = adapter
        self._apply(adapter.terms)

    def remove(self, name: str) -> None:
        """Take an adapter off and forget it. Without adapters the network is what it was, bit by
        bit. Raises InvalidRequest for a name that is not there."""
        adapter = self._named(name)
        del self._adapters[name]
        self._apply(adapter.terms)

    def clear(self) -> None:
        """Remove every adapter."""
        for name in list(self._adapters):
            self.remove(name)

    def detach(self) -> None:
        """Take all adapters off the network and let go of it, so that its memory can be freed.

        They stay loaded, for `attach`.
        """
        for adapter in self._adapters.values():
            self._apply(adapter.terms, without=True)
        self._network = None

    def attach(self, network: nn.Module) -> None:
        """Put all adapters on `network`: the same one, or one opened anew from its checkpoint."""
        if network is self._network:
            return
        if self._network is not None:
            self.detach()
        self._network = network
        for adapter in self._adapters.values():
            self._apply(adapter.terms)

    def _named(self, name: str) -> _Adapter:
        if name not in self._adapters:
            there = ", ".join(map(repr, self._adapters)) or "none"
            raise InvalidRequest("name", f"no adapter is called {name!r}; there are: {there}")
        return self._adapters[name]

    def _attached(self) -> nn.Module:
        assert self._network is not None, "attach a network first"
        return self._network

    def _apply(self, paths: Mapping[str, object], *, without: bool = False) -> None:
        """Give the layers at `paths` the terms that the adapters now have for them."""
        if self._network is None:
            return
        for path in paths:
            terms = () if without else tuple(self._terms_of(path))
            _set_terms(self._network, path, terms)

    def _terms_of(self, path: str) -> Iterator[_Term]:
        for adapter in self._adapters.values():
            term = adapter.terms.get(path)
            if term is not None and adapter.weight != 0.0:
                yield replace(term, scale=term.scale * adapter.weight)


def _check_weight(weight: float) -> None:
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not number or not MIN_LORA_WEIGHT <= weight <= MAX_LORA_WEIGHT:
        raise InvalidRequest(
            "weight",
            f"{weight!r} is out of range; it must be {MIN_LORA_WEIGHT:g} to {MAX_LORA_WEIGHT:g}",
        )


def _default_name(path_or_id: str | Path, path: Path) -> str:
    """What to call an adapter: its file's name if that says something, else its folder's."""
    given = Path(path_or_id).expanduser()
    if given != path:  # a folder, or a hub id
        return given.resolve().name
    return path.resolve().parent.name if path.name in WEIGHT_FILES else path.stem


def _set_terms(network: nn.Module, path: str, terms: tuple[_Term, ...]) -> None:
    parent, key = _place(network, path)
    layer = parent[key]
    if isinstance(layer, AdaptedLayer):
        if not terms:
            parent[key] = layer.base
        else:
            layer._terms = terms
    elif terms:
        adapted = AdaptedLayer(layer)
        adapted._terms = terms
        parent[key] = adapted


def _place(network: nn.Module, path: str) -> tuple[Any, Any]:
    """The module or list that holds the layer at `path`, and its key there."""
    parent: Any = network
    *parents, last = path.split(".")
    for part in parents:
        parent = parent[int(part)] if isinstance(parent, list) else parent[part]
    return parent, int(last) if isinstance(parent, list) else last


def _layers(network: nn.Module) -> dict[str, Any]:
    """Path and layer of everything that an adapter can be for, without adapters."""
    found: dict[str, Any] = {}
    for path, layer in network.named_modules():
        if isinstance(layer, AdaptedLayer):
            found[path] = layer.base
        elif isinstance(layer, nn.Linear | nn.QuantizedLinear):
            found[path] = layer
    adapted = [path for path, layer in network.named_modules() if isinstance(layer, AdaptedLayer)]
    for path in adapted:
        found.pop(f"{path}.base")
    return found


def _fitted(
    file: LoraFile, network: nn.Module, sanitize: Sanitize, unused: Callable[[str], bool]
) -> tuple[dict[str, _Term], tuple[str, ...]]:
    """The adapter's terms by the path of their layers, read and checked; and notes."""
    layers, arrays = _layers(network), file.arrays()
    terms: dict[str, _Term] = {}
    skipped, unknown = 0, []
    for lora in file.layers:
        place = _located(lora, arrays.pop(lora.down.name), layers, sanitize)
        up = arrays.pop(lora.up.name)
        if place is not None:
            path, down = place
            if path in terms:
                raise CheckpointError(
                    f"{file.path}: tensor {lora.down.name!r}: another one is for the same layer"
                )
            terms[path] = _term(lora, path, layers[path], down, up)
        elif any(map(unused, spellings(lora.name))):
            skipped += 1
        else:
            unknown.append(lora)
    if unknown:
        more = f" (and {len(unknown) - 1} more)" if len(unknown) > 1 else ""
        raise CheckpointError(
            f"{file.path}: tensor {unknown[0].down.name!r}: this model has no linear layer"
            f" {unknown[0].name!r}{more}; the adapter is of another model"
        )
    notes = file.notes
    if skipped:
        notes += (f"{skipped} layers are left out: they have no influence on the output",)
    return terms, notes


def _located(
    lora: LoraLayer, down: mx.array, layers: Mapping[str, Any], sanitize: Sanitize
) -> tuple[str, mx.array] | None:
    """The path of an adapter's layer, and its A in the layer's layout.

    A is shaped like the weight as it is published, only with fewer rows, so what turns that
    weight into the module's does it for A.
    """
    for name in spellings(lora.name):
        try:
            made = sanitize({f"{name}.weight": down})
        except (KeyError, ValueError, IndexError):  # no weight of a plain matrix
            made = {f"{name}.weight": down}
        for key, array in made.items():
            path = key.removesuffix(".weight")
            if path in layers:
                return path, array
    return None


def _term(lora: LoraLayer, path: str, layer: Any, down: mx.array, up: mx.array) -> _Term:
    """The factors for one layer, read and checked, in the dtype in which it computes."""
    outputs, inputs, dtype = _dimensions(layer)
    if down.shape != (lora.rank, inputs):
        raise _misfit(lora.down, path, f"takes {inputs} inputs")
    if up.shape[0] != outputs or up.size != outputs * lora.rank:
        raise _misfit(lora.up, path, f"gives {outputs} outputs")
    term = _Term(down.astype(dtype), up.reshape(outputs, -1).astype(dtype), lora.scale)
    for info, array in ((lora.down, term.down), (lora.up, term.up)):
        if not _is_finite(array, info):
            raise CheckpointError(
                f"{info.path}: tensor {info.name!r} holds values that are not finite numbers; the"
                " adapter is damaged"
            )
    return term


def _is_finite(array: mx.array, info: TensorInfo) -> bool:
    """Read a factor now, and check it."""
    try:
        mx.eval(array)
    except RuntimeError as error:
        # MLX has one exception type for everything; only its reader's own is about the file.
        if "[read]" not in str(error):
            raise
        raise CheckpointError(f"{info.path}: reading the adapter failed ({error})") from error
    finite = mx.all(mx.isfinite(array)).item()
    return bool(finite)


def _dimensions(layer: Any) -> tuple[int, int, mx.Dtype]:
    """Outputs, inputs and compute dtype of a layer."""
    rows, columns = layer.weight.shape
    if isinstance(layer, nn.QuantizedLinear):
        return rows, columns * 32 // layer.bits, layer.scales.dtype
    return rows, columns, layer.weight.dtype


def _misfit(info: TensorInfo, path: str, wanted: str) -> CheckpointError:
    return CheckpointError(
        f"{info.path}: tensor {info.name!r} has shape {info.shape}, but layer {path!r} {wanted};"
        " the adapter is of another model"
    )
