"""Synthetic weights in the published checkpoint layout, and the named noise of the goldens.

No trained weights are needed to compare two implementations: both derive every tensor
from its name alone. A seed is the first 8 bytes (little endian) of a sha256; the values are
PCG64 standard normals in float32, scaled by what kind of tensor it is.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

FloatArray = npt.NDArray[np.float32]

WEIGHT_FILES = {
    "ace_step_transformer": "diffusion_pytorch_model.safetensors",
    "music_dcae_f8c8": "diffusion_pytorch_model.safetensors",
    "music_vocoder": "diffusion_pytorch_model.safetensors",
    "umt5-base": "model.safetensors",
}

#: The published vocoder carries the mel filterbank and the Hann window, in bfloat16.
MEL_BUFFERS = "mel_transform.safetensors"


def _normals(label: str, shape: tuple[int, ...]) -> FloatArray:
    seed = int.from_bytes(hashlib.sha256(label.encode()).digest()[:8], "little")
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, dtype=np.float32)


def scale_and_offset(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """Keeps activations of order one through the depth: errors show and nothing overflows."""
    leaf = name.rsplit(".", 1)[-1]
    by_leaf = {
        "weight_g": (0.1, 1.0),
        "gamma": (0.05, 0.3),
        "scale_shift_table": (1.0 / math.sqrt(shape[-1]) if shape else 1.0, 0.0),
        "pos_bias_u": (0.2, 0.0),
        "pos_bias_v": (0.2, 0.0),
        "bias": (0.02, 0.0),
    }
    if leaf in by_leaf:
        return by_leaf[leaf]
    if len(shape) == 1:
        return 0.05, 1.0
    if "relative_attention_bias" in name:
        return 0.5, 0.0
    if name.endswith(("shared.weight", "embed_tokens.weight", "lyric_embs.weight")):
        return 1.0, 0.0
    return 1.0 / math.sqrt(int(np.prod(shape[1:]))), 0.0


def tensor(component: str, name: str, shape: tuple[int, ...], size: str) -> FloatArray:
    """The synthetic tensor of that name; `size` (a folder's name) salts it."""
    scale, offset = scale_and_offset(name, shape)
    values = _normals(f"{size}/{component}/{name}", shape)
    return (values * np.float32(scale) + np.float32(offset)).astype(np.float32)


def noise(label: str, shape: tuple[int, ...]) -> FloatArray:
    """The noise called `label` (which starts with the size), float32."""
    return _normals(f"noise/{label}", shape)


def read_bfloat16(path: Path) -> dict[str, FloatArray]:
    """The bfloat16 tensors of a safetensors file, widened: NumPy has no such dtype."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    widened = {}
    for name, info in header.items():
        begin, end = (start + offset for offset in info["data_offsets"])
        bits = np.frombuffer(raw[begin:end], dtype="<u2").astype(np.uint32) << 16
        widened[name] = bits.view(np.float32).reshape(info["shape"])
    return widened


def write_checkpoint(reference: Path, out: Path) -> Path:
    """Write the checkpoint described by the size folder `reference` to `out`, as published."""
    manifest = json.loads((reference / "manifest.json").read_text())
    for component, filename in WEIGHT_FILES.items():
        folder = out / component
        folder.mkdir(parents=True, exist_ok=True)
        weights = {
            name: tensor(component, name, tuple(shape), reference.name)
            for name, shape in manifest[component].items()
        }
        for extra in (reference / component).iterdir():
            if extra.name == MEL_BUFFERS:
                weights.update(read_bfloat16(extra))
            else:
                shutil.copyfile(extra, folder / extra.name)
        save_file(weights, str(folder / filename))
    return out
