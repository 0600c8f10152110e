"""Every error a user of the library can meet. All of them are `MLXMusicError`."""

from __future__ import annotations


class MLXMusicError(Exception):
    """Base of the library's errors: one line that says what is wrong, where, and what to do."""


class InvalidRequest(MLXMusicError, ValueError):
    """A field of a request is out of its range.

    `field` is the name of the field, as `GenerationRequest` and the command line spell it.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class CheckpointError(MLXMusicError):
    """A checkpoint is missing, incomplete, damaged, or of another model."""


class LyricsError(MLXMusicError):
    """Lyrics cannot be turned into tokens: there is no vocabulary, or no reader for a script."""


class AudioError(MLXMusicError):
    """An audio file cannot be read or written, or its content is unusable."""


class GenerationError(MLXMusicError):
    """A run failed numerically: its latents or its audio are not finite."""


class Cancelled(MLXMusicError):
    """The run was cancelled on request; the model stays usable."""
