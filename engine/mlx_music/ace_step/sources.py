"""Music that a task works on: files, arrays and earlier outputs, and the way back into them."""

from __future__ import annotations

import numbers
import os
from dataclasses import dataclass, replace
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music.ace_step.autoencoder import MusicAutoencoder
from mlx_music.ace_step.dcae import SAMPLE_RATE, SAMPLES_PER_LATENT, frames_of, latent_length
from mlx_music.audio.files import as_stereo, read_audio
from mlx_music.audio.resample import resample
from mlx_music.errors import AudioError, InvalidRequest
from mlx_music.output import MusicOutput
from mlx_music.request import (
    MAX_SOURCE_DURATION,
    MIN_SOURCE_DURATION,
    GenerationRequest,
    limit_of,
)

FloatArray = npt.NDArray[np.float32]

#: What a task accepts as a source: a file, samples with their rate, or an earlier output.
Source = str | os.PathLike[str] | tuple[npt.NDArray[Any], int] | MusicOutput

#: Latent frames behind an edge over which decoded sound fades into the original: long enough
#: to hide that a decoder never gives quite the original back, short enough not to smear a beat.
FADE_FRAMES = 2

#: Below this rate a source lacks treble that the model will miss.
_FULL_RATE = 32_000


@dataclass(frozen=True)
class LoadedSource:
    """A source ready to be worked on.

    latents: (1, 16, frames, 8). audio: the original, (2, samples) at `sample_rate`, which is
    the rate of the output. own_rate: the rate that it came with. name: its file, or the field
    that it was given as. notes: what was done to it that a person should know.
    """

    latents: mx.array
    audio: FloatArray
    sample_rate: int
    own_rate: int
    name: str
    notes: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        return self.audio.shape[1] / self.sample_rate

    def fitted(self, seconds: float) -> LoadedSource:
        """Repeated or cut to so many seconds, in whole latent frames."""
        frames = max(1, frames_of(seconds))
        times = -(-frames // self.latents.shape[2])
        latents = mx.concatenate([self.latents] * times, axis=2)[:, :, :frames]
        # Rounded up, as resampling what these frames decode to does.
        samples = -(-frames * SAMPLES_PER_LATENT * self.sample_rate // SAMPLE_RATE)
        audio = np.tile(self.audio, times + 1)[:, :samples]
        return replace(self, latents=latents, audio=audio)

    def whole_frames(self) -> LoadedSource:
        """Without a last frame that only part of the sound fills.

        The rest of that frame is silence that encoding added, and new music must not be made
        to follow silence that is not in the song.
        """
        whole = latent_length(self.audio.shape[1], self.sample_rate)
        frames = min(whole, self.latents.shape[2])
        audio = self.audio[:, : samples_of(frames, self.sample_rate)]
        return replace(self, latents=self.latents[:, :, :frames], audio=audio)


def load_source(
    source: Source, autoencoder: MusicAutoencoder, sample_rate: int, field: str
) -> LoadedSource:
    """Read `source` and encode it, unless it carries its latents.

    Raises `AudioError`, naming the file (or `field`), for what cannot be read, is silent, or is
    too short or too long.
    """
    if isinstance(source, MusicOutput):
        latents = mx.array(source.latents)[None].transpose(0, 2, 3, 1)
        audio = resample(source.audio, source.sample_rate, sample_rate)
        return LoadedSource(latents, audio, sample_rate, source.sample_rate, field)
    if isinstance(source, tuple):
        name = field
        audio, rate = _checked_array(source, name)
    elif isinstance(source, str | os.PathLike):
        name = os.path.expanduser(source)
        audio, rate = read_audio(name, max_seconds=MAX_SOURCE_DURATION)
    else:
        raise AudioError(
            f"{field}: give a file, (samples, sample rate) or an output, "
            f"not {type(source).__name__}"
        )
    _check_length(name, audio.shape[1] / rate)
    if not np.isfinite(audio).all():
        raise AudioError(f"{name}: holds samples that are not numbers")
    if not np.any(np.abs(audio) > 1e-5):
        raise AudioError(f"{name}: is silent")
    notes = []
    if audio.shape[0] == 1:
        notes.append(f"{name} is mono; both channels were made the same")
    if rate < _FULL_RATE:
        notes.append(f"{name} has a sample rate of {rate} Hz, so its treble is missing")
    if audio.shape[0] > 2:
        raise AudioError(f"{name}: has {audio.shape[0]} channels; mix it down to mono or stereo")
    stereo = as_stereo(audio)
    latents = autoencoder.encode(stereo, rate)
    resampled = resample(stereo, rate, sample_rate)
    return LoadedSource(latents, resampled, sample_rate, rate, name, tuple(notes))


def _checked_array(source: tuple[Any, ...], name: str) -> tuple[FloatArray, int]:
    """Samples as float32 (channels, samples), and their rate; whole numbers are scaled."""
    if len(source) != 2 or not isinstance(source[1], numbers.Integral) or source[1] < 1:
        raise AudioError(f"{name}: give (samples, sample rate in Hz)")
    samples, rate = np.atleast_2d(np.asarray(source[0])), int(source[1])
    if samples.ndim != 2 or samples.shape[0] > samples.shape[1]:
        raise AudioError(f"{name}: an array must be (channels, samples), not {samples.shape}")
    if np.issubdtype(samples.dtype, np.signedinteger):
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32), rate
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"{name}: samples must be floats from -1 to 1, not {samples.dtype}")
    return samples.astype(np.float32), rate


