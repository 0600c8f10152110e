"""Quantization of a network's matrices: which layer gets how many bits, and doing it in memory.

MLX's affine mode: the weights of a group of neighbouring inputs share a scale and an offset, in
the dtype of the weights, and each weight is an integer of a few bits. A group size of 64 costs
half a bit per weight in 16-bit dtypes.

Knows no network by name. A layer's kind comes from its path (`kind_of_layer`, or a function that
a network with other names brings along).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_music.errors import CheckpointError, InvalidRequest
from mlx_music.weights.table_on_disk import EmbeddingOnDisk

LayerKind = Literal["attention", "feed_forward", "other"]
KindOf = Callable[[str], LayerKind]

#: What MLX's affine mode offers in every version that this package runs with.
BITS = (2, 3, 4, 6, 8)
GROUP_SIZES = (32, 64, 128)

#: Where `config.json` of a component says how its weights are stored.
CONFIG_KEY = "quantization"

_FEED_FORWARD = frozenset(("ff", "ffn", "mlp", "feed_forward", "feedforward", "densereludense"))


@dataclass(frozen=True)
class QuantizationConfig:
    """Bits per weight for each kind of layer; None keeps a kind as it is.

    `group_size` weights share a scale. A layer whose input size is no multiple of it stays as it
    is, and reports say so; no other group size is put in its place.

    Raises InvalidRequest, naming the field, for values that MLX does not have.
    """

    attention: int | None = 8
    feed_forward: int | None = 8
    other: int | None = 8
    group_size: int = 64

    def __post_init__(self) -> None:
        for name in ("attention", "feed_forward", "other"):
            bits = getattr(self, name)
            if bits is not None and (isinstance(bits, bool) or bits not in BITS):
                raise InvalidRequest(name, f"{bits!r} bits are not one of {_listed(BITS)}")
        if isinstance(self.group_size, bool) or self.group_size not in GROUP_SIZES:
            raise InvalidRequest(
                "group_size", f"{self.group_size!r} is not one of {_listed(GROUP_SIZES)}"
            )

    @classmethod
    def for_speed(cls) -> QuantizationConfig:
        """4 bits everywhere: smallest and, where memory traffic is what limits, fastest."""
        return cls(attention=4, feed_forward=4, other=4)

    @classmethod
    def for_balanced(cls) -> QuantizationConfig:
        """4 bits for the feed-forward layers, which are most of the weights, and 8 elsewhere."""
        return cls(attention=8, feed_forward=4, other=8)

    @classmethod
    def for_quality(cls) -> QuantizationConfig:
        """8 bits everywhere."""
        return cls(attention=8, feed_forward=8, other=8)

    def bits_of(self, kind: LayerKind) -> int | None:
        """Bits for layers of a kind."""
        bits: int | None = getattr(self, kind)
        return bits

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, as they stand in `config.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> QuantizationConfig:
        """The configuration that `to_dict` wrote; keys that are no field of it are ignored."""
        names = {spec.name for spec in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})


#: The presets by the names that the command line gives them.
PRESETS: Mapping[str, Callable[[], QuantizationConfig]] = {
    "speed": QuantizationConfig.for_speed,
    "balanced": QuantizationConfig.for_balanced,
    "quality": QuantizationConfig.for_quality,
}


@dataclass(frozen=True)
class QuantizationReport:
    """What was quantized, and what was not.

    `bits` by the path of each quantized layer; `kept` tells of every other matrix why it stays
    as it is. `bytes_before` and `bytes_after` are the bytes of all the network's weights (in
    memory, without a table that stays on disk).
    """

    bits: Mapping[str, int]
    kept: Mapping[str, str]
    bytes_before: int
    bytes_after: int


class Quantizable(Protocol):
    """A pipeline, which knows its networks, as `quantize_model` sees it."""

    def quantize(
        self, config: QuantizationConfig, parts: Sequence[str] | None
    ) -> QuantizationReport:
        """Quantize the networks of `parts`, by default those that are worth it."""


def kind_of_layer(path: str) -> LayerKind:
    """The kind of a layer by the names that modules around it usually have."""
    parts = path.lower().split(".")
    if any("attn" in part or "attention" in part for part in parts):
        return "attention"
    return "feed_forward" if any(part in _FEED_FORWARD for part in parts) else "other"


def quantize_model(
    model: nn.Module | Quantizable,
    config: QuantizationConfig,
    *,
    parts: Sequence[str] | None = None,
    kind_of: KindOf = kind_of_layer,
) -> QuantizationReport:
    """Quantize every matrix of a network, or of a pipeline's networks, in place.

    A pipeline decides which networks that is: `ACEStep` quantizes its transformer unless `parts`
    names others. `kind_of` is for a network whose modules have unusual names.

    Raises CheckpointError, before anything is changed, for a model that is quantized already,
    and InvalidRequest if no layer fits the group size.
    """
    if not isinstance(model, nn.Module):
        return model.quantize(config, parts)
    return quantize_networks({"": model}, config, kind_of)


def quantize_networks(
    networks: Mapping[str, nn.Module],
    config: QuantizationConfig,
    kind_of: KindOf = kind_of_layer,
) -> QuantizationReport:
    """Quantize several networks in place, as `quantize_model` does: all of them, or none.

    Layers are done one after the other, so that memory falls as it goes. Paths in the report
    start with the network's name.
    """
    plans = {name: plan(network, config, kind_of, name) for name, network in networks.items()}
    report = QuantizationReport({}, {}, 0, 0)
    for name, network in networks.items():
        report = _joined(report, name, _quantize(network, plans[name], config.group_size))
    return report


@dataclass(frozen=True)
class Plan:
    """`bits` of each layer to quantize, and why every other matrix is kept, by path."""

    bits: Mapping[str, int]
    kept: Mapping[str, str]


def plan(network: nn.Module, config: QuantizationConfig, kind_of: KindOf, name: str = "") -> Plan:
    """Decide about every matrix of `network`, called `name`. Raises as `quantize_model` does."""
    where = f" of {name}" if name else ""
    bits: dict[str, int] = {}
    kept: dict[str, str] = {}
    for path, layer in matrices(network):
        if _is_quantized(layer):
            raise CheckpointError(
                f"this model is quantized already (layer {path!r}{where} has {layer.bits} bits);"
                " start from the original weights"
            )
        inputs, wanted = layer.weight.shape[-1], config.bits_of(kind_of(path))
        if wanted is None:
            kept[path] = "the configuration keeps this kind of layer"
        elif inputs % config.group_size:
            kept[path] = f"its input size {inputs} is no multiple of {config.group_size}"
        else:
            bits[path] = wanted
    if not bits:
        raise InvalidRequest(
            "group_size", f"no layer{where} can be quantized in groups of {config.group_size}"
        )
    return Plan(bits, kept)


def matrices(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """Path and layer of every matrix that is quantized or could be: linear layers, embeddings."""
    leaves: Any = tree_flatten(network.leaf_modules(), is_leaf=nn.Module.is_module)
    for path, layer in leaves:
        if hasattr(layer, "to_quantized") or _is_quantized(layer):
            yield path, layer


def set_bits(network: nn.Module, bits: Mapping[str, int], group_size: int) -> None:
    """Quantize the layers in `bits`. Nothing is computed before it is evaluated."""

    def settings(path: str, layer: nn.Module) -> bool | dict[str, int]:
        return {"group_size": group_size, "bits": bits[path]} if path in bits else False

    nn.quantize(network, class_predicate=settings)


def quantized_as_stored(folder: Path) -> Callable[[nn.Module, Mapping[str, Any]], None]:
    """The `prepare` of `load_component` for a component that may be stored quantized.

    It gives the layers that `config.json` lists their quantized form, in which their weights can
    then be loaded, and leaves the network of an ordinary component as it is. It raises
    CheckpointError, naming the file, for entries that do not suit the network.
    """
    file = Path(folder) / "config.json"

    def prepare(network: nn.Module, config: Mapping[str, Any]) -> None:
        stored = config.get(CONFIG_KEY)
        if stored is not None:
            set_bits(network, *_stored_layers(network, stored, file))

    return prepare


def stored_entry(config: QuantizationConfig, bits: Mapping[str, int]) -> dict[str, Any]:
    """What `config.json` says under `CONFIG_KEY`, for `quantized_as_stored` to read.

    Every layer is listed, so that a file stays readable whatever later versions choose.
    """
    return {"mode": "affine", **config.to_dict(), "layers": dict(bits)}


def _stored_layers(network: nn.Module, stored: Any, file: Path) -> tuple[Mapping[str, int], int]:
    """Bits by layer, and the group size, of a `CONFIG_KEY` entry that suits `network`."""

    def wrong(problem: str) -> CheckpointError:
        return CheckpointError(
            f"{file}: {CONFIG_KEY!r}: {problem}; quantize the original checkpoint again"
        )

    if not isinstance(stored, dict) or stored.get("mode") != "affine":
        raise wrong("this version reads only the affine mode")
    group_size, bits = stored.get("group_size"), stored.get("layers")
    if group_size not in GROUP_SIZES:
        raise wrong(f"group_size {group_size!r} is not one of {_listed(GROUP_SIZES)}")
    if not isinstance(bits, dict):
        raise wrong("it lists no layers")
    layers = dict(matrices(network))
    for path, number in bits.items():
        if path not in layers:
            raise wrong(f"this model has no layer {path!r}")
        if isinstance(number, bool) or number not in BITS:
            raise wrong(f"layer {path!r}: {number!r} bits are not one of {_listed(BITS)}")
        if layers[path].weight.shape[-1] % group_size:
            raise wrong(f"layer {path!r} has no groups of {group_size}")
    return bits, group_size


def _quantize(network: nn.Module, planned: Plan, group_size: int) -> QuantizationReport:
    before = _nbytes(network)
    set_bits(network, planned.bits, group_size)
    for path, layer in matrices(network):
        if path in planned.bits:
            # Now, and one by one: the layer's old weights are let go before the next is read.
            mx.eval(layer.parameters())
    return QuantizationReport(planned.bits, planned.kept, before, _nbytes(network))


def _joined(report: QuantizationReport, name: str, part: QuantizationReport) -> QuantizationReport:
    prefix = f"{name}." if name else ""
    return QuantizationReport(
        {**report.bits, **{prefix + path: bits for path, bits in part.bits.items()}},
        {**report.kept, **{prefix + path: why for path, why in part.kept.items()}},
        report.bytes_before + part.bytes_before,
        report.bytes_after + part.bytes_after,
    )


def _nbytes(network: nn.Module) -> int:
    arrays: Any = tree_flatten(network.parameters())
    return sum(array.nbytes for _, array in arrays)


def _is_quantized(layer: Any) -> bool:
    if isinstance(layer, EmbeddingOnDisk):
        return layer.bits is not None
    return isinstance(layer, nn.QuantizedLinear | nn.QuantizedEmbedding)


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
