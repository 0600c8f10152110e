"""What a checkpoint consists of, from the headers of its files; no weights are read."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

from mlx_music.cli.text import count_in_words, size_in_words
from mlx_music.errors import CheckpointError


def model_facts(folder: Path) -> dict[str, Any]:
    """Sizes, dtypes and parameters of every component in a checkpoint's folder.

    Raises `CheckpointError` for damaged files, and for a folder without components.
    """
    from mlx_music.weights.component_files import WEIGHT_NAMES

    with_weights = [
        path
        for path in (folder, *sorted(folder.iterdir()))
        if any((path / name).is_file() for name in WEIGHT_NAMES)
    ]
    if not with_weights:
        raise CheckpointError(f"{folder}: no model in this folder (it has no weights)")
    components = [_component_facts(path) for path in with_weights]
    return {
        "path": str(folder),
        "nbytes": sum(component["nbytes"] for component in components),
        "parameters": sum(component["parameters"] for component in components),
        "components": components,
    }


def _component_facts(folder: Path) -> dict[str, Any]:
    from mlx_music.weights.component_files import ComponentFiles

    files = ComponentFiles.open(folder)
    parameters: Counter[str] = Counter()
    for tensor in files.tensors.values():
        parameters[tensor.dtype] += math.prod(tensor.shape)
    return {
        "name": folder.name,
        "files": [path.name for path in files.paths],
        "nbytes": files.nbytes,
        "tensors": len(files.tensors),
        "parameters": parameters.total(),
        "dtypes": dict(parameters.most_common()),
    }


def print_model(facts: dict[str, Any]) -> None:
    """Print `model_facts` as a table."""
    print(facts["path"])
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
