"""What a field accepts, by type and by range."""

from __future__ import annotations

from typing import Any

import pytest

from mlx_music import InvalidRequest
from mlx_music.limits import Limit, check_type, check_value

TEXTS, NUMBERS = "tuple[str, ...]", "tuple[int, ...]"


@pytest.mark.parametrize(
    ("annotation", "value"), [(TEXTS, ("a.safetensors",)), (TEXTS, ()), (NUMBERS, (1, 2))]
)
def test_lists_are_lists(annotation: str, value: Any) -> None:
    check_type("field", annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        (TEXTS, "a.safetensors", "'a.safetensors' is not a list of texts"),
        (TEXTS, (1,), r"\(1,\) is not a list of texts"),
        (NUMBERS, (1, "2"), ".* is not a list of whole numbers"),
        (NUMBERS, (True,), ".* is not a list of whole numbers"),
        (TEXTS, ("\ud800",), "is not valid Unicode"),
    ],
)
def test_what_is_no_such_list(annotation: str, value: Any, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^field: {problem}"):
        check_type("field", annotation, value)


def test_every_item_of_a_list_has_its_range() -> None:
    with pytest.raises(InvalidRequest, match=r"^field: 9 is out of range; it must be 1 to 5"):
        check_value("field", NUMBERS, Limit("", "", low=1, high=5), (2, 9))
