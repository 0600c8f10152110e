"""Small files for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_adapter(file: Path) -> Path:
    """A LoRA adapter for one layer, of rank 4."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        "transformer_blocks.0.attn.to_q.lora_A.weight": np.ones((4, 8), np.float32),
        "transformer_blocks.0.attn.to_q.lora_B.weight": np.ones((8, 4), np.float32),
    }
    save_file(tensors, str(file))
    return file
