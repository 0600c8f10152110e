from __future__ import annotations

import mlx.core as mx
import pytest

from mlx_music.ace_step.tiling import Tile, tiles


@pytest.mark.parametrize("length", [1, 2, 7, 20, 61])
@pytest.mark.parametrize("size", [None, 1, 3, 7, 100])
@pytest.mark.parametrize("halo", [0, 2, 50])
@pytest.mark.parametrize("period", [1, 6])
def test_tiles_cover_the_axis_once_and_look_alike(
    length: int, size: int | None, halo: int, period: int
) -> None:
    x = mx.arange(2 * length).reshape(2 * length, 1)
    parts, wanted, seen = [], [], []
    for tile in tiles(length, size, halo, period):
        assert 0 <= tile.low <= max(0, tile.start - halo)
        assert min(length, tile.stop + halo) <= tile.high <= length
        parts.append(tile.trim(tile.take(x, axis=0, scale=2), axis=0, scale=2))
        wanted.append(tile.wanted(x[:length], axis=0))
        seen.append(tile.high - tile.low)
    assert mx.array_equal(mx.concatenate(parts), x)
    assert mx.array_equal(mx.concatenate(wanted), x[:length])
    assert len(set(seen)) == 1
    assert len(seen) == 1 or seen[0] % period == 0


def test_take_and_trim_work_along_any_axis() -> None:
    x = mx.arange(24).reshape(2, 12)
    tile = Tile.window(3, 5, size=4, length=6)
    seen = tile.take(x, axis=1, scale=2)
    assert seen.tolist()[0] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert tile.trim(seen, axis=1, scale=2).tolist()[0] == [6, 7, 8, 9]


@pytest.mark.parametrize(("start", "low"), [(0, 0), (1, 0), (4, 2), (8, 4)])
def test_windows_stay_inside(start: int, low: int) -> None:
    tile = Tile.window(start, start + 2, size=6, length=10)
    assert (tile.low, tile.high) == (low, low + 6)


def test_a_tile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="tile size 0"):
        list(tiles(4, 0, 1))
