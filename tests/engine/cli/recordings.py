"""Recordings that tests make for commands to work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

SECONDS = 1.2


def tune(rate: int, channels: int, seconds: float = SECONDS) -> npt.NDArray[np.float64]:
    """Plucked notes with a little noise, (samples, channels), the same every time."""
    time = np.arange(round(rate * seconds)) / rate
    noise = np.random.default_rng(0).standard_normal(len(time))
    sound = 0.3 * np.sin(2 * np.pi * 220 * time) * np.exp(-4 * (time % 0.4)) + 0.02 * noise
    return np.stack([sound, 0.7 * sound], axis=1)[:, :channels]


def record(path: Path, rate: int, channels: int, seconds: float = SECONDS, **more: Any) -> Path:
    """Write a `tune` to `path`, whose extension says as what."""
    soundfile.write(path, tune(rate, channels, seconds), rate, **more)
    return path


def samples(path: Path | str) -> npt.NDArray[np.int32]:
    """The sound in a file, bit for bit, (samples, channels)."""
    sound: npt.NDArray[np.int32]
    sound, _ = soundfile.read(path, dtype="int32", always_2d=True)
    return sound


def listing(folder: Path) -> dict[str, bytes]:
    """Every file in `folder`, hidden ones too, with its content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
