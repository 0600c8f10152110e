"""Checkpoints: find, download, verify, load, quantize and adapt them. Knows no network by name.

For users of the library are `QuantizationConfig` and `quantize_model`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlx_music.weights.quantization import QuantizationConfig, quantize_model

__all__ = ["QuantizationConfig", "quantize_model"]


# On first use, because MLX comes with them, and finding a checkpoint does not need it.
def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("mlx_music.weights.quantization"), name)
