"""Sizes and times as people read them."""

from __future__ import annotations


def size_in_words(nbytes: float) -> str:
    """A file size: "8.3 GB", in powers of ten as Finder counts."""
    size = float(max(0, nbytes))
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def time_in_words(seconds: float) -> str:
    """How long something still takes, no more exact than it can be known: "a few seconds",
    "40 s", "3 min", "1 h 20 min"."""
    if seconds < 7.5:
        return "a few seconds"
    if seconds < 55:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{max(minutes, 1)} min"
    hours, rest = divmod(5 * round(minutes / 5), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
