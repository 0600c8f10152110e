"""How times, dates and sizes are written for people."""

from __future__ import annotations

from datetime import datetime


def clock(seconds: float, *, tenths: bool = False) -> str:
    """0:07, 3:25, 1:02:03; with tenths 0:07.5."""
    ticks = round(max(0.0, seconds) * (10 if tenths else 1))
    whole, tenth = divmod(ticks, 10) if tenths else (ticks, 0)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{text}.{tenth}" if tenths else text


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
