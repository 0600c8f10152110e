"""How a call is measured, and the rate of matrix products that it is compared with."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from mlx_music.benchmark.report import MatrixRate

#: A stage is repeated as often as wanted, or until it has taken this long (seconds).
_ENOUGH_SECONDS = 30.0
_FEWEST_RUNS = 3

#: A call that takes longer has no need of a second one to warm up.
_LONG_CALL = 1.0

#: The largest matrix product, and how long one may take on a small device (seconds).
_LARGEST_PRODUCT, _SMALLEST_PRODUCT = 8192, 256
_LONGEST_PRODUCT = 0.25


@dataclass(frozen=True)
class Timing:
    """Milliseconds of each run, and bytes: most at any time, and what was there before."""

    samples: tuple[float, ...]
    peak_bytes: int
    resident_bytes: int


def measure(
    call: Callable[[], Any], repeats: int, check: Callable[[], None] = lambda: None
) -> Timing:
    """Time `call` when warm; arrays that it returns are evaluated. `check` may raise between runs.

    The peak includes the runs that warm up: they are the first that a person meets.
    """
    mx.synchronize()
    mx.clear_cache()
    resident = mx.get_active_memory()
    mx.reset_peak_memory()
    if _seconds(call) < _LONG_CALL:
        _seconds(call)
    samples: list[float] = []
    while len(samples) < repeats:
        check()
        samples.append(_seconds(call))
        if len(samples) >= _FEWEST_RUNS and sum(samples) > _ENOUGH_SECONDS:
            break
    peak = mx.get_peak_memory()
    return Timing(tuple(1000 * seconds for seconds in samples), peak, resident)


def matrix_rate(dtype: mx.Dtype, runs: int = 5) -> MatrixRate:
    """The rate of a product of two square matrices, as large as the device does in short time."""
    size = _SMALLEST_PRODUCT
    seconds = _product_seconds(size, dtype, 1)
    while size < _LARGEST_PRODUCT and 8 * seconds < _LONGEST_PRODUCT:
        size *= 2
        seconds = _product_seconds(size, dtype, 1)
    median = _product_seconds(size, dtype, runs)
    mx.clear_cache()
    return MatrixRate(size, str(dtype).removeprefix("mlx.core."), 2 * size**3 / median)


def _product_seconds(size: int, dtype: mx.Dtype, runs: int) -> float:
    a, b = (mx.random.normal((size, size)).astype(dtype) for _ in range(2))
    mx.eval(a, b)
    _seconds(lambda: a @ b)
    return statistics.median(_seconds(lambda: a @ b) for _ in range(runs))


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    mx.eval(call())
    return time.perf_counter() - start
