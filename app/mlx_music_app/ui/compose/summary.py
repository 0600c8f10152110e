"""One line on what the button will make."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mlx_music import GenerationRequest
from mlx_music_app.models.words import time_in_words
from mlx_music_app.ui.compose.modes import Mode, Part, Work
from mlx_music_app.ui.words import clock

#: Model and request to the seconds of each stage of making one take; None if it is not known.
Expect = Callable[[str, GenerationRequest], "Mapping[str, float] | None"]


def length_of(request: GenerationRequest, work: Work | None) -> float | None:
    """Seconds of the music that a request makes; None if that is not known."""
    known = None if work is None else work.duration
    if request.task == "extend":
        return None if known is None else known + request.extend_left + request.extend_right
    if request.task in ("repaint", "edit"):
        return known
    if request.reference is not None and not request.reference_loop:
        return known
    return request.duration


def summary_of(
    request: GenerationRequest,
    mode: Mode,
    length: float | None,
    takes: int,
    seconds: float | None,
) -> str:
    """For example "4 takes of 1:30  ·  ready in 3 min". seconds: how long making them takes."""
    made = "1 take" if takes == 1 else f"{takes} takes"
    words = made if length is None else f"{made} of {clock(length)}"
    if Part.LYRICS in mode.parts and not request.lyrics.strip():
        words += ", instrumental"
    return words if seconds is None else f"{words}  ·  ready in {time_in_words(seconds)}"
