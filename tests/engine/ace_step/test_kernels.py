"""GPU kernels against plain operations: on a GPU, and their sources where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_music.ace_step import (
    attention_kernel,
    dcae_kernel,
    gpu,
    kernels,
    operations,
    vocoder_kernel,
)
from mlx_music.ace_step.operations import RotaryTables
from mlx_music.ace_step.vocoder_kernel import Pair
from tests.engine.ace_step.emulation import COMPILER, emulated
from tests.engine.ace_step.test_operations import drawn, every_operation
from tests.engine.ace_step.test_vocoder_kernel import plain, weights_of
from tests.parity.conftest import relative_error

ON_GPU = mx.default_device() == mx.Device(mx.gpu)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture(
    autouse=True,
    params=[
        pytest.param("gpu", marks=pytest.mark.skipif(not ON_GPU, reason="needs a GPU")),
        pytest.param("cuda", marks=pytest.mark.skipif(COMPILER is None, reason="needs g++")),
        pytest.param("metal", marks=pytest.mark.skipif(COMPILER is None, reason="needs g++")),
    ],
)
def _runs_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    if request.param == "gpu":
        yield
        return
    metal = request.param == "metal"
    gpu.kernel.cache_clear()
    monkeypatch.setattr(mx.metal, "is_available", lambda: metal)
    monkeypatch.setattr(mx.fast, f"{request.param}_kernel", emulated(folder, metal=metal))
    yield
    gpu.kernel.cache_clear()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(mx.float32, 1e-6), (mx.bfloat16, 1e-2), (mx.float16, 2e-3)]
)
def test_kernels_compute_what_the_operations_say(dtype: mx.Dtype, tolerance: float) -> None:
    names = set()
    for name, given in every_operation(2, dtype):
        own = dcae_kernel if name == "add_norm" else kernels
        made = [getattr(module, name)(*given) for module in (own, operations)]
        for (_, ours), (_, theirs) in zip(*(tree_flatten([each]) for each in made), strict=True):
            assert ours.dtype == theirs.dtype
            error = relative_error(ours.astype(mx.float32), theirs.astype(mx.float32))
            assert error < tolerance, name
        names.add(name)
    assert len(names) == 5 + (dtype != mx.bfloat16)


#: Of what its products take: float32 with Metal, TF32 with CUDA.
ATTENTION_ERROR = 1e-3


@pytest.mark.parametrize("head", [64, 128])
@pytest.mark.parametrize("frames", [1, 31, 64, 129])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(mx.float32, ATTENTION_ERROR), (mx.bfloat16, 1e-2), (mx.float16, 2e-3)]
)
def test_linear_attention(head: int, frames: int, dtype: mx.Dtype, tolerance: float) -> None:
    """Frames: less than a step has, as many as two of them, and more than are answered at once."""
    x = drawn(2, frames, 3 * 256).astype(dtype)
    rope = RotaryTables.of(frames, head, 1e6)
    made, expected = (m.linear_attention(x, rope) for m in (attention_kernel, operations))
    assert made.dtype == dtype
    assert relative_error(made.astype(mx.float32), expected.astype(mx.float32)) < tolerance


def test_only_what_is_turned_has_the_precision_of_bfloat16() -> None:
    """With CUDA, where the reference rounds too. What is summed has more, or every seventh result
    would round otherwise than it should."""
    x, rope = drawn(1, 150, 3 * 128).astype(mx.bfloat16), RotaryTables.of(150, 128, 1e6)
    q, k, v = (mx.unflatten(part, -1, (1, 128)) for part in mx.split(x, 3, axis=-1))
    q, k = (mx.maximum(rope(part), 0) for part in (q, k))
    if not mx.metal.is_available():
        q, k = (part.astype(mx.bfloat16).astype(mx.float32) for part in (q, k))
    q, k, v = (np.array(part.astype(mx.float32)[0, :, 0], dtype=np.float64) for part in (q, k, v))
    expected = q @ (k.T @ v) / (q @ k.sum(axis=0))[:, None]
    made = attention_kernel.linear_attention(x, rope)[0]
    same = made == mx.array(expected.astype(np.float32)).astype(mx.bfloat16)
    assert np.array(same).mean() > 0.98


def test_a_barrier_that_is_missing_shows(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that there is; of the sources as they run here, for a GPU may be lucky."""
    if request.node.callspec.params["_runs_on"] == "gpu":
        pytest.skip("only emulation runs threads as far as they may")
    frames = 250  # and so something in every part of the last step
    rope = RotaryTables.of(frames, 128, 1e6)
    sound, pair = drawn(2, 300, 16), Pair.of(*weights_of(16, 7), 3)

    def attends(dtype: mx.Dtype) -> float:
        x = drawn(1, frames, 3 * 128).astype(dtype)
        made, expected = (m.linear_attention(x, rope) for m in (attention_kernel, operations))
        return relative_error(made.astype(mx.float32), expected.astype(mx.float32))

    def convolves(_: mx.Dtype) -> float:
        made = vocoder_kernel.residual(sound, pair, pair.seen)
        return relative_error(made, plain(sound, pair, pair.seen))

    sources = (
        (attention_kernel, "_SUM", attends, (mx.float32, mx.bfloat16)),
        (attention_kernel, "_ANSWER", attends, (mx.float32, mx.bfloat16)),
        (vocoder_kernel, "_RESIDUAL", convolves, (mx.float16,)),
    )
    for module, name, error, dtypes in sources:
        source = getattr(module, name)
        parts = source.split("BARRIER;")
        with_all = {dtype: error(dtype) for dtype in dtypes}
        assert max(with_all.values()) < 5e-3
        for place in range(1, len(parts)):
            left, right = ("BARRIER;".join(some) for some in (parts[:place], parts[place:]))
            monkeypatch.setattr(module, name, left + right)
            # Not all are for both: in 16 bits, with CUDA, a step does not wait for the one before.
            assert any(not error(dtype) < 5 * with_all[dtype] for dtype in dtypes), (name, place)
        monkeypatch.setattr(module, name, source)


