"""Configs come from JSON of the right kinds, or a clear error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from mlx_music.errors import CheckpointError
from mlx_music.weights.config import config_from_dict


@dataclass(frozen=True)
class Inner:
    size: int = 1


@dataclass(frozen=True)
class Outer:
    width: int = 4
    rate: float = 0.5
    name: str = "x"
    bias: bool = True
    kernels: tuple[tuple[int, ...], ...] = ((3, 5), (7,))
    inner: Inner = field(default_factory=Inner)


def test_known_keys_are_taken_and_others_ignored() -> None:
    values = {"width": 8, "rate": 1, "kernels": [[1], []], "inner": {"size": 3}, "_version": "2"}
    config = config_from_dict(Outer, values)
    assert config == Outer(width=8, rate=1, kernels=((1,), ()), inner=Inner(3))
    assert config_from_dict(Outer, {}) == Outer()


@pytest.mark.parametrize(
    "values",
    [
        {"width": None},
        {"width": 1.5},
        {"width": True},
        {"width": "8"},
        {"rate": "fast"},
        {"name": 3},
        {"bias": 1},
        {"kernels": 3},
        {"kernels": [["a"]]},
        {"kernels": [3]},
        {"inner": []},
        {"inner": {"size": "x"}},
    ],
)
def test_values_of_another_kind_are_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match=r"^(Outer|Inner): \w+ is ") as caught:
        config_from_dict(Outer, values)
    assert "\n" not in str(caught.value)
