from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_music.ace_step.pace import Pace


@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_a_step_is_waited_for_when_so_many_more_are_under_way(
    ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way: list[int] = []
    most = []
    monkeypatch.setattr(mx, "async_eval", under_way.append)
    monkeypatch.setattr(mx, "eval", under_way.remove)
    pace = Pace(ahead)
    for step in range(6):
        pace(step)  # type: ignore[arg-type]
        most.append(list(under_way))
    assert most[-1] == list(range(6 - ahead, 6))
    assert max(map(len, most)) == ahead


def test_what_a_step_made_is_there() -> None:
    pace, x = Pace(), mx.zeros(3)
    for _ in range(4):
        x = x + 1
        pace(x, 2 * x)
    assert x.tolist() == [4, 4, 4]
