"""How times, dates and sizes are written for people."""

from __future__ import annotations

from datetime import datetime


def clock(seconds: float, digits: int = 0, *, down: bool = False, short: bool = False) -> str:
    """0:07, 3:25, 1:02:03, -0:30; with one of `digits` 0:07.5.

    down: what has not passed yet does not show, as on clocks that run; else the nearest is shown.
    short: without zeros at the end.
    """
    exact = abs(seconds) * 10**digits
    # A little more than nothing: 2.3 seconds are 22.999999999999996 tenths.
    ticks = int(exact + 1e-6) if down else round(exact)
    whole, rest = divmod(ticks, 10**digits)
    minutes, second = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 and ticks else ""
    text = f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"
    part = f".{rest:0{digits}d}" if digits else ""
    return sign + text + (part.rstrip("0").rstrip(".") if short else part)


def sentence(words: str) -> str:
    """With a capital at the beginning, unless it begins with a file's name."""
    first, _, _ = words.partition(" ")
    return words if "." in first else words[:1].upper() + words[1:]


def day(moment: datetime, now: datetime | None = None) -> str:
    """Today 14:02, Yesterday 9:15, 3 Mar, 3 Mar 2024."""
    local = moment.astimezone()
    today = (now or datetime.now().astimezone()).astimezone()
    days = (today.date() - local.date()).days
    if days == 0:
        return f"Today {local:%H:%M}"
    if days == 1:
        return f"Yesterday {local:%H:%M}"
    text = f"{local.day} {local:%b}"
    return text if local.year == today.year else f"{text} {local.year}"


def count(number: int, one: str, many: str = "") -> str:
    """1 take, 12,000 takes."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
