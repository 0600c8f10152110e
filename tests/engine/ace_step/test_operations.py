"""Operations between products: as they are defined, and how kernels stand in for them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_music.ace_step import (
    accelerated,
    attention_kernel,
    dcae_kernel,
    gpu,
    kernels,
    operations,
    vocoder_kernel,
)
from mlx_music.ace_step.operations import RotaryTables
from mlx_music.ace_step.transformer_blocks import SelfAttention
from mlx_music.weights.lora import AdaptedLayer
from tests.parity.conftest import relative_error

#: Frames: more than a kernel's thread or group makes, and not a multiple.
FRAMES, FEATURES, HEAD = 19, 256, 32


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test has refused is nothing to the songs of other tests."""
    monkeypatch.setattr(accelerated, "_refused", {})


def drawn(*shape: int, seed: int | None = None) -> mx.array:
    values = np.random.default_rng(sum(shape) if seed is None else seed).standard_normal(shape)
    return mx.array(values.astype(np.float32))


def test_rope_is_the_one_that_the_weights_were_trained_with() -> None:
    angles = np.arange(FRAMES)[:, None] / 1e6 ** (np.arange(0, HEAD, 2) / HEAD)
    angles = np.concatenate([angles, angles], axis=-1)
    x = np.array(drawn(1, FRAMES, 2, HEAD), dtype=np.float64)
    turned = np.stack([-x[..., 1::2], x[..., 0::2]], axis=-1).reshape(x.shape)
    expected = x * np.cos(angles)[:, None] + turned * np.sin(angles)[:, None]
    actual = RotaryTables.of(FRAMES, HEAD, 1e6)(mx.array(x.astype(np.float32)))
    assert relative_error(actual, expected) < 1e-6


