"""Music from a prompt and lyrics, offline on Apple Silicon.

    from mlx_music import ACEStep

    model = ACEStep.from_pretrained("ACE-Step/ACE-Step-v1-3.5B")
    output = model.generate(prompt="upbeat electronic dance music, 128 bpm", duration=30.0)
    output.save("dance.wav")

Everything below is the public face; the rest may change. Names are imported when they are first
used, so that `import mlx_music` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlx_music.backend import prepare_linux
from mlx_music.version import __version__

if TYPE_CHECKING:
    from mlx_music.ace_step.about import AboutModel
    from mlx_music.ace_step.pipeline import ACEStep
    from mlx_music.errors import (
        AudioError,
        Cancelled,
        CheckpointError,
        GenerationError,
        InvalidRequest,
        LyricsError,
        MLXMusicError,
    )
    from mlx_music.output import MusicOutput
    from mlx_music.progress import Progress, ProgressEvent
    from mlx_music.request import GenerationRequest

__all__ = [
    "ACEStep",
    "AboutModel",
    "AudioError",
    "Cancelled",
    "CheckpointError",
    "GenerationError",
    "GenerationRequest",
    "InvalidRequest",
    "LyricsError",
    "MLXMusicError",
    "MusicOutput",
    "Progress",
    "ProgressEvent",
    "__version__",
]

_HOMES = {
    "ACEStep": "mlx_music.ace_step.pipeline",
    "AboutModel": "mlx_music.ace_step.about",
    "GenerationRequest": "mlx_music.request",
    "MusicOutput": "mlx_music.output",
    "Progress": "mlx_music.progress",
    "ProgressEvent": "mlx_music.progress",
}

prepare_linux()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "mlx_music.errors")), name)


def __dir__() -> list[str]:
    return __all__
