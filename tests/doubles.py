"""Stand-ins that keep a test quick by leaving out what it is not about."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from mlx_music.ace_step.components import Components
from mlx_music.ace_step.dcae import SAMPLE_RATE, SAMPLES_PER_LATENT
from mlx_music.progress import Progress


class SilentAutoencoder:
    """Decodes to silence of the right length, for tests that look at latents alone."""

    notes = ()

    def encode(self, audio: np.ndarray, sample_rate: int) -> mx.array:
        native = -(-audio.shape[1] * SAMPLE_RATE // sample_rate)
        return mx.zeros((1, 16, -(-native // SAMPLES_PER_LATENT), 8))

    def decode(
        self, latents: mx.array, sample_rate: int, progress: Progress, on_mel: object = None
    ) -> np.ndarray:
        native = latents.shape[2] * SAMPLES_PER_LATENT
        return np.zeros((2, -(-native * sample_rate // SAMPLE_RATE)), dtype=np.float32)


class SilentComponents(Components):
    """The networks of a checkpoint but for its autoencoder, which takes most of a run's time."""

    @property
    def autoencoder(self) -> Any:
        return SilentAutoencoder()


#: What the stand-in for the built-in model says of itself, as the true one does.
SKETCH = {
    "name": "Sketch",
    "licence": "MIT License",
    "max_duration": 30,
    "sings": False,
    "erg": False,
    "defaults": {
        "duration": 2.5,
        "num_inference_steps": 3,
        "guidance_scale": 4.0,
        "use_erg_tag": False,
        "use_erg_lyric": False,
        "use_erg_diffusion": False,
    },
}


def write_sketch(checkpoint: Path, resources: Path) -> Path:
    """Put the networks of `checkpoint` into the folder `resources` as the built-in model.

    It counts while the environment's MLX_MUSIC_RESOURCES is `resources`.
    """
    folder = resources / "sketch"
    shutil.copytree(checkpoint, folder, copy_function=os.link)
    (folder / "model.json").write_text(json.dumps(SKETCH))
    return folder