def every_operation(batch: int, dtype: mx.Dtype) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Names, and what each is given."""
    x, change = (drawn(batch, FRAMES, FEATURES + i)[..., :FEATURES].astype(dtype) for i in (0, 1))
    rope = RotaryTables.of(FRAMES, HEAD, 1e6)
    hidden, kernel = drawn(batch, FRAMES, 2 * FEATURES), drawn(2 * FEATURES, 3, 1)
    own, shared = drawn(batch, 6, FEATURES), drawn(1, 6, FEATURES)
    yield "turn", (x, rope, own[:, 0])
    yield "turn", (x, rope, None)
    for modulation, other in ((own, shared), (shared, own)):
        yield "gate", (x, change, modulation, 5)
        yield "norm", (x, modulation, 3)
        yield "sum_and_norm", (x, change, None, modulation, 3)
        yield "sum_and_norm", (x, change, (other, 2), modulation, 0)
    sound = drawn(batch, 3, FRAMES, FEATURES)
    if dtype in (mx.float32, mx.float16):
        yield "add_norm", (sound, (2 * sound[::-1]).astype(dtype), drawn(FEATURES), drawn(FEATURES))
    bias = drawn(2 * FEATURES).astype(dtype)
    yield "conv_and_gate", (hidden.astype(dtype), kernel.astype(dtype), bias)


def test_linear_attention_is_each_query_s_mean_of_the_values() -> None:
    x, rope = drawn(2, FRAMES, 3 * FEATURES), RotaryTables.of(FRAMES, HEAD, 1e6)
    q, k, v = (np.array(x).reshape(2, FRAMES, 3, -1, HEAD)[:, :, i] for i in range(3))
    q, k = (np.maximum(np.array(rope(mx.array(part))), 0).astype(np.float64) for part in (q, k))
    weights = np.einsum("bthd,bshd->bhts", q, k)
    means = np.einsum("bhts,bshd->bthd", weights / weights.sum(axis=-1, keepdims=True), v)
    expected = means.reshape(2, FRAMES, FEATURES)
    assert relative_error(accelerated.linear_attention(x, rope), expected) < 1e-5


def test_kernels_are_for_widths_that_they_divide() -> None:
    x = mx.zeros((1, 1, 3 * FEATURES))
    for head, fit in ((32, False), (64, True), (128, True)):
        assert accelerated._fit_projections(x, RotaryTables.of(1, head, 1e6)) is fit
    rows, own = mx.zeros((1, 2, dcae_kernel._MAX_ROWS // 2, 128)), mx.zeros(128)
    assert dcae_kernel.fits(rows, rows, own, own)
    more = mx.zeros((1, 1, dcae_kernel._MAX_ROWS + 1, 128))
    assert not dcae_kernel.fits(more, more, own, own)


def test_what_proves_a_kernel_is_a_piece_of_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    monkeypatch.setattr(accelerated, "agree", lambda _, __, given, ___: seen.append(given))
    frames = accelerated.PROOF_FRAMES
    rope = RotaryTables.of(frames + 5, 64, 1e6)
    x = drawn(2, frames + 5, 3 * FEATURES)
    made = accelerated.linear_attention(x, rope)
    assert made.shape == (2, frames + 5, FEATURES)
    sound, own = drawn(1, 3, 5, 128), mx.ones(128)
    accelerated.add_norm(sound, sound, own, own)
    (part, tables), (rows, *_) = seen
    assert mx.array_equal(part, x[:, :frames])
    assert mx.array_equal(tables.second, rope.second[:frames])
    assert mx.array_equal(rows, sound[:, :1])


def test_every_operation_runs_where_there_is_no_gpu() -> None:
    for name, given in every_operation(1, mx.float32):
        ours, plain = (getattr(module, name)(*given) for module in (accelerated, operations))
        for (_, a), (_, b) in zip(tree_flatten([ours]), tree_flatten([plain]), strict=True):
            assert relative_error(a, b) < 1e-6


@pytest.mark.parametrize("fault", ["wrong", "not a number", "does not compile"])
def test_a_kernel_that_is_wrong_is_not_used(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    calls = []

    def kernel(x: mx.array) -> mx.array:
        calls.append(x)
        if fault == "does not compile":
            raise RuntimeError("program_source:3: error\nmore")
        return x + (mx.nan if fault == "not a number" else 0.5)

    def double(x: mx.array) -> mx.array:
        return x * 2

    operation = accelerated._by_kernel(kernel, double, lambda _: True)
    x = mx.array([1.0, 2.0, 8.0])
    with pytest.warns(RuntimeWarning, match="'double' does not work on this system"):
        assert operation(x).tolist() == [2, 4, 16]
    assert operation(x + 1).tolist() == [4, 6, 18]
    assert len(calls) == 1


@pytest.mark.parametrize("nothing", [0.0, mx.nan])
def test_what_proves_nothing_is_no_proof(nothing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    operation = accelerated._by_kernel(lambda x: x * 3, lambda x: x * 2, lambda _: True)
    assert operation(mx.full((1, 4), nothing)).shape == (1, 4)
    # So a kernel that is wrong is still found out.
    with pytest.warns(RuntimeWarning, match="does not work on this system"):
        assert operation(mx.ones((1, 4))).tolist() == [[2.0] * 4]


def test_a_kernel_is_compared_once_for_each_width_and_dtype(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    plain_calls = []

    def plain(x: mx.array) -> mx.array:
        plain_calls.append(x.shape)
        return x * 2

    operation = accelerated._by_kernel(lambda x: x + x, plain, lambda x: x.shape[-1] != 5)
    for shape in ((2, 4), (3, 4), (1, 4), (1, 8), (1, 5), (1, 5)):
        assert mx.array_equal(operation(mx.ones(shape)), mx.full(shape, 2.0)).item()
    assert operation(mx.ones((1, 4), dtype=mx.float16)).dtype == mx.float16
    assert plain_calls == [(2, 4), (1, 8), (1, 5), (1, 5), (1, 4)]


def test_a_batch_is_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    compared = []

    def plain(x: mx.array, factor: mx.array) -> mx.array:
        compared.append(factor.shape)
        return x * factor[:, None]

    operation = accelerated._by_kernel(lambda x, f: x * f[:, None], plain, fits_always)
    for batch in (2, 4, 1):
        operation(mx.ones((batch, 4)), mx.ones(batch))
    assert compared == [(2,)]


def test_other_code_of_a_kernel_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
    compared = []

    def plain(x: mx.array, gating: object, dtype: mx.Dtype, row: int) -> mx.array:
        compared.append((gating, dtype))
        return x.astype(dtype)

    operation = accelerated._by_kernel(lambda x, _, dtype, __: x.astype(dtype), plain, fits_always)
    x = mx.ones((1, 4))
    for _ in range(2):
        for given in ((None, mx.float32), ((x, 2), mx.float32), (None, mx.float16)):
            operation(x, *given, 3)
    assert len(compared) == 3


def fits_always(*_: Any) -> bool:
    return True


def test_a_song_is_told_of_kernels_that_are_not_used() -> None:
    assert accelerated.refusals() is None
    message = "Unable to build metal library from source\nprogram_source:3: error: no\nmore"
    with pytest.warns(RuntimeWarning, match=r"\(program_source:3: error: no\)"):
        accelerated._refuse("norm", accelerated._first_error(message))
    note = accelerated.refusals()
    assert note is not None
    assert "norm: program_source:3: error: no" in note


#: Of Metal's language and of CUDA's, beyond those of C++.
RESERVED = {
    *("constant", "device", "thread", "threadgroup", "threadgroup_imageblock", "kernel"),
    *("vertex", "fragment", "mesh", "object", "ray_data", "object_data", "half", "bfloat"),
    *("__shared__", "__global__", "blockIdx", "blockDim", "threadIdx", "gridDim", "warpSize"),
}


def test_no_name_in_a_kernel_is_a_word_of_metal_or_of_cuda() -> None:
    modules = (attention_kernel, kernels, dcae_kernel, vocoder_kernel)
    texts = [text for module in modules for text in vars(module).values()]
    sources = [text for text in texts if isinstance(text, str) and "POSITION" in text]
    assert len(sources) == 9
    for source in (*sources, gpu._COMMON):
        words = set(re.findall(r"\w+", re.sub(r"//.*", "", source)))
        assert not words & RESERVED


@pytest.mark.parametrize("bits", [None, 8, 4])
def test_joined_projections_are_the_same_and_are_forgotten_when_one_is_replaced(
    bits: int | None,
) -> None:
    attention, rope = SelfAttention(64, 2), RotaryTables.of(FRAMES, 32, 1e6)
    names = ("to_q", "to_k", "to_v")
    if bits is not None:
        for name in names:
            quantized = nn.QuantizedLinear.from_linear(getattr(attention, name), 32, bits)
            setattr(attention, name, quantized)
    x = drawn(1, FRAMES, 64)
    before, arrays = attention(x, rope), dict(attention.to_k.parameters())
    attention.join()
    assert attention._joined is not None
    assert relative_error(attention(x, rope), before) < 1e-6
    assert set(arrays) == {"weight", "bias"} | ({"scales", "biases"} if bits else set())
    for name, array in attention.to_k.parameters().items():
        assert mx.array_equal(array, arrays[name]).item()
    assert set(attention.parameters()) == {"to_q", "to_k", "to_v", "to_out"}
    joined = attention._joined
    attention.join()
    assert attention._joined is joined

    attention.to_k.bias = attention.to_k.bias + 1
    assert relative_error(attention(x, rope), before) > 1e-3
    assert attention._joined is None
    attention.join()
    assert attention._joined is not None

    attention.to_v = nn.Linear(64, 64)
    after = attention(x, rope)
    assert attention._joined is None
    assert relative_error(after, before) > 1e-2


def test_unlike_projections_are_not_joined() -> None:
    attention = SelfAttention(64, 2)
    attention.to_q = nn.QuantizedLinear.from_linear(attention.to_q, 32, 8)
    attention.join()
    assert attention._joined is None
    for name in ("to_k", "to_v"):
        setattr(attention, name, nn.QuantizedLinear.from_linear(getattr(attention, name), 32, 4))
    attention.join()
    assert attention._joined is None
    attention.to_q = attention.to_k = attention.to_v = AdaptedLayer(nn.Linear(64, 64))
    attention.join()
    assert attention._joined is None
