from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_music.ace_step.pace import Pace


def test_a_pace_is_one_step_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(mx, "async_eval", lambda *arrays: calls.append(("start", *arrays)))
    monkeypatch.setattr(mx, "eval", lambda *arrays: calls.append(("wait", *arrays)))
    pace = Pace()
    pace(1)  # type: ignore[arg-type]
    pace(2)  # type: ignore[arg-type]
    assert calls == [("start", 1), ("wait",), ("start", 2), ("wait", 1)]
