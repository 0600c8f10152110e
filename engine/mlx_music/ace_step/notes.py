"""What a person should know of a run before it: settings that do nothing, sound that changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from mlx_music.ace_step.about import ERG_FIELDS
from mlx_music.ace_step.dcae import SAMPLE_RATE, SAMPLES_PER_LATENT, frames_of
from mlx_music.ace_step.sources import LoadedSource
from mlx_music.request import GenerationRequest

#: What a task does not use, as the reference has it: its steps are plain Euler (an edit can
#: also renoise), and an edit is guided by APG at every step.
_UNUSED = {
    "repaint": ("scheduler", "omega_scale"),
    "extend": ("scheduler", "omega_scale"),
    "edit": (
        *("scheduler", "omega_scale", "cfg_type", "guidance_interval", "guidance_interval_decay"),
        *("guidance_scale_text", "guidance_scale_lyric", *ERG_FIELDS),
    ),
}

#: An edit with this scheduler renoises once it samples freely.
_RENOISING = ("edit", "pingpong")

#: Tasks after which part of the sound is the source's own.
_KEEPING = ("repaint", "extend")

_FRAME = SAMPLES_PER_LATENT / SAMPLE_RATE

#: Decibels over full scale that are worth a word: less is shown as none.
_LEAST_OVER = 0.05


def notes_before(
    request: GenerationRequest, defaults: GenerationRequest, source: LoadedSource | None
) -> Iterator[str]:
    """Notes on a run of `request`, a line each.

    defaults: the model's; what is equal to them nobody asked for. source: what is worked on, or
    the reference, as it was given.
    """
    given = {name for name, value in vars(request).items() if value != getattr(defaults, name)}
    yield from _settings_without_effect(request, given)
    if request.task == "text2music" and source is not None:
        yield from _length_of_a_reference(request, given, source)
    else:
        unused = [name for name in ("reference_strength", "reference_loop") if name in given]
        if unused:
            yield f"without a reference, nothing comes of {_in_words(unused)}"
    if request.task == "extend":
        yield from _sides_without_a_frame(request)
    if request.task in _KEEPING:
        yield from _changes_to_what_is_kept(request, source)


def _settings_without_effect(request: GenerationRequest, given: set[str]) -> Iterator[str]:
    unused = [name for name in _UNUSED.get(request.task, ()) if name in given]
    if "scheduler" in unused and (request.task, request.scheduler) == _RENOISING:
        unused.remove("scheduler")
    if unused:
        yield f"{request.task} does not use {_in_words(unused)}"
    if (request.guidance_scale_text > 1.0) is not (request.guidance_scale_lyric > 1.0):
        yield "guidance scale text and guidance scale lyric do nothing unless both are over 1"
    kept, steps = request.oss_steps, request.num_inference_steps
    # Nothing is lost on who names how many they are, or what they are kept of.
    if kept and "num_inference_steps" in given and steps not in (len(kept), max(kept)):
        yield f"oss steps are given and decide how many; {steps} steps are not used"


def _length_of_a_reference(
    request: GenerationRequest, given: set[str], reference: LoadedSource
) -> Iterator[str]:
    differs = abs(request.duration - reference.duration) > _FRAME
    if differs and "duration" in given and not request.reference_loop:
        yield (
            f"the music is as long as its reference, {reference.duration:.1f} seconds; the "
            f"duration of {request.duration:g} counts only with reference loop"
        )


def _sides_without_a_frame(request: GenerationRequest) -> Iterator[str]:
    for side, seconds in (("left", request.extend_left), ("right", request.extend_right)):
        if seconds > 0.0 and frames_of(seconds) == 0:
            yield (
                f"nothing is added on the {side}: {seconds:g} seconds are less than a latent "
                f"frame, which is {_FRAME:.3f} seconds"
            )


def _changes_to_what_is_kept(
    request: GenerationRequest, source: LoadedSource | None
) -> Iterator[str]:
    if source is None:
        return
    if source.own_rate != request.sample_rate:
        yield (
            f"what is kept is resampled, from {source.own_rate} to {request.sample_rate} Hz; "
            f"a sample rate of {source.own_rate} keeps it sample for sample"
        )
    peak = float(np.abs(source.audio).max(initial=0.0))
    over = 20.0 * math.log10(peak) if peak > 0.0 else 0.0
    if over >= _LEAST_OVER:
        yield (
            f"the source peaks at +{over:.1f} dB, which files of 16 and 24 bits, OGG and MP3 "
            "clip; WAV with a bit depth of 32 keeps it"
        )


def _in_words(names: Iterable[str]) -> str:
    """Fields as a person reads them, and the three parts of ERG as one."""
    words = [
        "entropy rectifying guidance (ERG)" if name in ERG_FIELDS else name.replace("_", " ")
        for name in names
    ]
    return ", ".join(dict.fromkeys(words))
