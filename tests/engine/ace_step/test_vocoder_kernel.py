"""The kernel for narrow ResBlocks, and the head that uses it where it has proved itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from mlx_music.ace_step import accelerated, activations, convolution, vocoder_head, vocoder_kernel
from mlx_music.ace_step.vocoder import VocoderConfig
from mlx_music.ace_step.vocoder_head import Head, _NarrowBlock
from mlx_music.ace_step.vocoder_kernel import Pair
from tests.parity.conftest import relative_error

CONFIG = VocoderConfig(
    num_mels=16,
    dims=(16,),
    depths=(1,),
    upsample_initial_channel=32,
    upsample_rates=(4, 2),
    upsample_kernel_sizes=(8, 4),
    resblock_kernel_sizes=(3, 7),
    resblock_dilation_sizes=((1, 3), (1, 5)),
    hop_length=8,
)


def drawn(*shape: int, seed: int = 0) -> mx.array:
    values = np.random.default_rng(seed).standard_normal(shape)
    return mx.array(values.astype(np.float32))


def weights_of(channels: int, taps: int) -> tuple[mx.array, mx.array, mx.array, mx.array]:
    scale = (taps * channels) ** -0.5
    made = (drawn(channels, taps, channels, seed=seed) * scale for seed in (1, 2))
    weight1, weight2 = (weight.astype(mx.float16) for weight in made)
    return weight1, drawn(channels, seed=3), weight2, drawn(channels, seed=4)


def plain(
    x: mx.array,
    pair: Pair,
    seen: int,
    others: mx.array | None = None,
    blocks: int | None = None,
) -> mx.array:
    """What the kernel says that it computes, from what it is given."""
    weight1, weight2 = (unpacked(each, pair) for each in (pair.weight1, pair.weight2))
    reach, dilation = pair.taps // 2, pair.dilation
    inner = mx.conv1d(nn.silu(x), weight1, padding=reach * dilation, dilation=dilation)
    y = x + mx.conv1d(nn.silu(inner + pair.bias1), weight2, padding=reach) + pair.bias2
    y = y if others is None else y + others
    return y if blocks is None else nn.silu(y / blocks).astype(mx.float16)


def unpacked(blocks: mx.array, pair: Pair) -> mx.array:
    """The weight (out, taps, in) from the blocks of 8 outputs by 16 inputs that a GPU reads."""
    rows = blocks.transpose(1, 2, 0, 3).reshape(pair.channels, -1).astype(mx.float32)
    return rows[:, : pair.taps * pair.channels].reshape(pair.channels, pair.taps, -1)


@pytest.mark.parametrize("channels", vocoder_kernel.WIDTHS)
@pytest.mark.parametrize("taps", [3, 7, 13])
def test_a_pair_is_laid_out_in_blocks_and_nothing_is_lost(channels: int, taps: int) -> None:
    weight1, bias1, weight2, bias2 = weights_of(channels, taps)
    pair = Pair.of(weight1, bias1, weight2, bias2, 5)
    assert pair.weight1.shape[1:] == (channels // 8, 8, 16)
    assert mx.array_equal(unpacked(pair.weight1, pair), weight1.astype(mx.float32))
    assert mx.array_equal(unpacked(pair.weight2, pair), weight2.astype(mx.float32))
    # Of 8 channels, two taps are one step, and the last step may have one of zeros.
    even = taps + taps % 2 if channels == 8 else taps
    assert pair.seen == (even - 1) * 5
    assert (
        not np.array(pair.weight1).reshape(-1, channels, 16)[-1, :, 16 - 8 * (even - taps) :].any()
    )


@pytest.mark.parametrize("channels", vocoder_kernel.WIDTHS)
@pytest.mark.parametrize("shared", [32_768, 49_152])
def test_the_published_levels_fit_into_shared_memory(
    channels: int, shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vocoder_kernel, "shared_bytes", lambda: shared)
    made = monkeypatched_kernel(monkeypatch)
    pair = Pair.of(*weights_of(channels, 13), 5)
    vocoder_kernel.residual(mx.zeros((2, 1000, channels)), pair, pair.seen)
    (template,) = made
    (declared,) = re.findall(r"SHARED Eight<T> (.*);", vocoder_kernel._RESIDUAL)
    sizes = re.findall(r"\w+\[(.*?)\]", declared)
    assert len(sizes) == 2
    values = {**template, "STRIDE": channels + 8 * (channels > 8)}
    eights = sum(eval(size.replace("/", "//"), {}, values) for size in sizes)
    assert eights * 8 * 2 <= shared
    assert template["ROWS"] >= 128
    assert template["SEEN"] == template["ROWS"] + pair.seen


def monkeypatched_kernel(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Let no kernel run; the template arguments of those that would."""
    made: list[dict[str, Any]] = []

    def kernel(*_: Any) -> Callable[..., list[mx.array]]:
        def run(**given: Any) -> list[mx.array]:
            made.append(dict(given["template"]))
            assert given["grid"][1] * (made[-1]["ROWS"] - 2 * 6) >= 1000
            assert given["grid"][0] == given["threadgroup"][0] == made[-1]["ROWS"]
            return [mx.zeros(shape) for shape in given["output_shapes"]]

        return run

    monkeypatch.setattr(vocoder_kernel, "kernel", kernel)
    return made


