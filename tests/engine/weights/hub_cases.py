"""What the tests of finding and downloading checkpoints share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from mlx_music.errors import CheckpointError
from mlx_music.weights.component_files import weight_alternatives
from mlx_music.weights.hub import find_checkpoint
from mlx_music.weights.requirements import Requirement

REPO = "someone/Some-Model-v1"
REQUIRED: list[Requirement] = ["part/config.json", weight_alternatives("part")]
WEIGHTS = "part/model.safetensors"


def weights(seed: int = 0, size: int = 2500) -> bytes:
    return save({"a": np.random.default_rng(seed).random(size, dtype=np.float32)})


def repository_files() -> dict[str, bytes]:
    return {
        "README.md": b"# a model",
        "part/config.json": b'{"width": 3}',
        WEIGHTS: weights(),
        "other/pytorch_model.bin": b"never wanted",
    }


def find(path_or_id: str | Path = REPO, **options: Any) -> Path:
    return find_checkpoint(path_or_id, **{"required": REQUIRED, **options})


def failure(path_or_id: str | Path = REPO, **options: Any) -> str:
    with pytest.raises(CheckpointError) as caught:
        find(path_or_id, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def partials(cache: Path) -> list[Path]:
    return list(cache.rglob("*.partial"))


def go_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
