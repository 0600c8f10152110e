from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import mlx.core as mx
import mlx.nn as nn

from mlx_music.ace_step.made_for import MadeFor


def test_it_is_for_a_thread_and_the_very_same_arrays() -> None:
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    made = MadeFor.now(first, second)
    assert made.is_still(MadeFor.now(first, second))
    assert not made.is_still(MadeFor.now(second, first))
    assert not made.is_still(MadeFor.now(first))
    with ThreadPoolExecutor(1) as pool:
        assert not made.is_still(pool.submit(MadeFor.now, first, second).result())
    second.bias = mx.array(second.bias)
    assert not made.is_still(MadeFor.now(first, second)), "an equal array is another one"
