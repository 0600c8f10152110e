from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_music.ace_step.tiling import Tile, tiles


@pytest.mark.parametrize("length", [1, 2, 7, 20])
@pytest.mark.parametrize("size", [None, 1, 3, 7, 100])
@pytest.mark.parametrize("halo", [0, 2, 50])
def test_tiles_cover_the_axis_once_and_stay_inside(
    length: int, size: int | None, halo: int
) -> None:
    x = mx.arange(2 * length).reshape(2 * length, 1)
    parts = []
    for tile in tiles(length, size, halo):
        assert tile.low == max(0, tile.start - halo)
        assert tile.high == min(length, tile.stop + halo)
        parts.append(tile.trim(tile.take(x, axis=0, scale=2), axis=0, scale=2))
    assert mx.array_equal(mx.concatenate(parts), x)


def test_take_and_trim_work_along_any_axis() -> None:
    x = mx.arange(24).reshape(2, 12)
    tile = Tile.around(3, 5, halo=1, length=6)
    seen = tile.take(x, axis=1, scale=2)
    assert seen.tolist()[0] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert tile.trim(seen, axis=1, scale=2).tolist()[0] == [6, 7, 8, 9]


def test_a_tile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="tile size 0"):
        list(tiles(4, 0, 1))
