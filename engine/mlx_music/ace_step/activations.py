"""Activations of the audio networks, joined with the sums around them so that memory is read once.

A GPU runs each function here as one kernel. On a CPU SiLU and GELU are NumPy's, at once: MLX's
Linux wheel has a scalar exponential, which makes a SiLU cost 16 ns per value against NumPy's 2,
and the SiLUs more than half of a vocoder. Nothing here can be traced by `mx.grad` on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

#: Values that NumPy works on at once, so that they stay in the processor's cache.
_BLOCK = 1 << 15

#: Where half precision ends.
HALF_MAX = 65504.0


def on_cpu() -> bool:
    """Whether the default device is a CPU."""
    return bool(mx.default_device() == mx.Device(mx.cpu))


def silu(x: mx.array) -> mx.array:
    """x * sigmoid(x)."""
    return _by_numpy(_silu_in_place, x) if on_cpu() else nn.silu(x)


def gelu(x: mx.array) -> mx.array:
    """x * (1 + erf(x / sqrt 2)) / 2, the exact one; on a CPU to 2e-7 (`_erf_in_place`)."""
    return _by_numpy(_gelu_in_place, x) if on_cpu() else nn.gelu(x)


@partial(mx.compile, shapeless=True)
def add3(x: mx.array, y: mx.array, bias: mx.array) -> mx.array:
    """x + (y + bias), the bias along the last axis."""
    return x + (y + bias)


@partial(mx.compile, shapeless=True)
def add_and_relu(x: mx.array, bias: mx.array) -> mx.array:
    """The ReLU of x + bias, the bias along the last axis."""
    return mx.maximum(x + bias, 0.0)


def gated(x: mx.array, bias: mx.array, gate: mx.array, gate_bias: mx.array) -> mx.array:
    """(x + bias) * silu(gate + gate_bias), the biases along the last axis."""
    if on_cpu():
        return (x + bias) * silu(gate + gate_bias)
    return _gated(x, bias, gate, gate_bias)


@partial(mx.compile, shapeless=True)
def _gated(x: mx.array, bias: mx.array, gate: mx.array, gate_bias: mx.array) -> mx.array:
    gate = gate + gate_bias
    return (x + bias) * (gate * mx.sigmoid(gate))


class Joined(NamedTuple):
    """Sums and the SiLU after them. Sums are float32; what a convolution takes is `dtype`.

    take(x): x as a convolution takes it. Of what it made, y: plus(x, y, bias): x + y + bias.
    whole(y, bias): y + bias. start(y, bias): that, and its SiLU. inner(y, bias): only the SiLU.
    add(x, y, bias): x + y + bias, and its SiLU. total(x, y, bias, others): others + x + y + bias.
    mean(x, y, bias, others, n): the SiLU of that over n. y may be a view in any order; what comes
    out lies in the order of its shape.
    """

    take: Callable[[mx.array], mx.array]
    plus: Callable[[mx.array, mx.array, mx.array], mx.array]
    whole: Callable[[mx.array, mx.array], mx.array]
    start: Callable[[mx.array, mx.array], tuple[mx.array, mx.array]]
    inner: Callable[[mx.array, mx.array], mx.array]
    add: Callable[[mx.array, mx.array, mx.array], tuple[mx.array, mx.array]]
    total: Callable[[mx.array, mx.array, mx.array, mx.array], mx.array]
    mean: Callable[[mx.array, mx.array, mx.array, mx.array, mx.array], mx.array]


def joined(dtype: mx.Dtype) -> Joined:
    """The functions for convolutions that work in `dtype`, on the default device."""
    return _joined(dtype, on_cpu())


@cache
def _joined(dtype: mx.Dtype, cpu: bool) -> Joined:
    def act(x: mx.array) -> mx.array:
        x = silu(x) if cpu else x * mx.sigmoid(x)
        return bounded(x).astype(dtype)

    def bounded(x: mx.array) -> mx.array:
        """Half precision ends at 65504, and beyond it there is no way back to a number."""
        return mx.clip(x, -HALF_MAX, HALF_MAX) if dtype == mx.float16 else x

    def take(x: mx.array) -> mx.array:
        return bounded(x).astype(dtype)

    def wide(y: mx.array) -> mx.array:
        return bounded(y.astype(mx.float32))

    def whole(y: mx.array, bias: mx.array) -> mx.array:
        return wide(y) + bias

    def plus(x: mx.array, y: mx.array, bias: mx.array) -> mx.array:
        return x + whole(y, bias)

    def start(y: mx.array, bias: mx.array) -> tuple[mx.array, mx.array]:
        x = whole(y, bias)
        return x, act(x)

    def inner(y: mx.array, bias: mx.array) -> mx.array:
        return act(whole(y, bias))

    def add(x: mx.array, y: mx.array, bias: mx.array) -> tuple[mx.array, mx.array]:
        x = x + whole(y, bias)
        return x, act(x)

    def total(x: mx.array, y: mx.array, bias: mx.array, others: mx.array) -> mx.array:
        return others + (x + whole(y, bias))

    def mean(x: mx.array, y: mx.array, bias: mx.array, others: mx.array, n: mx.array) -> mx.array:
        return act(total(x, y, bias, others) / n)

    def ready(function: Any) -> Any:
        idle = dtype == mx.float32 and function is take
        return function if cpu or idle else mx.compile(function, shapeless=True)

    return Joined(*map(ready, (take, plus, whole, start, inner, add, total, mean)))


def _by_numpy(in_place: Callable[[FloatArray], None], x: mx.array) -> mx.array:
    values = np.array(x.astype(mx.float32))
    flat = values.reshape(-1)
    with np.errstate(over="ignore", under="ignore"):
        for first in range(0, flat.size, _BLOCK):
            in_place(flat[first : first + _BLOCK])
    return mx.array(values).astype(x.dtype)


def _silu_in_place(x: FloatArray) -> None:
    scale = np.negative(x)
    np.exp(scale, out=scale)  # infinite below -88, where the quotient is 0 as it should be
    scale += 1
    x /= scale


def _gelu_in_place(x: FloatArray) -> None:
    share = x * np.float32(0.5**0.5)
    _erf_in_place(share)
    share += 1
    share *= 0.5
    x *= share


def _erf_in_place(x: FloatArray) -> None:
    """The error function by formula 7.1.26 of Abramowitz and Stegun, to 2e-7."""
    size = np.abs(x)
    t = 1 / (1 + np.float32(0.3275911) * size)
    series = np.full_like(t, 1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series *= t
        series += np.float32(coefficient)
    series *= t
    size *= size
    series *= np.exp(-size)
    np.subtract(1, series, out=series)
    np.copysign(series, x, out=x)
