"""Stand-ins that keep a test quick by leaving out what it is not about."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np

from mlx_music.ace_step.components import Components
from mlx_music.ace_step.sources import samples_of
from mlx_music.progress import Progress


class SilentAutoencoder:
    """Decodes to silence of the right length, for tests that look at latents alone."""

    def decode(self, latents: mx.array, sample_rate: int, progress: Progress) -> np.ndarray:
        return np.zeros((2, samples_of(latents.shape[2], sample_rate)), dtype=np.float32)


class SilentComponents(Components):
    """The networks of a checkpoint but for its autoencoder, which takes most of a run's time."""

    @property
    def autoencoder(self) -> Any:
        return SilentAutoencoder()
