from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_music.errors import Cancelled
from mlx_music.sampling.pacing import Pacing


def test_every_step_is_told_of_in_order_one_behind() -> None:
    told: list[int] = []
    pacing = Pacing(told.append)
    for calls in (1, 2, 3):
        pacing.made(calls, mx.zeros(2), mx.zeros(2))
        assert told == list(range(1, calls))
    pacing.settle()
    pacing.settle()
    assert told == [1, 2, 3]


def test_with_estimates_nothing_is_started_before_the_last_step_is_told_of() -> None:
    told: list[object] = []
    pacing = Pacing(told.append, lambda clean: told.append(clean.item()))
    for calls in (1, 2):
        pacing.made(calls, mx.zeros(1), mx.full(1, calls / 4))
    pacing.settle()
    assert told == [0.25, 1, 0.5, 2]


def test_a_run_that_is_cancelled_stops() -> None:
    def stop(calls: int) -> None:
        raise Cancelled

    pacing = Pacing(stop)
    pacing.made(1, mx.zeros(2), mx.zeros(2))
    with pytest.raises(Cancelled):
        pacing.made(2, mx.zeros(2), mx.zeros(2))
