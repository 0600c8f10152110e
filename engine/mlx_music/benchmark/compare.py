"""Two reports side by side."""

from __future__ import annotations

from mlx_music.benchmark.report import (
    Report,
    ReportError,
    StageResult,
    gibibytes,
    in_words,
    milliseconds,
)

_TITLES = ("stage", "ms", "ms", "ratio", "peak GiB", "peak GiB", "ratio")
_ABSENT = "-"


def comparison(before: Report, after: Report, *, across_devices: bool = False) -> str:
    """A table of the stages of two reports, and what else differs between them.

    Ratios are after to before: below 1 is faster, or smaller. Raises `ReportError` for reports of
    different devices unless `across_devices` is set, and for reports without a common stage.
    """
    if before.device != after.device and not across_devices:
        raise ReportError(
            f"these were measured on different devices ({before.device}, and {after.device});"
            " --across-devices compares them all the same"
        )
    names = [stage.name for stage in before.stages]
    names += [stage.name for stage in after.stages if stage.name not in names]
    pairs = [(name, before.stage(name), after.stage(name)) for name in names]
    if all(a is None or b is None for _, a, b in pairs):
        raise ReportError("these reports have no stage in common")
    rows = [_TITLES, *(_row(name, a, b) for name, a, b in pairs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([*_heading(before, after), "", *lines])


def _heading(before: Report, after: Report) -> list[str]:
    lines = [f"{title}  {report.made_by}, {report.date}" for title, report in
             (("before", before), ("after ", after))]  # fmt: skip
    if before.device == after.device:
        lines.append(before.device)
    else:
        lines.append(f"DIFFERENT DEVICES: {before.device} before, {after.device} after")
    a, b = (r.matrix_rate.flops_per_second / 1e12 for r in (before, after))
    lines.append(f"matrix products: {a:.3g} before, {b:.3g} TFLOP/s after")
    for kind in ("machine", "settings"):
        old, new = getattr(before, kind), getattr(after, kind)
        for name in (*old, *(name for name in new if name not in old)):
            if name == "device" or old.get(name) == new.get(name):
                continue
            values = [in_words(values.get(name, "none")) for values in (old, new)]
            lines.append(f"{name.replace('_', ' ')}: {values[0]} before, {values[1]} after")
    return lines


def _row(name: str, a: StageResult | None, b: StageResult | None) -> tuple[str, ...]:
    times = [_ABSENT if s is None else milliseconds(s.milliseconds) for s in (a, b)]
    peaks = [_ABSENT if s is None else gibibytes(s.peak_bytes) or _ABSENT for s in (a, b)]
    time_ratio = memory_ratio = _ABSENT
    if a is not None and b is not None:
        time_ratio = f"{b.milliseconds / a.milliseconds:.3f}"
        if a.peak_bytes and b.peak_bytes:
            memory_ratio = f"{b.peak_bytes / a.peak_bytes:.3f}"
    return name, *times, time_ratio, *peaks, memory_ratio


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    first, *others = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join((first, *others)).rstrip()