def test_what_it_is_not_made_for() -> None:
    weight = mx.zeros((16, 7, 16), dtype=mx.float16)
    assert vocoder_kernel.fits(weight, 7)
    assert not vocoder_kernel.fits(weight, 17), "there is no room for so many taps"
    assert not vocoder_kernel.fits(weight.astype(mx.float32), 7)
    assert not vocoder_kernel.fits(mx.zeros((24, 7, 24), dtype=mx.float16), 7)
    assert not vocoder_kernel.fits(mx.zeros((16, 7, 8), dtype=mx.float16), 7)
    assert vocoder_kernel.rows_at_once(32, 4000) == 0


@pytest.fixture
def head() -> Head:
    mx.random.seed(5)
    made = Head(CONFIG)
    made.set_dtype(mx.float16)
    mx.eval(made.parameters())
    return made


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a GPU is given, on whatever device there is."""
    for module in (activations, convolution, vocoder_head):
        monkeypatch.setattr(module, "on_cpu", lambda: False)
    monkeypatch.setattr(accelerated, "_refused", {})


def with_kernel(
    monkeypatch: pytest.MonkeyPatch, kernel: Callable[..., mx.array]
) -> list[tuple[int, ...]]:
    """Let `kernel` be what runs; the shapes that it is called with."""
    calls: list[tuple[int, ...]] = []

    def counted(x: mx.array, *others: Any) -> mx.array:
        calls.append(x.shape)
        return kernel(x, *others)

    monkeypatch.setattr(vocoder_kernel, "residual", counted)
    return calls


def without_kernel(head: Head, features: mx.array, monkeypatch: pytest.MonkeyPatch) -> mx.array:
    with monkeypatch.context() as patch:
        patch.setattr(vocoder_kernel, "WIDTHS", ())
        made = head(features)
    head._made = None
    return made


@pytest.mark.usefixtures("on_gpu")
def test_narrow_levels_go_by_the_kernel(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    features = drawn(2, 9, 16)
    expected = without_kernel(head, features, monkeypatch)
    calls = with_kernel(monkeypatch, plain)
    made = head.ready()
    assert [isinstance(level.blocks[0], _NarrowBlock) for level in made.levels] == [True, True]
    calls.clear()
    assert relative_error(made(features), expected) < 5e-3
    # Both levels have two blocks of two pairs.
    assert calls == [(2, 36, 16)] * 4 + [(2, 72, 8)] * 4
    assert accelerated.refusals() is None


@pytest.mark.usefixtures("on_gpu")
def test_a_kernel_that_is_wrong_is_not_used(head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    features = drawn(2, 9, 16)
    expected = without_kernel(head, features, monkeypatch)
    calls = with_kernel(monkeypatch, lambda *given: 1.1 * plain(*given))
    with pytest.warns(RuntimeWarning, match="'narrow_residuals' does not work on this system"):
        made = head.ready()
    calls.clear()
    assert mx.array_equal(made(features), expected)
    assert not calls
    assert "narrow_residuals" in str(accelerated.refusals())
