"""The memory limit decides what is let go during a run, and never what is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_music import ACEStep, Cancelled, InvalidRequest, Progress, ProgressEvent
from mlx_music.ace_step import block_calls, memory, pace
from mlx_music.ace_step import components as component_module
from mlx_music.ace_step.components import (
    DCAE_FOLDER,
    TEXT_ENCODER,
    TRANSFORMER,
    VOCODER,
    Components,
)
from mlx_music.ace_step.memory import (
    Residency,
    Workload,
    bounded,
    default_limit,
    machine_memory,
    plan_residency,
    wired,
)
from mlx_music.ace_step.pace import Pace
from mlx_music.ace_step.text_encoder import TABLE
from mlx_music.ace_step.transformer import TransformerConfig
from mlx_music.ace_step.vocoder import Vocoder
from mlx_music.weights.quantization import PRESETS
from tests.doubles import SilentComponents

TEXT, SAMPLER, SOUND, WORKING = 10, 50, 20, 7


@pytest.mark.parametrize(
    ("limit", "drops", "weights"),
    [
        (80, (False, False), 80),
        (79, (True, False), 70),
        (69, (True, True), 50),
        (1, (True, True), 50),
    ],
)
def test_plans(limit: int, drops: tuple[bool, bool], weights: int) -> None:
    plan = plan_residency(TEXT, SAMPLER, SOUND, WORKING + limit, WORKING)
    assert plan == Residency(*drops, peak_bytes=weights + WORKING)


@pytest.mark.parametrize("on_cpu", [True, False])
def test_more_at_once_needs_more_room(on_cpu: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_calls, "on_cpu", lambda: on_cpu)
    config = TransformerConfig()

    def needed(dtype: mx.Dtype = mx.bfloat16, **work: int) -> int:
        return Workload(**{"frames": 2583, **work}).sampling_bytes(config, dtype)

    one = needed()
    assert needed(takes=4) == pytest.approx(4 * one, rel=1e-3)
    assert needed(mx.float32) == pytest.approx(2 * one, rel=1e-3)
    # A GPU makes long passes one after another, but each has keys and values of its own.
    if on_cpu:
        assert needed(passes=2) == pytest.approx(2 * one, rel=1e-3)
    else:
        assert needed(passes=2) - one == 2 * 24 * 2560 * 2
        minutes = needed(frames=1291), needed(frames=1291, passes=2)
        assert minutes[1] == pytest.approx(2 * minutes[0], rel=0.05)
    # A block keeps two arrays of the width for each token, and each pass has its own.
    assert needed(tokens=401) - one == 400 * 2 * 24 * 2560 * 2
    assert needed(tokens=401, passes=2) - needed(passes=2) == 2 * 400 * 2 * 24 * 2560 * 2
    # A short song has room to work in too.
    assert needed(frames=1) > 100_000_000
    assert Workload(2583).decoding_bytes() > Workload(646).decoding_bytes()


@pytest.fixture
def limits() -> Iterator[Callable[[], tuple[int, int]]]:
    """What MLX's memory and cache limits are, which are put back after the test."""

    def now() -> tuple[int, int]:
        memory_limit, cache_limit = mx.set_memory_limit(0), mx.set_cache_limit(0)
        mx.set_memory_limit(memory_limit)
        mx.set_cache_limit(cache_limit)
        return memory_limit, cache_limit

    before = now()
    yield now
    mx.set_memory_limit(before[0])
    mx.set_cache_limit(before[1])


def test_limits_are_set_for_a_while(limits: Callable[[], tuple[int, int]]) -> None:
    mx.set_memory_limit(1 << 40)
    mx.set_cache_limit(1 << 39)
    kept = mx.ones((1 << 20,))
    mx.eval(kept)
    with bounded(5_000_000):
        memory_limit, cache_limit = limits()
        assert cache_limit == 5_000_000
        assert memory_limit == mx.get_active_memory() + 5_000_000
    assert limits() == (1 << 40, 1 << 39)
    with pytest.raises(RuntimeError, match="stop"), bounded(5_000_000):
        raise RuntimeError("stop")
    assert limits() == (1 << 40, 1 << 39)


