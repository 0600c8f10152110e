"""Speed and time left."""

from __future__ import annotations

import pytest

from mlx_music_app.models.meter import TransferMeter
from mlx_music_app.models.words import size_in_words, time_in_words

MB = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_speed_and_time_left() -> None:
    clock = Clock()
    meter = TransferMeter(clock)
    meter.add(0, 8000 * MB)
    assert meter.speed is None
    for number in range(1, 101):
        clock.now += 0.05
        meter.add(number * MB, 8000 * MB)
    assert meter.speed == pytest.approx(20 * MB, rel=0.02)
    assert meter.text == "100 MB of 8.0 GB, 20.0 MB/s, 7 min left"


def test_what_was_there_already_is_no_speed() -> None:
    clock = Clock()
    meter = TransferMeter(clock)
    meter.add(0, 8000 * MB)
    meter.add(5000 * MB, 8000 * MB)
    for number in range(1, 41):
        clock.now += 0.1
        meter.add((5000 + number) * MB, 8000 * MB)
    assert meter.speed == pytest.approx(10 * MB, rel=0.05)


def test_a_transfer_that_stands_still_becomes_slower() -> None:
    clock = Clock()
    meter = TransferMeter(clock)
    for number in range(1, 31):
        clock.now += 0.1
        meter.add(number * MB, 8000 * MB)
    before = meter.speed
    clock.now += 9
    assert meter.speed is not None
    assert before is not None
    assert meter.speed < before / 2


def test_checking_is_told() -> None:
    meter = TransferMeter(Clock())
    for _ in range(6):
        meter.add(4000 * MB, 8000 * MB)
    assert meter.text == "4.0 of 8.0 GB, checking what is there"


def test_before_the_hub_has_answered() -> None:
    assert TransferMeter().text == "Asking the hub"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (99_960_000, "100 MB"),
     (8_275_790_207, "8.3 GB"), (-5, "0 bytes")],
)  # fmt: skip
def test_sizes(size: int, text: str) -> None:
    assert size_in_words(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "a few seconds"), (42, "40 s"), (58, "1 min"), (240, "4 min"), (4000, "1 h 5 min"),
     (3600, "1 h"), (5400, "1 h 30 min")],
)  # fmt: skip
def test_times(seconds: float, text: str) -> None:
    assert time_in_words(seconds) == text
