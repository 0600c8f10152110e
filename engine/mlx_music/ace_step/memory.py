"""Which networks may stay in memory while others work.

The three parts of a run follow each other: the text encoder reads, the transformer samples, the
autoencoder decodes. With room for all of them they stay for the next run; with less, a part
that is done is let go and read again when it is needed next, which costs a few seconds of disk.
Decoding itself works in pieces whose results are those of the whole, so no budget changes what
is heard.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mlx.core as mx

from mlx_music.ace_step.block_calls import bytes_under_way, fit_together
from mlx_music.ace_step.pace import held_to
from mlx_music.ace_step.transformer import TransformerConfig

GIGABYTE = 1_000_000_000

#: To decode a piece of sound, and for each latent frame the mel and the waveform of all of it.
_DECODING = 500_000_000
_DECODED_PER_FRAME = 40_960

#: Share of the machine's memory that music may take when nobody says.
DEFAULT_SHARE = 0.7


def machine_memory() -> int:
    """Bytes that the default device can work with: on a Mac what Metal recommends, else the
    memory of the GPU or of the machine."""
    info = mx.device_info()
    for key in ("max_recommended_working_set_size", "total_memory", "memory_size"):
        size = info.get(key)
        if isinstance(size, int) and size > 0:
            return size
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def default_limit() -> int:
    """The memory limit in bytes when none is given."""
    return int(machine_memory() * DEFAULT_SHARE)


@dataclass(frozen=True)
class Workload:
    """What a run does at once.

    frames: latent frames that the transformer works on; takes: that it makes together; passes: of
    a guided step (1 to 3); tokens: of a condition.
    """

    frames: int
    takes: int = 1
    passes: int = 1
    tokens: int = 1

    def sampling_bytes(self, config: TransformerConfig, dtype: mx.Dtype) -> int:
        """Memory beside the weights to sample in."""
        one_pass = self.takes * self.frames * config.inner_dim * dtype.size
        together = self.passes * one_pass
        working = bytes_under_way(together if fit_together(together) else one_pass)
        per_token = 2 * config.num_layers * config.inner_dim * dtype.size
        return working + self.takes * self.passes * self.tokens * per_token

    def decoding_bytes(self) -> int:
        """Memory beside the weights to decode in."""
        return _DECODING + self.frames * _DECODED_PER_FRAME


@dataclass(frozen=True)
class Residency:
    """What is let go during a run, and how much memory the run then takes (bytes)."""

    drop_text_encoder: bool
    drop_transformer: bool
    peak_bytes: int


def plan_residency(
    text_encoder: int, transformer: int, autoencoder: int, limit: int, working: int
) -> Residency:
    """The plan that keeps most and still fits `limit` bytes; else the one that needs least.

    The first three arguments are the bytes of each network's weights as they are computed with;
    `working` are those that a run needs beside them.
    """
    everything = text_encoder + transformer + autoencoder
    without_text = max(text_encoder, transformer + autoencoder)
    one_at_a_time = max(text_encoder, transformer, autoencoder)
    plans = (
        Residency(False, False, everything + working),
        Residency(True, False, without_text + working),
        Residency(True, True, one_at_a_time + working),
    )
    return next((plan for plan in plans if plan.peak_bytes <= limit), plans[-1])


@contextmanager
def bounded(working: int) -> Iterator[None]:
    """Hold MLX to about `working` bytes beyond the arrays that there are now.

    MLX hands work to the device ahead of time, and everything that waits there keeps its memory.
    Over its memory limit it waits for work to end before it hands out more (with CUDA, only for
    portions that it has closed itself: what is long keeps a `pace`, which is held to the same), and
    gives memory that it keeps for reuse back to the system. Nothing fails and nothing is computed
    differently. A limit of the caller's own that is lower stays. Both limits are the process's:
    they are put back in the end, when nothing is under way any more (of a run that was cancelled, a
    step may be), and what was kept for reuse is freed.
    """
    limit = mx.get_active_memory() + working
    memory = mx.set_memory_limit(limit)
    cache = mx.set_cache_limit(working)
    limit = min(limit, memory)
    mx.set_memory_limit(limit)
    mx.set_cache_limit(min(working, cache))
    try:
        with held_to(limit):
            yield
    finally:
        try:
            mx.synchronize()
        finally:
            mx.set_memory_limit(memory)
            mx.set_cache_limit(cache)
            mx.clear_cache()


@contextmanager
def wired(limit: int) -> Iterator[None]:
    """On a Mac, keep up to `limit` bytes of MLX's memory from being swapped out or compressed.

    It is held to what Metal recommends, and a higher limit of the caller's own stays. It does
    something from macOS 15 on, and nothing where there is no Metal.
    """
    if not mx.metal.is_available():
        yield
        return
    most = mx.device_info().get("max_recommended_working_set_size")
    limit = min(limit, most) if isinstance(most, int) else 0
    before = mx.set_wired_limit(limit)
    mx.set_wired_limit(max(limit, before))
    try:
        yield
    finally:
        try:
            mx.synchronize()  # what the device still works with is not let go of
        finally:
            mx.set_wired_limit(before)
