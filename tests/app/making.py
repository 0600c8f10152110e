"""Takes to test with: small files with real tags, and rows without files by the thousand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from mlx_music import GenerationRequest, MusicOutput
from mlx_music_app.engine.jobs import Job, MadeTake
from mlx_music_app.library.catalogue import Catalogue
from mlx_music_app.library.library import Library
from mlx_music_app.library.rows import NewTake
from mlx_music_app.library.take import Take

RATE = 8000


def tone(seconds: float, *, hertz: float = 220.0, rate: int = RATE) -> np.ndarray:
    """Something to see and hear: (2, samples) float32 that swells and fades."""
    time = np.arange(int(seconds * rate)) / rate
    swell = np.sin(np.pi * time / max(seconds, 1e-6)) * (0.6 + 0.4 * np.sin(2 * np.pi * time))
    sound = 0.7 * np.sin(2 * np.pi * hertz * time) * swell
    return np.stack([sound, sound * 0.8]).astype(np.float32)


def add_take(
    library: Library,
    title: str = "Evening",
    *,
    seconds: float = 1.0,
    parent: int | None = None,
    model: str = "sketch",
    sound: np.ndarray | None = None,
    rate: int = RATE,
    **fields: Any,
) -> Take:
    """A take with a file, as the engine makes it."""
    fields.setdefault("prompt", "warm piano, 90 bpm")
    request = GenerationRequest(duration=max(1.0, seconds), seed=7, **fields)
    output = MusicOutput(
        audio=tone(seconds, rate=rate) if sound is None else sound,
        sample_rate=rate,
        latents=np.zeros((8, 16, 4), dtype=np.float32),
        request=request,
        model=model,
        timings={},
    )
    path = library.files.save(output, title, parent=parent)
    job = Job(request=request, model=model, title=title, parent=parent)
    return library.add(MadeTake(job, path, request, model, seconds, rate))


def fill_catalogue(path: Path, folder: Path, count: int) -> None:
    """Rows whose files are missing: enough to see whether a list is quick."""
    words = ("lofi", "techno", "folk", "ambient", "jazz", "drum and bass", "choir", "piano")
    now = datetime.now(timezone.utc)
    path.parent.mkdir(parents=True, exist_ok=True)
    with Catalogue.open(path) as catalogue:
        catalogue.insert_many(
            NewTake(
                uid=f"{number:032x}",
                path=folder / f"Song {number}.wav",
                title=f"Song {number}",
                number=1,
                created=now - timedelta(minutes=number),
                duration=30.0 + number % 200,
                sample_rate=48_000,
                request=GenerationRequest(
                    prompt=f"{words[number % len(words)]}, {60 + number % 120} bpm", seed=number
                ),
                model="sketch",
                favourite=number % 10 == 0,
            )
            for number in range(count)
        )
