from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_music.ace_step import convolution
from mlx_music.ace_step.convolution import Doubling, TimeConv, Upsampling, conv2d, product


@pytest.fixture(params=["the device's", "a GPU's"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either form of a convolution must be right on any device."""
    if request.param == "a GPU's":
        monkeypatch.setattr(convolution, "on_cpu", lambda: False)


@pytest.mark.parametrize("length", [1, 4, 5, 33, 60])
@pytest.mark.parametrize("dilation", [1, 2, 3, 5])
@pytest.mark.parametrize(("kernel", "outputs"), [(1, 4), (3, 4), (7, 4), (13, 8), (11, 80)])
def test_along_time(length: int, dilation: int, kernel: int, outputs: int) -> None:
    mx.random.seed(0)
    x, weight = mx.random.normal((2, length, 3)), mx.random.normal((outputs, kernel, 3))
    expected = mx.conv1d(x, weight, padding=kernel // 2 * dilation, dilation=dilation)
    conv = TimeConv.of(weight, dilation)
    assert mx.abs(conv(x) - expected).max() < 2e-5
    assert mx.array_equal(conv.loose(x).reshape(2, length, outputs), conv(x))


def test_narrow_layers_take_several_steps_at_once() -> None:
    steps = {n: TimeConv.of(mx.zeros((n, 13, n))).steps for n in (8, 32, 64)}
    assert steps[8] > 1
    assert steps[64] == 1


@pytest.mark.parametrize("length", [1, 2, 9])
@pytest.mark.parametrize(
    ("kernel", "stride"), [(8, 4), (4, 2), (4, 4), (7, 3), (6, 2), (11, 3), (2, 2), (3, 1)]
)
def test_upsampling(length: int, kernel: int, stride: int) -> None:
    mx.random.seed(0)
    x, weight = mx.random.normal((2, length, 3)), mx.random.normal((4, kernel, 3))
    expected = mx.conv_transpose1d(x, weight, stride, padding=(kernel - stride) // 2)
    actual = Upsampling.of(weight, stride)(x)
    assert actual.shape == expected.shape == (2, length * stride, 4)
    assert mx.abs(actual - expected).max() < 1e-5


@pytest.mark.parametrize("size", [2, 3])
def test_images(size: int) -> None:
    mx.random.seed(0)
    x, weight = mx.random.normal((2, 5, 7, 6)), mx.random.normal((4, size, size, 6))
    assert mx.abs(conv2d(x, weight) - mx.conv2d(x, weight, padding=1)).max() < 2e-5
    assert mx.abs(product(x, weight[:, 0, 0]) - x @ weight[:, 0, 0].T).max() < 2e-5


def test_doubling_an_image() -> None:
    mx.random.seed(0)
    x, weight = mx.random.normal((2, 5, 7, 6)), mx.random.normal((4, 3, 3, 6))
    expected = mx.conv2d(mx.repeat(mx.repeat(x, 2, 1), 2, 2), weight, padding=1)
    doubled = Doubling.of(weight)(x)
    assert doubled.shape == (2, 5, 2, 7, 2, 4)
    assert mx.abs(doubled.reshape(expected.shape) - expected).max() < 2e-5
