"""What a run returns: sound, latents, and the request that makes it again."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mlx_music.errors import AudioError
from mlx_music.request import GenerationRequest

FloatArray = npt.NDArray[np.float32]


# No equality: that of arrays is an array.
@dataclass(frozen=True, eq=False, repr=False)
class MusicOutput:
    """One piece of music, as NumPy arrays that belong to no thread.

    audio: (2, samples), float32, -1 to 1 but for what resampling overshoots and what was louder
    in a source, at `sample_rate` Hz.
    latents: (8, 16, frames), float32, in the reference's layout; to work on from here without
    a loss. request: with the seed that was used, so that it makes the same again. timings:
    seconds of each stage. notes: what a person should know (say, a prompt that was too long).
    """

    audio: FloatArray
    sample_rate: int
    latents: FloatArray
    request: GenerationRequest
    model: str
    timings: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """One line, for a console: neither arrays nor every setting."""
        return (
            f"MusicOutput({self.duration:.2f} seconds, audio {self.audio.shape} at "
            f"{self.sample_rate} Hz, latents {self.latents.shape}, model={self.model!r}, "
            f"task={self.request.task!r}, seed={self.seed}, notes={self.notes!r})"
        )

    @property
    def seed(self) -> int | None:
        """The seed of the noise; None if the noise was handed in."""
        return self.request.seed

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.audio.shape[1] / self.sample_rate

    def save(
        self, path: str | Path, *, bit_depth: int | None = None, overwrite: bool = False
    ) -> Path:
        """Write an audio file whose tags hold the request, and return its path.

        The format follows the name: .wav, .flac, .aiff, .ogg or .mp3. bit_depth: 16, 24 or 32
        (float) where the format has it. The file appears whole or not at all.

        Raises `AudioError` if the format is unknown, the place cannot be written, or a file is
        there already and `overwrite` is not set.
        """
        from mlx_music.audio.files import write_audio
        from mlx_music.metadata import Description

        if not isinstance(path, str | os.PathLike):
            raise AudioError(f"{path!r} is no name of a file; give one such as song.wav")
        return write_audio(
            os.path.expanduser(path),
            self.audio,
            self.sample_rate,
            bit_depth=bit_depth,
            metadata=Description(self.request, self.model).to_tags(),
            overwrite=overwrite,
        )
