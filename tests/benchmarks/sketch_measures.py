"""How well clips follow their prompts: shares and AUCs over what an analysis found in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from resources.sketch.recipe.captions import speed_of
from resources.sketch.recipe.songs import Song
from tests.benchmarks.sketch_analysis import Analysis

TEMPO_TOLERANCE = 0.04
LOUDNESS_RANGE = (-24.0, -9.0)

#: Seconds without sound that no bar of music has.
LONGEST_REST = 1.0

#: A song, as its prompt names it, and what was heard in the clip.
Heard = tuple[Song, Analysis]
Judge = Callable[[Song, Analysis], bool]


@dataclass(frozen=True)
class Line:
    """One line of the table. value: a share, an AUC, or a number of clips. by_chance: the same
    for clips that answer another prompt. aim: at least this, or at most where `at_most` is set.
    """

    name: str
    value: float
    by_chance: float | None = None
    aim: float | None = None
    at_most: bool = False
    count: int = 0

    @property
    def is_met(self) -> bool:
        if self.aim is None:
            return True
        return self.value <= self.aim if self.at_most else self.value >= self.aim


def is_tempo_right(song: Song, heard: Analysis) -> bool:
    """Whether the tempo, its half or its double is what was asked for."""
    return any(
        abs(heard.tempo / (song.tempo * factor) - 1.0) < TEMPO_TOLERANCE for factor in (0.5, 1, 2)
    )


def is_key_right(song: Song, heard: Analysis) -> bool:
    return (heard.key, heard.mode) == (song.key, song.mode)


def is_key_near(song: Song, heard: Analysis) -> bool:
    """Whether the key is right, its relative, or a fifth off in the same mode."""
    if heard.mode == song.mode:
        return (heard.key - song.key) % 12 in (0, 5, 7)
    return (heard.key - song.key) % 12 == (9 if song.mode == "major" else 3)


def table(rows: Sequence[Heard]) -> list[Line]:
    """All that the prompts can be held to."""
    quiet, loud = LOUDNESS_RANGE
    return [
        _share("tempo within 4 %, double and half allowed", rows, is_tempo_right, 0.80),
        _share("key and mode", rows, is_key_right, 0.60),
        _share("key and mode, or relative, or a fifth off", rows, is_key_near, 0.75),
        _apart("drums / no drums", rows, lambda s: s.has_drums, lambda a: a.drums),
        _apart("bright / warm", rows, _is_bright, lambda a: a.brightness),
        _apart("fast / slow", rows, _is_fast, lambda a: a.speed),
        _number(f"outside {quiet:g} to {loud:g} LUFS", rows, _is_loudness_off),
        _number("with samples at full scale", rows, lambda a: a.clipped > 0.0),
        _number(f"silent for {LONGEST_REST:g} s", rows, lambda a: a.silence >= LONGEST_REST),
    ]


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that one of the first is the larger (Mann and Whitney); 0.5 tells nothing."""
    if not positive or not negative:
        return float("nan")
    pairs = list(product(positive, negative))
    return sum((p > n) + 0.5 * (p == n) for p, n in pairs) / len(pairs)


def _share(name: str, rows: Sequence[Heard], judge: Judge, aim: float) -> Line:
    right = [judge(song, heard) for song, heard in rows]
    strangers = [
        judge(song, heard)
        for (i, (song, _)), (j, (_, heard)) in product(enumerate(rows), repeat=2)
        if i != j
    ]
    by_chance = float(np.mean(strangers)) if strangers else None
    return Line(name, float(np.mean(right)), by_chance, aim, count=len(rows))


def _apart(
    name: str,
    rows: Sequence[Heard],
    is_first: Callable[[Song], bool | None],
    measure: Callable[[Analysis], float],
) -> Line:
    """`is_first` is None for a song whose prompt says neither."""
    first = [measure(heard) for song, heard in rows if is_first(song) is True]
    second = [measure(heard) for song, heard in rows if is_first(song) is False]
    return Line(f"{name}, AUC", auc(first, second), 0.5, 0.9, count=len(first) + len(second))


def _number(name: str, rows: Sequence[Heard], is_bad: Callable[[Analysis], bool]) -> Line:
    bad = sum(is_bad(heard) for _, heard in rows)
    return Line(f"clips {name}", bad, None, 0, at_most=True, count=len(rows))


def _is_bright(song: Song) -> bool | None:
    return None if song.brightness == "neutral" else song.brightness == "bright"


def _is_fast(song: Song) -> bool | None:
    return None if speed_of(song) == "medium" else speed_of(song) == "fast"


def _is_loudness_off(heard: Analysis) -> bool:
    quiet, loud = LOUDNESS_RANGE
    return not quiet <= heard.loudness <= loud