def _check_length(name: str, seconds: float) -> None:
    if not MIN_SOURCE_DURATION <= seconds <= MAX_SOURCE_DURATION:
        raise AudioError(
            f"{name}: lasts {seconds:.1f} seconds; a source must last "
            f"{MIN_SOURCE_DURATION:g} to {MAX_SOURCE_DURATION:g} seconds"
        )


def samples_of(frames: int, sample_rate: int) -> int:
    """Audio samples at `sample_rate` that stand for so many latent frames."""
    return round(frames * SAMPLES_PER_LATENT * sample_rate / SAMPLE_RATE)


def keep_original(
    decoded: FloatArray, original: FloatArray, offset: int, kept: list[range], fade: int
) -> FloatArray:
    """`decoded` (2, samples) with the original put back where latents were kept.

    The original starts at sample `offset` of the decoded sound. Each range of `kept` is in
    samples of the decoded sound; within it, the `fade` samples next to an edge are crossfaded
    and all others are the original's, sample for sample. An edge at an end of the decoded
    sound needs no fade.
    """
    result = decoded.copy()
    for part in kept:
        start, stop = max(part.start, offset), min(part.stop, offset + original.shape[1])
        if stop <= start:
            continue
        weight = np.ones(stop - start, dtype=np.float32)
        ramp = np.linspace(0.0, 1.0, min(fade, stop - start) + 2, dtype=np.float32)[1:-1]
        if part.start > 0:
            weight[: len(ramp)] = np.minimum(weight[: len(ramp)], ramp)
        if part.stop < decoded.shape[1]:
            weight[-len(ramp) :] = np.minimum(weight[-len(ramp) :], ramp[::-1])
        piece = original[:, start - offset : stop - offset]
        mixed = weight * piece + (1.0 - weight) * result[:, start:stop]
        # Where the weight is one, take the samples themselves and not a product with them.
        result[:, start:stop] = np.where(weight == 1.0, piece, mixed)
    return result


def worked_on(
    request: GenerationRequest, source: Source | None, reference: Source | None
) -> Source | None:
    """What the request's task starts from, or None for new music."""
    if source is not None and request.task in ("text2music", "retake"):
        raise InvalidRequest("source", "is only for the tasks repaint, extend and edit")
    if request.task == "text2music":
        return reference if reference is not None else request.reference
    if request.task == "retake":
        return None
    given = source if source is not None else request.source
    if given is None:
        raise InvalidRequest("source", f"is missing; say what to {request.task}")
    return given


def as_long_as(start: LoadedSource | None, request: GenerationRequest) -> GenerationRequest:
    """`request` with the duration of music that is as long as the reference that it starts from.

    As near to it as a request may say. A source can be longer than that, and its duration stays.
    """
    if start is None or request.task != "text2music" or request.reference_loop:
        return request
    limit = limit_of("duration")
    return request.replace(duration=float(np.clip(start.duration, limit.low, limit.high)))


def own_request(source: Source, defaults: GenerationRequest) -> GenerationRequest:
    """The words and settings that a source says it was made with, for a task of its own.

    `defaults` stand in for what it does not say.
    """
    if isinstance(source, MusicOutput):
        own = source.request
    elif isinstance(source, str | os.PathLike):
        own = _tagged_request(source, defaults)
    else:
        own = defaults
    return own.for_another_task()


def _tagged_request(path: str | os.PathLike[str], defaults: GenerationRequest) -> GenerationRequest:
    from mlx_music.audio.tags import read_tags
    from mlx_music.metadata import Description

    path = os.path.expanduser(path)
    tags = read_tags(path)
    if tags is None:
        return defaults
    try:
        return Description.from_json(tags.request_json, path, defaults).request
    except InvalidRequest as error:  # which would be blamed on what was typed
        raise AudioError(f"{path}: the settings in its tags cannot be used ({error})") from error
