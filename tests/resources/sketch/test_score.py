"""The judge of Sketch's music is judged: on sounds whose tempo, key and so on are plain."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("librosa", reason="needs the extra 'sketch'")
pytest.importorskip("pyloudnorm", reason="needs the extra 'sketch'")

from resources.sketch.recipe.songs import draw_song
from tests.benchmarks.sketch_analysis import Analysis, analyse, silences
from tests.benchmarks.sketch_measures import auc, is_key_near, is_key_right, is_tempo_right, table

SAMPLE_RATE = 44_100
ANALYSIS = Analysis(
    tempo=90.0, speed=2.0, key=9, mode="minor", drums=0.1, brightness=900.0, loudness=-16.0,
    peak=0.8, clipped=0.0, silence=0.0, start=0.0,
)  # fmt: skip


def chords(pitches: tuple[tuple[int, ...], ...], tempo: float) -> npt.NDArray[np.float32]:
    """Struck chords, one a beat, four beats each, for seven seconds; (2, samples)."""
    audio = np.zeros(7 * SAMPLE_RATE)
    beat = 60.0 / tempo
    for number in range(int(7.0 / beat)):
        start = round(number * beat * SAMPLE_RATE)
        time = np.arange(min(round(beat * SAMPLE_RATE), audio.size - start)) / SAMPLE_RATE
        for pitch in pitches[number // 4 % len(pitches)]:
            hertz = 440.0 * 2 ** ((pitch - 69) / 12)
            struck = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, 5))
            # Soft at both ends, because a click is a drum.
            shape = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.02) * np.exp(-time / 0.3)
            audio[start : start + time.size] += 0.05 * struck * shape
    return np.stack([audio, audio]).astype(np.float32)


A_MINOR = ((57, 60, 64), (57, 62, 65), (57, 60, 64), (59, 62, 67))
E_MAJOR = ((64, 68, 71), (64, 69, 73), (63, 66, 71), (64, 68, 71))


@pytest.mark.parametrize(
    ("pitches", "key", "mode", "tempo"), [(A_MINOR, 9, "minor", 97.0), (E_MAJOR, 4, "major", 140.0)]
)
def test_tempo_and_key_are_found(
    pitches: tuple[tuple[int, ...], ...], key: int, mode: str, tempo: float
) -> None:
    heard = analyse(chords(pitches, tempo), SAMPLE_RATE)
    assert (heard.key, heard.mode) == (key, mode)
    assert min(abs(heard.tempo / tempo / factor - 1) for factor in (0.5, 1, 2)) < 0.01
    assert heard.speed == pytest.approx(tempo / 60, rel=0.4)
    assert heard.clipped == 0.0
    assert heard.start == 0.0


def test_bursts_of_noise_are_drums_and_bright() -> None:
    plain = chords(A_MINOR, 100.0)
    burst = np.random.default_rng(0).normal(size=2_000) * np.exp(-np.arange(2_000) / 500)
    with_drums = plain.copy()
    for start in range(0, 6 * SAMPLE_RATE, SAMPLE_RATE // 2):
        with_drums[:, start : start + 2_000] += 0.2 * burst.astype(np.float32)
    a, b = analyse(plain, SAMPLE_RATE), analyse(with_drums, SAMPLE_RATE)
    assert b.drums > a.drums + 0.2
    assert b.brightness > a.brightness


def test_silences_are_measured() -> None:
    audio = np.ones((2, 4 * SAMPLE_RATE), dtype=np.float32)
    audio[:, : SAMPLE_RATE // 2] = 0.0
    audio[:, 2 * SAMPLE_RATE : 3 * SAMPLE_RATE] = 0.0
    assert silences(audio, SAMPLE_RATE) == (1.0, 0.5)


def test_judges() -> None:
    song = dataclasses.replace(draw_song(0), tempo=90, key=9, mode="minor")
    heard = dataclasses.replace
    assert is_tempo_right(song, ANALYSIS)
    assert is_tempo_right(song, heard(ANALYSIS, tempo=178.0))
    assert not is_tempo_right(song, heard(ANALYSIS, tempo=96.0))
    assert not is_tempo_right(song, heard(ANALYSIS, tempo=135.0))
    near = [(9, "minor"), (4, "minor"), (2, "minor"), (0, "major")]
    for key in range(12):
        for mode in ("major", "minor"):
            found = heard(ANALYSIS, key=key, mode=mode)
            assert is_key_right(song, found) is ((key, mode) == near[0])
            assert is_key_near(song, found) is ((key, mode) in near)


def test_auc() -> None:
    assert auc([3.0, 4.0], [1.0, 2.0]) == 1.0
    assert auc([1.0], [1.0]) == 0.5
    assert auc([1.0, 3.0], [2.0]) == 0.5
    assert np.isnan(auc([], [1.0]))


def test_table_says_what_is_met() -> None:
    songs = [dataclasses.replace(draw_song(0), tempo=t, key=9, mode="minor") for t in (90, 117)]
    lines = {line.name: line for line in table([(song, ANALYSIS) for song in songs])}
    assert lines["key and mode"].value == 1.0
    assert lines["key and mode"].is_met
    tempo = lines["tempo within 4 %, double and half allowed"]
    assert (tempo.value, tempo.by_chance, tempo.is_met) == (0.5, 0.5, False)
    assert all(line.value == 0 and line.is_met for line in lines.values() if line.at_most)
