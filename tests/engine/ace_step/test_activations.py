from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from mlx_music.ace_step import activations


@pytest.fixture
def x() -> mx.array:
    """From deep below zero to far above, over more than one block of NumPy's."""
    values = np.random.default_rng(0).standard_normal((2, 9000, 2)) * 6
    values[0, :4, 0] = (-1e4, -90, 0, 1e4)
    return mx.array(values.astype(np.float32))


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
def test_silu_and_gelu_are_mlx_s(x: mx.array, dtype: mx.Dtype) -> None:
    given = x.astype(dtype)
    limit = 1e-6 if dtype == mx.float32 else 2**-7
    for ours, theirs in ((activations.silu, nn.silu), (activations.gelu, nn.gelu)):
        actual, expected = ours(given), theirs(x)
        assert actual.dtype == dtype
        assert (mx.abs(actual - expected) <= limit * mx.maximum(1, mx.abs(expected))).all()
    assert mx.array_equal(given, x.astype(dtype)), "what is given stays as it is"


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16])
@pytest.mark.parametrize("cpu", [False, True])
def test_joined_sums(x: mx.array, dtype: mx.Dtype, cpu: bool) -> None:
    act = activations._joined(dtype, cpu)
    x = mx.clip(x, -50, 50)
    bias = mx.array([0.5, -2.0])
    y = mx.random.normal((2, 2, 9000)).astype(dtype).swapaxes(1, 2)  # a view in another order
    plus = x + y.astype(mx.float32) + bias

    def near(actual: mx.array, expected: mx.array, dtype: mx.Dtype) -> None:
        assert actual.dtype == dtype
        assert mx.allclose(
            actual.astype(mx.float32), expected, 1e-3 if dtype == mx.float16 else 1e-5, 1e-5
        )

    for summed, expected in ((act.start(y, bias), plus - x), (act.add(x, y, bias), plus)):
        near(summed[0], expected, mx.float32)
        near(summed[1], nn.silu(expected), dtype)
    near(act.inner(y, bias), nn.silu(plus - x), dtype)
    near(act.total(x, y, bias, x), plus + x, mx.float32)
    near(act.mean(x, y, bias, x, mx.array(4.0)), nn.silu((plus + x) / 4), dtype)


@pytest.mark.parametrize("cpu", [False, True])
def test_half_precision_stays_finite(cpu: bool) -> None:
    act = activations._joined(mx.float16, cpu)
    y = mx.array([-float("inf"), -7e4, 7e4, float("inf")])
    assert mx.isfinite(act.inner(y, mx.array(0.0))).all()
    assert all(mx.isfinite(each).all() for each in act.add(mx.array(1e5), y, mx.array(0.0)))
