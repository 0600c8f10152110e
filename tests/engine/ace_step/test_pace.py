from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import pytest

from mlx_music.ace_step import pace as module
from mlx_music.ace_step.pace import Pace, held_to


class Device:
    """Stands for MLX on a GPU: each array is the bytes that it takes until it was waited for."""

    def __init__(self, lag: int = 0) -> None:
        self.active, self.peak, self.calls = 100, 100, list[tuple[str, int]]()
        self._lag, self._ended = lag, list[int]()

    def start(self, *arrays: int) -> None:
        self.active += sum(arrays)
        self.peak = max(self.peak, self.active)
        self.calls.append(("start", *arrays))

    def wait(self, *arrays: int) -> None:
        self._ended.append(sum(arrays))
        self.calls.append(("wait", *arrays))
        if not self._lag:
            self.let_go()

    def let_go(self) -> None:
        self.active -= sum(self._ended)
        self._ended.clear()

    def slept(self, _: float) -> None:
        self._lag -= 1
        if self._lag <= 0:
            self.let_go()


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Device]:
    def make(lag: int = 0) -> Device:
        made = Device(lag)
        monkeypatch.setattr(mx, "async_eval", made.start)
        monkeypatch.setattr(mx, "eval", made.wait)
        monkeypatch.setattr(mx, "get_active_memory", lambda: made.active)
        monkeypatch.setattr(module.time, "sleep", made.slept)
        monkeypatch.setattr(module.time, "perf_counter", lambda: 0.0)
        monkeypatch.setattr(module, "on_cpu", lambda: False)
        return made

    return make


def steps(*sizes: int, limit: int | None = None) -> None:
    if limit is None:
        pace = Pace()
    else:
        with held_to(limit):
            pace = Pace()
    for size in sizes:
        pace(size)  # type: ignore[arg-type]


def test_with_no_limit_a_pace_is_one_step_behind(device: Callable[..., Device]) -> None:
    made = device()
    steps(1, 2, 3)
    assert made.calls == [("start", 1), ("start", 2), ("wait", 1), ("start", 3), ("wait", 2)]


def test_as_many_are_under_way_as_there_is_room_for(device: Callable[..., Device]) -> None:
    made = device()
    steps(*[10] * 5, limit=130)
    # Of 100 + 3 * 10, the third step is waited behind: there is no room for a fourth.
    assert [name for name, _ in made.calls] == ["start"] * 3 + ["wait", "start"] * 2 + ["wait"]
    assert made.peak == 130


def test_memory_is_let_go_of_a_moment_after_a_step_has_ended(
    device: Callable[..., Device],
) -> None:
    made = device(lag=3)
    steps(*[10] * 5, limit=130)
    assert made.peak == 130
    assert [name for name, _ in made.calls] == ["start"] * 3 + ["wait", "start"] * 2 + ["wait"]


def test_what_ended_long_ago_is_not_waited_for(
    device: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its memory is what others keep."""
    made = device()
    monkeypatch.setattr(made, "let_go", lambda: None)
    monkeypatch.setattr(module.time, "sleep", lambda _: pytest.fail("there is room"))
    steps(*[1] * 20, limit=1000)
    assert len(made.calls) == 20 + 20 - module._MOST


def test_a_step_for_which_there_is_no_room_does_not_stop_it(device: Callable[..., Device]) -> None:
    made = device()
    steps(50, 50, 1, 1, 1, limit=60)
    assert [size for name, size in made.calls if name == "start"] == [50, 50, 1, 1, 1]


def test_one_large_step_holds_the_small_ones_up_only_once(device: Callable[..., Device]) -> None:
    made = device()
    steps(25, 1, 1, 1, 1, limit=130)
    assert made.calls[:4] == [("start", 25), ("start", 1), ("wait", 25), ("start", 1)]
    assert ("wait", 1) not in made.calls


def test_it_is_never_far_ahead(device: Callable[..., Device]) -> None:
    made = device()
    steps(*[1] * 20, limit=1000)
    assert made.peak == 100 + module._MOST + 1


def test_a_cpu_has_one_step_under_way(
    device: Callable[..., Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = device()
    monkeypatch.setattr(module, "on_cpu", lambda: True)
    steps(*[1] * 5, limit=1000)
    assert made.peak == 102
