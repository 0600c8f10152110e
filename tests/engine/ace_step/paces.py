"""A pace that says how much it was used."""

from __future__ import annotations

import mlx.core as mx

from mlx_music.ace_step.pace import Pace


class CountingPace(Pace):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __call__(self, *arrays: mx.array) -> None:
        self.calls += 1
        super().__call__(*arrays)
