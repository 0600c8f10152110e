"""LoRA adapters as they are published: which file it is, what it holds, how it is scaled.

LoRA (Hu et al., 2021, arXiv 2106.09685) adds scale * (x A^T) B^T to what a layer gives, with
A (rank, inputs) and B (outputs, rank). In files they are called `lora_A` and `lora_B` (PEFT,
diffusers), `lora.down` and `lora.up` (older diffusers) or `lora_down` and `lora_up` (kohya-ss).

The scale is alpha / rank, or alpha / sqrt(rank) when it is rank-stabilised (Kalajdzievski, 2023,
arXiv 2312.03732). PEFT and diffusers keep alpha in a configuration: `adapter_config.json`, or the
file's metadata. Where there is none, diffusers takes 1, and so does the reference of ACE-Step,
even if the file has `alpha` tensors: it asks diffusers to read them, but diffusers has no such
option. In kohya-ss's spelling those tensors are the only place of alpha, and they count.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlx_music.errors import CheckpointError
from mlx_music.weights.download import ByteProgress
from mlx_music.weights.hub import find_checkpoint
from mlx_music.weights.json_file import read_json_object
from mlx_music.weights.safetensors_file import TensorInfo, read_header

#: Names of the weights in a folder or repository: those of diffusers, and of PEFT.
WEIGHT_FILES = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
CONFIG_FILE = "adapter_config.json"

#: Where diffusers keeps PEFT's configuration in a file's metadata.
_METADATA_KEY = "lora_adapter_metadata"
_CONFIG_KEYS = ("r", "lora_alpha", "use_rslora")

#: What programs put before a layer's name.
_PREFIXES = ("base_model.model.", "transformer.", "diffusion_model.")

_FACTOR = re.compile(
    r"(?P<layer>.+)\.(?P<factor>lora_A|lora_B|lora_down|lora_up|lora\.down|lora\.up)"
    r"(?:\.(?P<adapter>[^.]+))?\.weight"
)
_ALPHA = re.compile(r"(?P<layer>.+)\.alpha")
_FLOATS = ("F32", "F16", "BF16")

#: Files of PyTorch that can run code when they are read.
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")

#: What else adapters are made of, and this does not do.
_UNSUPPORTED = {
    "magnitude": "DoRA",
    "dora_scale": "DoRA",
    "lora_embedding": "LoRA of an embedding",
    "lora_B.bias": "LoRA with a bias",
    "lora_bias": "LoRA with a bias",
    "lokr": "LoKr",
    "hada": "LoHa",
}


@dataclass(frozen=True)
class LoraLayer:
    """The two factors for one layer, named as in the file; nothing is read yet."""

    name: str
    down: TensorInfo
    up: TensorInfo
    rank: int
    scale: float


@dataclass(frozen=True)
class LoraFile:
    """A readable adapter. `notes` says in a line each what of the file is not applied."""

    path: Path
    layers: tuple[LoraLayer, ...]
    notes: tuple[str, ...]

    def arrays(self) -> dict[str, mx.array]:
        """The file's tensors by name, still unread."""
        try:
            opened = mx.load(str(self.path))
        except RuntimeError as error:
            raise CheckpointError(f"{self.path}: MLX cannot open it ({error})") from error
        assert isinstance(opened, dict), "a safetensors file gives names and arrays"
        return opened


def spellings(name: str) -> Iterator[str]:
    """A layer's name as it stands in a file, and then without what programs put before it."""
    yield name
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            yield from spellings(name.removeprefix(prefix))


def find_lora(
    path_or_id: str | Path,
    *,
    revision: str | None = None,
    download: bool = True,
    progress: ByteProgress | None = None,
) -> Path:
    """The weight file of an adapter: a file, a folder with one, or a hub id "org/name".

    The other arguments are those of `find_checkpoint`. Raises CheckpointError if there is none.
    """
    path = Path(path_or_id).expanduser()
    if path.suffix == ".safetensors" and not path.is_dir():
        return path
    if path.is_file() or path.suffix in _PICKLES:
        raise CheckpointError(f"{path}: not a safetensors file, the only kind that is read")
    if path.is_dir():
        return _file_in(path)
    # The second is satisfied by the weights if there is no configuration.
    required = (WEIGHT_FILES, (CONFIG_FILE, *WEIGHT_FILES))
    folder = find_checkpoint(
        path_or_id, required=required, revision=revision, download=download, progress=progress
    )
    return _file_in(folder)


