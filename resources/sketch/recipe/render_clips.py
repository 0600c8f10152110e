"""Part 1: render the music that Sketch is trained on, with as many processes as there are cores.

    python -m resources.sketch.recipe.render_clips --work DIR --clips 6000

Clip i is the song of training seed i; `held-out-i` are songs of combinations that are never
trained on. Clips that are there already are kept, so it can be stopped and started again.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from resources.sketch.recipe.render import render
from resources.sketch.recipe.sizes import MAX_SECONDS
from resources.sketch.recipe.songs import held_out_song, training_song

HELD_OUT = 48


def clip_path(work: Path, index: int, *, held_out: bool = False) -> Path:
    return work / "clips" / (f"held-out-{index:04d}.npy" if held_out else f"{index:06d}.npy")


def _make(path: Path, index: int, held_out: bool) -> None:
    if path.exists():
        return
    song = held_out_song(index) if held_out else training_song(index)
    audio = np.round(render(song, MAX_SECONDS) * 32767).astype(np.int16)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        np.save(file, audio)
    partial.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=6000)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    args = parser.parse_args()
    (args.work / "clips").mkdir(parents=True, exist_ok=True)
    # The held-out ones come early: every part is measured on them.
    tasks = [(clip_path(args.work, i), i, False) for i in range(args.clips)]
    tasks[64:64] = [(clip_path(args.work, i, held_out=True), i, True) for i in range(HELD_OUT)]
    with ProcessPoolExecutor(args.processes) as pool:
        for _ in pool.map(_make, *zip(*tasks, strict=True), chunksize=4):
            pass


if __name__ == "__main__":
    main()
