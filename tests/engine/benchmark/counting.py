"""The arithmetic of a call, counted as MLX is asked for it: from the shapes of all operands."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import mlx.core as mx


def counted_flops(call: Callable[[], Any]) -> int:
    """Operations of all products, convolutions and attention that `call` asks for.

    What it asks for need not be computed.
    """
    total = 0

    def counting(function: Callable[..., mx.array], flops: Callable[..., int]) -> Any:
        def counted(*args: Any, **kwargs: Any) -> mx.array:
            nonlocal total
            result = function(*args, **kwargs)
            total += flops(result, *args)
            return result

        return counted

    with (
        patch.object(mx.array, "__matmul__", counting(mx.array.__matmul__, _product)),
        patch.object(mx, "matmul", counting(mx.matmul, _product)),
        patch.object(mx, "addmm", counting(mx.addmm, lambda out, _, *ab: _product(out, *ab))),
        patch.object(mx, "conv1d", counting(mx.conv1d, _convolution)),
        patch.object(mx, "conv2d", counting(mx.conv2d, _convolution)),
        patch.object(mx, "conv_general", counting(mx.conv_general, _convolution)),
        patch.object(
            mx.fast,
            "scaled_dot_product_attention",
            counting(mx.fast.scaled_dot_product_attention, _attention),
        ),
    ):
        # What is compiled asks for nothing when it is called again.
        mx.disable_compile()
        try:
            call()
        finally:
            mx.enable_compile()
    return total


def _product(out: mx.array, a: mx.array, b: mx.array) -> int:
    return 2 * out.size * a.shape[-1]


def _convolution(out: mx.array, x: mx.array, weight: mx.array, *_: Any) -> int:
    return 2 * out.size * math.prod(weight.shape[1:])


def _attention(out: mx.array, queries: mx.array, keys: mx.array, values: mx.array) -> int:
    return 2 * queries.size * keys.shape[-2] + 2 * out.size * values.shape[-2]
