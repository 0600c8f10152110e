"""The app's library at 10,000 takes: how long a person waits for what.

    python -m tests.benchmarks.library [--takes 10000]

Prints milliseconds, median and worst of a few, beside what is promised, and fails if a promise of
the main thread is broken. The takes have lyrics of a song's length; their files are links to one,
so that a scan sees as many names as it would, and a rebuild reads as many files.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median
from typing import Any

_TEXT = """night drive rain summer ghost river neon velvet static garden orbit ember winter harbour
mirror thunder paper lantern silver ocean gravel signal meadow copper echo island midnight"""
WORDS = _TEXT.split()
TAGS = ("keep", "maybe", "demo", "client", "loop", "vocal")


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the app's library.")
    parser.add_argument("--takes", type=int, default=10_000)
    takes = parser.parse_args().takes
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLX_MUSIC_APP_HOME"] = folder
        bench = Bench(takes)
        bench.run()
    return bench.report()


class Bench:
    def __init__(self, takes: int) -> None:
        from PySide6.QtCore import QCoreApplication

        from mlx_music_app.background import Background
        from mlx_music_app.library.library import Library
        from mlx_music_app.preferences import Preferences

        self.app = QCoreApplication.instance() or QCoreApplication([])
        self.count = takes
        self.results: list[tuple[str, float, float, float | None]] = []
        self.preferences, self.background = Preferences(), Background()
        self.library = Library(self.preferences, self.background)
        self.random = random.Random(0)
        self.longest = 0.0

    def time(
        self, name: str, function: Callable[[], Any], limit: float | None, times: int = 7
    ) -> Any:
        """Call a function some times; `limit` is the promise for its median, in milliseconds."""
        seconds = []
        for _ in range(times):
            start = time.perf_counter()
            result = function()
            seconds.append(time.perf_counter() - start)
        self.results.append((name, 1000 * median(seconds), 1000 * max(seconds), limit))
        return result

    def settle(self) -> None:
        """Until the background rests; remembers how long the main thread was held up at worst."""
        quiet = 0
        while quiet < 3:
            start = time.perf_counter()
            self.app.processEvents()
            self.longest = max(self.longest, time.perf_counter() - start)
            time.sleep(0.002)
            quiet = quiet + 1 if self.background._pool.activeThreadCount() == 0 else 0

    def run(self) -> None:
        self.fill()
        library = self.library
        self.time("open", library.open, 100, times=1)
        self.watch("scan of the folder, nothing new", self.settle)
        everything = self.time("takes()", library.takes, 50)
        for typed in ("n", "ni", "night", "night riv", '"neon velvet"', "keep", "zzz"):
            self.time(f"takes({typed!r})", lambda typed=typed: library.takes(typed), 50)
        self.time("takes(sort=title)", lambda: library.takes(sort="title"), 50)
        self.time("takes(night, tag, by length)", self.everything_at_once, 50)
        self.time("all_tags()", library.all_tags, 10)
        self.time("get_many(30)", lambda: self.page(everything), 10)
        take = everything[100]
        self.time("family", lambda: library.family(take), 10)
        self.time("set_favourite", lambda: library.set_favourite(take, True), 10)
        self.time("set_notes", lambda: library.set_notes(take, "a note"), 10)
        self.time("set_tags", lambda: library.set_tags(take, ["keep", "new"]), 10)
        self.time("rename", lambda: library.rename(take, self.random.choice(WORDS)), 10)
        self.settle()
        self.add(7)
        self.settle()
        self.watch("rebuild from the files", self.rebuild)
        self.peaks()
        self.time("close", library.close, 100, times=1)

    def fill(self) -> None:
        from mlx_music_app.library.catalogue import Catalogue
        from mlx_music_app.library.library import database_path

        path = self.library.files.save(self.output(), "First")
        rows = []
        for number in range(self.count):
            link = path.with_name(f"Song {number // 4} - 120bpm - take {number % 4 + 1}.wav")
            os.link(path, link)
            rows.append(self.row(number, link))
        path.unlink()
        with Catalogue.open(database_path()) as catalogue:
            catalogue.insert_many(rows)
            catalogue.set_journaled(catalogue.unjournaled(path.parent, self.count)[1])
            catalogue.checkpoint()
            size = database_path().stat().st_size / 1e6
        print(f"{self.count} takes, a catalogue of {size:.1f} MB\n")

    def row(self, number: int, path: Path) -> Any:
        from mlx_music import GenerationRequest
        from mlx_music_app.library.rows import NewTake

        def some(count: int) -> str:
            return " ".join(self.random.choices(WORDS, k=count))

        lyrics = "\n".join(some(6) for _ in range(30))
        return NewTake(
            uid=f"uid-{number}",
            path=path,
            title=f"{some(2)} {number // 4}",
            number=number % 4 + 1,
            created=datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=number),
            duration=self.random.uniform(10, 240),
            sample_rate=48_000,
            request=GenerationRequest(prompt=f"{some(8)}, 120 bpm", lyrics=lyrics, seed=number),
            model="ACE-Step/ACE-Step-v1-3.5B",
            favourite=number % 10 == 0,
            tags=tuple(self.random.sample(TAGS, number % 3)),
        )

    def output(self, samples: int = 4800) -> Any:
        import numpy as np

        from mlx_music import GenerationRequest, MusicOutput

        request = GenerationRequest(prompt="folk, 120 bpm", lyrics="la\n" * 60, seed=1)
        sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2, samples)).astype(np.float32)
        return MusicOutput(sound, 48_000, np.zeros((8, 16, 4), np.float32), request, "sketch")

    def everything_at_once(self) -> list[int]:
        return self.library.takes("night", sort="duration", tag="keep")

    def page(self, ids: list[int]) -> Any:
        start = self.random.randrange(max(1, len(ids) - 30))
        return self.library.get_many(ids[start : start + 30])

    def add(self, times: int) -> None:
        from mlx_music_app.engine.jobs import Job, MadeTake

        made = []
        for _ in range(times):
            music = self.output()
            path = self.library.files.save(music, "New")
            job = Job(music.request, "sketch", "New")
            made.append(MadeTake(job, path, music.request, "sketch", 0.1, 48_000))
        self.time("add", lambda: self.library.add(made.pop()), 10, times)

    def rebuild(self) -> None:
        self.library.rebuild()
        self.settle()

    def watch(self, name: str, function: Callable[[], None]) -> None:
        """Time work in the background, without a promise."""
        self.longest = 0.0
        start = time.perf_counter()
        function()
        taken = 1000 * (time.perf_counter() - start)
        self.results.append((f"(background) {name}", taken, taken, None))
        longest = 1000 * self.longest
        self.results.append(("    the main thread meanwhile, at worst", longest, longest, 50))

    def peaks(self) -> None:
        import soundfile

        from mlx_music_app.library.peaks import cached_peaks, compute_peaks, peaks_of

        path = self.library.files.folder / "ten minutes.wav"
        block = self.output(48_000 * 60).audio.T
        with soundfile.SoundFile(path, "w", 48_000, 2, "PCM_24") as sound:
            for _ in range(10):
                sound.write(block)
        self.time("(background) peaks of ten minutes", lambda: compute_peaks(path), None, times=3)
        peaks_of(path)
        peaks = self.time("peaks of ten minutes, cached", lambda: cached_peaks(path), 20)
        for name, start, end in (("all", 0, 600), ("a minute", 60, 120), ("2 s", 300, 302)):
            self.time(f"slice of {name}", lambda s=start, e=end: peaks.slice(s, e, 1600), 10)

    def report(self) -> int:
        broken = 0
        print(f"{'':44}{'median':>9}{'worst':>9}{'promise':>9}  ms")
        for name, middle, worst, limit in self.results:
            late = limit is not None and middle > limit
            broken += late
            promise = "" if limit is None else f"{limit:.0f}"
            print(f"{name:44}{middle:9.2f}{worst:9.2f}{promise:>9}{'  too slow' if late else ''}")
        return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
