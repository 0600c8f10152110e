"""What is published under which name, and in which files. So light that `--help` can use it."""

from __future__ import annotations

from mlx_music.weights.component_files import weight_alternatives
from mlx_music.weights.requirements import Requirement

MODEL_ID = "ACE-Step/ACE-Step-v1-3.5B"
MODEL_NAME = "ACE-Step v1"
MODEL_LICENCE = "Apache License 2.0"
MODEL_SIZE = "8.3 GB"

#: The model that comes with MLX Music.
SKETCH = "sketch"

TEXT_ENCODER = "umt5-base"
TRANSFORMER = "ace_step_transformer"
DCAE_FOLDER = "music_dcae_f8c8"
VOCODER = "music_vocoder"
FOLDERS = (TRANSFORMER, DCAE_FOLDER, VOCODER, TEXT_ENCODER)

#: What a checkpoint must hold; several names where the published layout allows several.
REQUIRED_FILES: tuple[Requirement, ...] = (
    *(f"{folder}/config.json" for folder in FOLDERS),
    *(weight_alternatives(folder) for folder in FOLDERS),
    f"{TEXT_ENCODER}/tokenizer.json",
)
