"""Seconds as people write them."""

from __future__ import annotations


def plain(number: float) -> str:
    """A number without a needless ".0"; reading it gives the same number again."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(number)


def clock(seconds: float) -> str:
    """ "1:05" for 65, "0:30.25" for 30.25."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    text = f"{rest // 1000:02d}"
    if fraction := rest % 1000:
        text += f".{fraction:03d}".rstrip("0")
    return f"{sign}{minutes}:{text}"


def read_clock(text: str) -> float:
    """Seconds from "1:05", "65", "65.5" or "65 s". Raises ValueError."""
    text = text.strip().lower().removesuffix("seconds").removesuffix("sec").removesuffix("s")
    text = text.strip().replace(",", ".")
    minutes, colon, seconds = text.rpartition(":")
    value = float(seconds)
    if not colon:
        return value
    if not minutes.strip().isdigit() or not 0 <= value < 60:
        raise ValueError(text)
    return int(minutes) * 60 + value


def spoken(seconds: float) -> str:
    """ "40 s", "3 min": for estimates, coarse on purpose."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
