"""What `Vocoder` and the autoencoder have in common; how each decides is in their own tests."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import pytest

from mlx_music.ace_step.half_precision import bytes_saved, try_float16


@pytest.fixture
def network() -> nn.Linear:
    return nn.Linear(4, 3)


def tried(network: nn.Linear, *, music: bool = True, heard: bool = False) -> bool | None:
    return try_float16(
        [network],
        convert=lambda: network.set_dtype(mx.float16),
        make=lambda: network(mx.ones((1, 4))).astype(mx.float32),
        is_music=lambda _: music,
        is_heard=lambda made, exact: heard or bool(mx.abs(made - exact).max() > 1e-2),
    )


@pytest.mark.parametrize("heard", [False, True])
def test_it_stays_unless_it_is_heard(network: nn.Linear, heard: bool) -> None:
    before = dict(network.parameters())
    assert tried(network, heard=heard) is not heard
    assert network.weight.dtype == (mx.float32 if heard else mx.float16)
    assert (network.weight is before["weight"]) is heard


def test_what_is_no_music_decides_nothing(network: nn.Linear) -> None:
    assert tried(network, music=False) is None
    assert network.weight.dtype == mx.float32


def test_an_interruption_leaves_the_weights(
    network: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, convert = network.weight, network.set_dtype

    def interrupted(dtype: mx.Dtype) -> None:
        convert(dtype)
        raise KeyboardInterrupt

    monkeypatch.setattr(network, "set_dtype", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tried(network)
    assert network.weight is weight


def test_bytes_are_of_what_is_float32(network: nn.Linear) -> None:
    assert bytes_saved([network, network]) == 2 * (12 + 3) * 2
    network.weight = network.weight.astype(mx.float16)
    assert bytes_saved([network]) == 3 * 2