@pytest.mark.parametrize("dtype", [mx.float32, mx.bfloat16])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_attention_hides_nothing_that_is_no_number(part: int, dtype: mx.Dtype) -> None:
    """Of a query it spoils one frame, of a key or a value all of them, of one head."""
    x, rope = drawn(1, 70, 3 * 256).astype(dtype), RotaryTables.of(70, 128, 1e6)
    x[0, 65, part * 256 + 130] = mx.nan
    made, expected = (
        np.isnan(np.array(module.linear_attention(x, rope).astype(mx.float32)))[0]
        for module in (attention_kernel, operations)
    )
    assert expected.any()
    assert np.array_equal(made, expected)


@pytest.mark.parametrize("channels", vocoder_kernel.WIDTHS)
@pytest.mark.parametrize(
    ("taps", "dilation", "samples"),
    [(1, 1, 1), (3, 5, 300), (7, 3, 250), (13, 5, 244), (15, 2, 245)],
)
def test_narrow_pairs(channels: int, taps: int, dilation: int, samples: int) -> None:
    """Samples: less than a group makes, about as many, and one more."""
    pair = Pair.of(*weights_of(channels, taps), dilation)
    seen = Pair.of(*weights_of(channels, 15), 5).seen
    x, others = drawn(2, samples, channels), drawn(2, samples, channels, seed=5)
    for given in ((None, None), (others, None), (others, 4)):
        made = vocoder_kernel.residual(x, pair, seen, *given)
        expected = plain(x, pair, seen, *given)
        assert made.dtype == expected.dtype
        assert relative_error(made.astype(mx.float32), expected.astype(mx.float32)) < 2e-3


@pytest.mark.parametrize("channels", vocoder_kernel.WIDTHS)
def test_what_is_no_number_spreads_as_far_as_it_is_seen(channels: int) -> None:
    """And no further: or it would hide in what a group leaves behind for the next one."""
    pair = Pair.of(*weights_of(channels, 3), 5)
    x = drawn(1, 600, channels)
    x[0, 300, 3] = mx.nan
    # Of 8 channels there is a fourth tap, of zeros, and nothing times no number is none.
    taps = (1, 0, -1, -2)[: 4 if channels == 8 else 3]
    for blocks in (None, 4):
        made = np.isnan(np.array(vocoder_kernel.residual(x, pair, pair.seen, None, blocks)))
        spoilt = np.flatnonzero(made.any(axis=(0, 2)))
        assert spoilt.tolist() == sorted({300 + 5 * a + b for a in taps for b in taps})


def test_a_norm_of_no_number_is_none() -> None:
    x, y = drawn(1, 4, 256), drawn(1, 4, 256).astype(mx.float16)
    y[0, 1, 5] = mx.nan
    made = np.array(dcae_kernel.add_norm(x, y, mx.ones(256), mx.zeros(256)))
    assert np.isnan(made[0, 1]).all()
    assert np.isfinite(made[0, [0, 2, 3]]).all()
