"""The goldens of a size folder, and the synthetic checkpoint that they were made with.

`pytest tests/parity --reference DIR` points every test here at another folder of the same
layout; all dimensions are read from its configs and goldens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from tests.parity import synthetic

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Reference:
    """One size folder: where it is, and what the official implementation computed there."""

    folder: Path
    stages: dict[str, Any]
    runs: dict[str, FloatArray]
    meta: dict[str, Any]

    @property
    def size(self) -> str:
        return self.folder.name

    def noise(self, label: str, shape: tuple[int, ...]) -> FloatArray:
        return synthetic.noise(f"{self.size}/{label}", shape)


@pytest.fixture(scope="session")
def reference(reference_folder: Path) -> Reference:
    goldens = reference_folder / "goldens"
    return Reference(
        folder=reference_folder,
        stages=load_file(goldens / "stages.safetensors"),
        runs=load_file(goldens / "runs.safetensors"),
        meta=json.loads((goldens / "meta.json").read_text()),
    )


def relative_error(actual: Any, expected: Any) -> float:
    """Relative L2 distance; infinite where shapes differ, so that no broadcast hides a fault."""
    actual = np.asarray(actual, dtype=np.float64)
    expected = np.asarray(expected, dtype=np.float64)
    if actual.shape != expected.shape:
        return float("inf")
    return float(np.linalg.norm(actual - expected) / np.linalg.norm(expected))
