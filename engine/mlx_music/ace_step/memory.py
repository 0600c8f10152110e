"""Which networks may stay in memory while others work.

The three parts of a run follow each other: the text encoder reads, the transformer samples, the
autoencoder decodes. With room for all of them they stay for the next run; with less, a part
that is done is let go and read again when it is needed next, which costs a few seconds of disk.
Decoding itself works in pieces whose results are those of the whole, so no budget changes what
is heard.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import mlx.core as mx

GIGABYTE = 1_000_000_000

#: What a run needs beside the weights: measured on CUDA for 240 seconds, two passes a step, in
#: bfloat16 (3.3 GB to sample, 0.9 to decode), rounded up.
WORKING_BYTES = 3_500_000_000
_WORKING_ITEMS = 2

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


def working_bytes(items: int) -> int:
    """Bytes that model calls of `items` at once (takes times passes) work in."""
    return WORKING_BYTES * max(items, _WORKING_ITEMS) // _WORKING_ITEMS


@dataclass(frozen=True)
class Residency:
    """What is let go during a run, and how much memory the run then takes (bytes)."""

    drop_text_encoder: bool
    drop_transformer: bool
    peak_bytes: int


def plan_residency(
    text_encoder: int, transformer: int, autoencoder: int, limit: int, items: int = _WORKING_ITEMS
) -> Residency:
    """The plan that keeps most and still fits `limit` bytes; else the one that needs least.

    The first three arguments are the bytes of each network's weights as they are computed with;
    `items` are those of a batch (takes times passes).
    """
    working = working_bytes(items)
    everything = text_encoder + transformer + autoencoder
    without_text = max(text_encoder, transformer + autoencoder)
    one_at_a_time = max(text_encoder, transformer, autoencoder)
    plans = (
        Residency(False, False, everything + working),
        Residency(True, False, without_text + working),
        Residency(True, True, one_at_a_time + working),
    )
    return next((plan for plan in plans if plan.peak_bytes <= limit), plans[-1])
