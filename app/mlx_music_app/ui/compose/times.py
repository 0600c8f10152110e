"""Seconds as people write them."""

from __future__ import annotations


def plain(number: float) -> str:
    """A number without a needless ".0"; reading it gives the same number again."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(number)


def read_clock(text: str) -> float:
    """Seconds from "1:05", "1:02:03", "65", "65.5" or "65 s". Raises ValueError."""
    text = text.strip().lower().removesuffix("seconds").removesuffix("sec").removesuffix("s")
    text = text.strip().replace(",", ".")
    minutes, colon, seconds = text.rpartition(":")
    value = float(seconds)
    if not colon:
        return value
    hours, colon, minutes = minutes.rpartition(":")
    numbers = [part.strip() for part in ((hours, minutes) if colon else (minutes,))]
    if not all(map(str.isdecimal, numbers)) or not 0 <= value < 60:
        raise ValueError(text)
    if colon and int(minutes) >= 60:
        raise ValueError(text)
    return (int(hours or 0) * 60 + int(minutes)) * 60 + value
