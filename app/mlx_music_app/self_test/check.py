"""What checks have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Looks at one part of the app, and may use the folder. Returns what it found, in a few words.
Check = Callable[[Path], str]

RATE = 48_000  # Hz


class CheckFailed(Exception):
    """What is wrong with this copy, in one line."""


def tone(seconds: float) -> NDArray[np.float32]:
    """A quiet A in stereo, (2, samples) at 48 kHz."""
    import numpy as np

    wave = 0.2 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)
    return np.stack([wave, wave]).astype(np.float32)