def test_steps_are_held_to_the_same_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "on_cpu", lambda: False)
    assert Pace()._limit is None
    with bounded(5_000_000):
        assert Pace()._limit == mx.get_active_memory() + 5_000_000
    assert Pace()._limit is None
    before = mx.set_memory_limit(1 << 20)
    try:
        with bounded(1 << 30):
            assert Pace()._limit == 1 << 20
    finally:
        mx.set_memory_limit(before)


def test_a_first_song_decodes_in_what_later_ones_take(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until music has decided on float16, weights are larger."""
    components, work = Components(checkpoint, mx.float32), Workload(646)
    rooms: list[int] = []
    saved = iter((0, 1000, 1 << 40))

    @contextmanager
    def noted(room: int) -> Iterator[None]:
        rooms.append(room)
        yield

    monkeypatch.setattr(component_module, "bounded", noted)
    monkeypatch.setattr(Vocoder, "bytes_to_save", property(lambda _: next(saved)))
    for _ in range(3):
        with components.decoding(work, lambda: None):
            pass
    whole = work.decoding_bytes()
    assert rooms == [whole, whole - 1000, whole // 2]


def test_what_is_under_way_ends_before_memory_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    monkeypatch.setattr(mx, "synchronize", lambda: order.append("done"))
    monkeypatch.setattr(mx, "clear_cache", lambda: order.append("freed"))
    with pytest.raises(Cancelled), bounded(5_000_000):
        raise Cancelled
    assert order == ["done", "freed"]


def test_lower_limits_of_the_caller_stay(limits: Callable[[], tuple[int, int]]) -> None:
    mx.set_memory_limit(1 << 20)
    mx.set_cache_limit(1 << 19)
    with bounded(1 << 30):
        assert limits() == (1 << 20, 1 << 19)
    assert limits() == (1 << 20, 1 << 19)


def test_a_bound_holds_work_back_and_changes_no_result() -> None:
    def work() -> mx.array:
        x = mx.random.normal((256, 256), key=mx.random.key(1))
        for _ in range(40):
            x = mx.tanh(x @ x.T) + 1.0
        return x

    free = np.array(work())
    with bounded(300_000):
        held = np.array(work())
    np.testing.assert_array_equal(free, held)


class FakeMetal:
    """The part of `mlx.core` that wires memory, as Metal has it."""

    def __init__(self, before: int, recommended: int = 100) -> None:
        self.metal = self
        self.limit = before
        self.seen = [before]
        self._recommended = recommended

    def is_available(self) -> bool:
        return True

    def device_info(self) -> dict[str, int]:
        return {"max_recommended_working_set_size": self._recommended}

    def set_wired_limit(self, limit: int) -> int:
        assert limit <= self._recommended
        before, self.limit = self.limit, limit
        return before

    def synchronize(self) -> None:
        self.seen.append(self.limit)


@pytest.mark.parametrize(
    ("before", "limit", "within"), [(0, 70, 70), (0, 1 << 40, 100), (80, 70, 80)]
)
def test_memory_is_wired_on_a_mac(
    monkeypatch: pytest.MonkeyPatch, before: int, limit: int, within: int
) -> None:
    metal = FakeMetal(before)
    monkeypatch.setattr(memory, "mx", metal)
    with wired(limit):
        assert metal.limit == within
    assert metal.seen == [before, within]
    assert metal.limit == before


def test_nothing_is_wired_without_metal(monkeypatch: pytest.MonkeyPatch) -> None:
    if mx.metal.is_available():
        pytest.skip("there is Metal")
    monkeypatch.delattr(mx, "set_wired_limit")
    with wired(1 << 30):
        pass


def test_a_run_puts_the_limits_back(
    checkpoint: Path, limits: Callable[[], tuple[int, int]]
) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
    mx.set_memory_limit(1 << 40)
    mx.set_cache_limit(1 << 39)
    seen: dict[str, tuple[int, int]] = {}

    def look(event: ProgressEvent) -> None:
        seen[event.stage] = limits()
        if len(seen) == 2:
            progress.cancel()

    progress = Progress(look)
    with pytest.raises(Cancelled):
        model.generate(prompt="funk", duration=1.0, num_inference_steps=2, progress=progress)
    assert seen["encode"] == limits() == (1 << 40, 1 << 39)
    assert max(seen["sample"]) < 1 << 39


def test_the_prompts_table_is_not_in_memory(checkpoint: Path) -> None:
    network = SilentComponents(checkpoint, mx.float32).text_encoder
    names = [name for name, _ in tree_flatten(network.parameters())]
    assert names
    assert not any(name.startswith(f"{TABLE}.") for name in names)


def test_the_default_limit_is_part_of_the_machine() -> None:
    assert 1 << 29 < default_limit() < machine_memory()


@pytest.mark.parametrize(("limit", "kept"), [(1 << 50, True), (1, False)])
def test_networks_are_let_go_and_come_back(checkpoint: Path, limit: int, kept: bool) -> None:
    components = SilentComponents(checkpoint, mx.float32, memory_limit=limit)
    model = ACEStep(components, "synthetic")
    first, second = (
        model.generate(prompt="funk", duration=1.0, num_inference_steps=2, seed=1) for _ in range(2)
    )
    np.testing.assert_array_equal(first.latents, second.latents)
    assert (TEXT_ENCODER in components._open) is kept
    assert (TRANSFORMER in components._open) is kept
    assert any("the memory limit is" in note for note in first.notes) is not kept


def test_one_at_a_time_means_one(checkpoint: Path) -> None:
    components = Components(checkpoint, mx.float32, memory_limit=1)
    model = ACEStep(components, "synthetic")
    seen: list[set[str]] = []

    def look(event: ProgressEvent) -> None:
        if event.stage in ("sample", "decode") and event.step == 0:
            seen.append(set(components._open))

    fields = {"duration": 1.0, "num_inference_steps": 1, "seed": 1, "prompt": "funk"}
    first = model.generate(**fields, progress=Progress(look))
    source = (np.tile(first.audio, 2), first.sample_rate)
    model.repaint(source, start=0.2, end=0.6, progress=Progress(look), **{**fields, "duration": 60})
    assert seen == [{TRANSFORMER}, {DCAE_FOLDER, VOCODER}] * 2


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf"), "8"])
def test_limits_that_are_none(checkpoint: Path, limit: float) -> None:
    with pytest.raises(InvalidRequest, match=r"^memory_limit: "):
        ACEStep.from_pretrained(checkpoint, memory_limit=limit)


def test_quantizing_after_a_run_keeps_no_weights_of_before(checkpoint: Path) -> None:
    components = SilentComponents(checkpoint, mx.float32)
    model = ACEStep(components, "synthetic")
    model.generate(prompt="funk", duration=1.0, num_inference_steps=1, seed=1)
    blocks = components.transformer.transformer_blocks
    assert all(block.attn._joined is not None for block in blocks)
    components.quantize(PRESETS["balanced"](), [TRANSFORMER])
    assert all(block.attn._joined is None for block in blocks)


def test_letting_go_frees_memory(checkpoint: Path) -> None:
    components = SilentComponents(checkpoint, mx.float32, memory_limit=1)
    model = ACEStep(components, "synthetic")
    model.generate(prompt="funk", duration=1.0, num_inference_steps=1, seed=1)
    left = mx.get_active_memory()
    _ = components.transformer
    mx.eval(components.transformer.parameters())
    assert mx.get_active_memory() - left > 1 << 20
