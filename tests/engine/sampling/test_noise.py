"""Noise belongs to its seed and its purpose, not to its batch or to what else was drawn."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.sampling.noise import SeededNoise

SHAPE = (2, 8, 16, 5)


def test_an_item_is_its_seeds_alone() -> None:
    both = SeededNoise([3, 9])("initial", SHAPE)
    alone = SeededNoise([9])("initial", (1, *SHAPE[1:]))
    assert mx.array_equal(both[1:], alone)
    assert not mx.array_equal(both[0], both[1])


def test_streams_do_not_disturb_each_other() -> None:
    plain, busy = SeededNoise([3]), SeededNoise([3])
    shape = (1, *SHAPE[1:])
    busy("initial", shape)
    busy("step", shape)
    second = busy("step", shape)
    plain("step", shape)
    assert mx.array_equal(plain("step", shape), second)
    assert not mx.array_equal(plain("step", shape), second)


def test_retakes_have_seeds_of_their_own() -> None:
    shape = (1, *SHAPE[1:])
    one, two = SeededNoise([3], [4]), SeededNoise([3], [5])
    assert mx.array_equal(one("initial", shape), two("initial", shape))
    assert not mx.array_equal(one("retake", shape), two("retake", shape))
    # the same number makes other noise for another purpose
    same = SeededNoise([3], [3])
    assert not mx.array_equal(same("initial", shape), same("retake", shape))


def test_values_are_standard_normal() -> None:
    values = np.array(SeededNoise([2**32 - 1])("initial", (1, 8, 16, 500)))
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02


def test_a_batch_needs_a_seed_each() -> None:
    with pytest.raises(ValueError, match="1 seeds for a batch of 2"):
        SeededNoise([1])("initial", SHAPE)
