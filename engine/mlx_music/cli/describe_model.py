"""What a model consists of, from the headers of its files; no weights are read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlx_music.cli.request_flags import in_flag
from mlx_music.cli.text import count_in_words, size_in_words
from mlx_music.errors import CheckpointError


def model_facts(folder: Path) -> dict[str, Any]:
    """What a model says of itself (None if nothing), and sizes, dtypes and parameters of every
    component in its folder.

    Raises `CheckpointError` for damaged files, and for a folder without components.
    """
    from mlx_music.ace_step.about import ABOUT_FILE, read_about
    from mlx_music.weights.component_files import WEIGHT_NAMES

    with_weights = [
        path
        for path in (folder, *sorted(folder.iterdir()))
        if any((path / name).is_file() for name in WEIGHT_NAMES)
    ]
    if not with_weights:
        raise CheckpointError(f"{folder}: no model in this folder (it has no weights)")
    components = [_component_facts(path) for path in with_weights]
    says = (folder / ABOUT_FILE).is_file()
    return {
        "path": str(folder),
        "about": read_about(folder).to_dict() if says else None,
        "nbytes": sum(component["nbytes"] for component in components),
        "parameters": sum(component["parameters"] for component in components),
        "components": components,
    }


def _component_facts(folder: Path) -> dict[str, Any]:
    from mlx_music.weights.component_files import ComponentFiles

    files, packed = ComponentFiles.open(folder), _packed_layers(folder)
    parameters: Counter[str] = Counter()
    for name, tensor in files.tensors.items():
        layer, _, leaf = name.rpartition(".")
        count = math.prod(tensor.shape)
        if layer not in packed or leaf == "bias":
            parameters[tensor.dtype] += count
        elif leaf == "weight":
            # Packed into words of 32 bits. The scales and offsets beside it are no parameters.
            parameters[f"{packed[layer]} bits"] += count * 32 // packed[layer]
    return {
        "name": folder.name,
        "files": [path.name for path in files.paths],
        "nbytes": files.nbytes,
        "tensors": len(files.tensors),
        "parameters": parameters.total(),
        "dtypes": dict(parameters.most_common()),
    }


def _packed_layers(folder: Path) -> Mapping[str, int]:
    """Bits per weight of each layer that is stored quantized."""
    from mlx_music.weights.json_file import read_json_object
    from mlx_music.weights.quantization import BITS, CONFIG_KEY

    config = folder / "config.json"
    stored = read_json_object(config).get(CONFIG_KEY) if config.is_file() else None
    layers = stored.get("layers") if isinstance(stored, dict) else None
    if not isinstance(layers, dict):
        return {}
    for layer, bits in layers.items():
        if bits not in BITS:
            raise CheckpointError(f"{config}: layer {layer!r} has {bits!r} bits")
    return layers


def print_model(facts: dict[str, Any]) -> None:
    """Print `model_facts` as a table."""
    print(facts["path"])
    if facts["about"] is not None:
        _print_about(Path(facts["path"]))
    rows = [
        (
            component["name"],
            size_in_words(component["nbytes"]),
            f"{count_in_words(component['parameters'])} parameters",
            f"{component['tensors']} tensors",
            ", ".join(component["dtypes"]),
        )
        for component in facts["components"]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join(cells).rstrip())
    total = f"{size_in_words(facts['nbytes'])}, {count_in_words(facts['parameters'])} parameters"
    print(f"  in all {total}")


def _print_about(folder: Path) -> None:
    from mlx_music.ace_step.about import read_about

    about = read_about(folder)
    print(f"  {about.summary}")
    own = about.own_defaults()
    if own:
        print(f"  by default: {' '.join(in_flag(name, value) for name, value in own.items())}")