def read_lora(path: Path) -> LoraFile:
    """Read what the file says it holds. Only `alpha` tensors are read.

    Raises CheckpointError, naming file and tensor, for anything but a whole LoRA adapter.
    """
    header = read_header(path)
    if not header.tensors:
        raise CheckpointError(f"{path}: the file holds no tensors")
    found = _Found.of(path, header.tensors)
    config = _Config.of(path, header.metadata)
    layers, ignored = [], 0
    for name, (down, up) in found.pairs().items():
        rank = _rank(down, up)
        config.check_rank(name, rank, down)
        alpha = found.alphas.get(name)
        counts = config.takes_alpha_tensors or down.name.endswith("lora_down.weight")
        if alpha is not None and not counts:
            alpha, ignored = None, ignored + 1
        value = None if alpha is None else _number(alpha)
        layers.append(LoraLayer(name, down, up, rank, config.scale(name, rank, value)))
    notes: tuple[str, ...] = ()
    if ignored and not config.alpha_known:
        notes = (
            f"{ignored} alpha tensors are not applied, as in the reference; the weight alone"
            " scales this adapter",
        )
    return LoraFile(path, tuple(layers), notes)


def _file_in(folder: Path) -> Path:
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    others = sorted(folder.glob("*.safetensors"))
    if len(others) == 1:
        return others[0]
    found = "several safetensors files; name one of them" if others else "no safetensors file"
    raise CheckpointError(f"{folder}: no {WEIGHT_FILES[0]}, and {found}")


@dataclass(frozen=True)
class _Found:
    """The tensors of a file by the layer that they are for."""

    path: Path
    downs: dict[str, TensorInfo]
    ups: dict[str, TensorInfo]
    alphas: dict[str, TensorInfo]

    @classmethod
    def of(cls, path: Path, tensors: Mapping[str, TensorInfo]) -> _Found:
        found = cls(path, {}, {}, {})
        if not any(_FACTOR.fullmatch(name) for name in tensors):
            raise CheckpointError(
                f"{path}: not a LoRA adapter: {_what_else(next(iter(tensors)), tensors)}"
            )
        for name, info in tensors.items():
            found._sort(name, info)
        return found

    def _sort(self, name: str, info: TensorInfo) -> None:
        factor, alpha = _FACTOR.fullmatch(name), _ALPHA.fullmatch(name)
        if factor is not None:
            layer = factor["layer"]
            down = factor["factor"] in ("lora_A", "lora_down", "lora.down")
            table = self.downs if down else self.ups
        elif alpha is not None:
            layer, table = alpha["layer"], self.alphas
        else:
            raise CheckpointError(f"{self.path}: {_what_else(name, {name: info})}")
        if layer in table:
            raise CheckpointError(
                f"{self.path}: tensor {name!r}: another one is for the same layer; give a file"
                " with a single adapter"
            )
        table[layer] = info

    def pairs(self) -> dict[str, tuple[TensorInfo, TensorInfo]]:
        for ours, others, missing in ((self.downs, self.ups, "B"), (self.ups, self.downs, "A")):
            for layer, info in ours.items():
                if layer not in others:
                    raise CheckpointError(
                        f"{self.path}: tensor {info.name!r} has no lora_{missing} beside it; the"
                        " file is incomplete"
                    )
        return {layer: (down, self.ups[layer]) for layer, down in self.downs.items()}


def _what_else(name: str, tensors: Mapping[str, TensorInfo]) -> str:
    for tensor in tensors:
        for mark, kind in _UNSUPPORTED.items():
            if mark in tensor:
                return f"tensor {tensor!r}: this is {kind}, which is not supported"
    return f"tensor {name!r} is no part of one"


def _rank(down: TensorInfo, up: TensorInfo) -> int:
    for info in (down, up):
        if info.dtype not in _FLOATS:
            raise CheckpointError(
                f"{info.path}: tensor {info.name!r} has dtype {info.dtype}, not one of"
                f" {', '.join(_FLOATS)}"
            )
        if len(info.shape) < 2 or 0 in info.shape:
            raise CheckpointError(
                f"{info.path}: tensor {info.name!r} has shape {info.shape}, which is no matrix"
            )
    if down.shape[0] != up.shape[1]:
        raise CheckpointError(
            f"{down.path}: the ranks do not agree: tensor {down.name!r} has {down.shape[0]}, but"
            f" {up.name!r} has {up.shape[1]}"
        )
    return down.shape[0]


def _number(info: TensorInfo) -> float:
    if math.prod(info.shape) != 1 or info.dtype not in _FLOATS:
        raise CheckpointError(f"{info.path}: tensor {info.name!r} is not one number")
    with info.path.open("rb") as file:
        file.seek(info.start)
        raw = file.read(info.nbytes)
    if info.dtype == "BF16":  # the upper half of a float32
        raw = b"\0\0" + raw
    value = float(np.frombuffer(raw, "<f2" if info.dtype == "F16" else "<f4")[0])
    if not math.isfinite(value):
        raise CheckpointError(f"{info.path}: tensor {info.name!r} is {value}")
    return value


@dataclass(frozen=True)
class _Config:
    """What PEFT's configuration says of ranks and scales; `source` names where it stands."""

    source: str
    values: Mapping[str, Any]

    @classmethod
    def of(cls, path: Path, metadata: Mapping[str, str]) -> _Config:
        """The one in the file's metadata, or that beside the file, or an empty one."""
        values: Any = _from_metadata(path, metadata)
        source = f"{path}: its metadata"
        if not values and (path.parent / CONFIG_FILE).is_file():
            source = str(path.parent / CONFIG_FILE)
            values = read_json_object(path.parent / CONFIG_FILE)
        if not isinstance(values, dict):
            raise CheckpointError(f"{source}: the configuration is not a JSON object")
        # diffusers' pipelines put the network's name before every key.
        config = cls(source, {key.rpartition(".")[2]: value for key, value in values.items()})
        config._check()
        return config

    def _check(self) -> None:
        def check(key: str, good: Callable[[Any], bool]) -> None:
            value = self.values.get(key)
            if value is not None and not good(value):
                raise CheckpointError(f"{self.source}: {key} cannot be {value!r}")

        check("use_rslora", lambda value: isinstance(value, bool))
        check("r", _is_positive)
        check("lora_alpha", _is_positive)
        check("rank_pattern", _is_pattern)
        check("alpha_pattern", _is_pattern)

    @property
    def alpha_known(self) -> bool:
        return self.values.get("lora_alpha") is not None

    @property
    def takes_alpha_tensors(self) -> bool:
        """Whether it says how alpha is meant, but not what it is."""
        return self.values.get("use_rslora") is not None and not self.alpha_known

    def scale(self, layer: str, rank: int, alpha: float | None) -> float:
        """alpha over the rank, or its root; alpha is the rank where it is not given."""
        if self.alpha_known:
            alpha = self._pattern("alpha_pattern", layer, self.values["lora_alpha"])
        if alpha is None:
            alpha = rank
        return alpha / (math.sqrt(rank) if self.values.get("use_rslora") else rank)

    def check_rank(self, layer: str, rank: int, down: TensorInfo) -> None:
        expected = self._pattern("rank_pattern", layer, self.values.get("r"))
        if expected is not None and expected != rank:
            raise CheckpointError(
                f"{down.path}: tensor {down.name!r} has rank {rank}, but {self.source} says"
                f" {expected}"
            )

    def _pattern(self, key: str, layer: str, default: Any) -> Any:
        """The value for a layer: patterns are regular expressions for the end of its name."""
        for pattern, value in (self.values.get(key) or {}).items():
            if any(re.fullmatch(rf"(.*\.)?({pattern})", name) for name in spellings(layer)):
                return value
        return default


def _from_metadata(path: Path, metadata: Mapping[str, str]) -> Any:
    try:
        if _METADATA_KEY in metadata:
            return json.loads(metadata[_METADATA_KEY])
        # Metadata are texts, and some programs write Python's `True` there.
        return {key: json.loads(metadata[key].lower()) for key in _CONFIG_KEYS if key in metadata}
    except ValueError as error:
        raise CheckpointError(f"{path}: its metadata are not valid JSON ({error})") from error


def _is_positive(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


def _is_pattern(value: Any) -> bool:
    if not isinstance(value, dict) or not all(map(_is_positive, value.values())):
        return False
    try:
        return all(re.compile(pattern) for pattern in value)
    except re.error:
        return False
