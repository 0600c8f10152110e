"""What a measurement found: as JSON, as lines for people, and read back again."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlx_music.errors import MLXMusicError

#: The version of the JSON, under the key by which a file is known as a report.
_KEY, _VERSION = "mlx_music_bench", 1

_GIB = 2**30

#: Name, heading and width of each column but the first.
_COLUMNS = (
    ("milliseconds", "ms", 9),
    ("range", "from - to", 19),
    ("runs", "runs", 5),
    ("frames_per_second", "frames/s", 10),
    ("peak", "peak GiB", 9),
    ("gflops", "GFLOP", 10),
    ("share", "share", 7),
)
_NAME_WIDTH = 22


class ReportError(MLXMusicError):
    """A file is no report, or two reports cannot be compared."""


@dataclass(frozen=True)
class MatrixRate:
    """Floating-point operations a second of a product of two (size, size) matrices."""

    size: int
    dtype: str
    flops_per_second: float


@dataclass(frozen=True)
class StageResult:
    """One stage. Milliseconds: median, fastest and slowest of `runs` warm runs.

    frames: latent frames that were worked on. peak_bytes: most device memory at any time, with
    `resident_bytes` of it there before (weights, mostly). flops: see `flops`. parts: median
    milliseconds of what the stage consists of. What is not known is None.
    """

    name: str
    milliseconds: float
    fastest: float
    slowest: float
    runs: int
    frames: int | None = None
    peak_bytes: int | None = None
    resident_bytes: int | None = None
    flops: int | None = None
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def frames_per_second(self) -> float | None:
        return None if self.frames is None else 1000 * self.frames / self.milliseconds

    @property
    def flops_per_second(self) -> float | None:
        return None if self.flops is None else 1000 * self.flops / self.milliseconds


@dataclass(frozen=True)
class Report:
    """All stages, and what they were measured with.

    made_by: program and version. date: ISO 8601. machine: "device" and others, of what it ran on.
    settings: what was measured. matrix_rate: what shares of the device are taken of.
    """

    made_by: str
    date: str
    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    matrix_rate: MatrixRate
    stages: tuple[StageResult, ...] = ()

    @property
    def device(self) -> str:
        return str(self.machine["device"])

    def stage(self, name: str) -> StageResult | None:
        """The stage called `name`, if it was measured."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def share(self, stage: StageResult) -> float | None:
        """The part of the device's matrix rate that a stage reaches, 0 to about 1."""
        rate = stage.flops_per_second
        return None if rate is None else rate / self.matrix_rate.flops_per_second

    def to_json(self) -> str:
        values = {
            _KEY: _VERSION,
            "made_by": self.made_by,
            "date": self.date,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "matrix_rate": vars(self.matrix_rate),
            "stages": [self._stage_values(stage) for stage in self.stages],
        }
        return json.dumps(values, indent=1, ensure_ascii=False) + "\n"

    def _stage_values(self, stage: StageResult) -> dict[str, Any]:
        # What follows from the others stands there, too, for whoever reads the file.
        values = vars(stage) | {
            "parts": dict(stage.parts),
            "frames_per_second": stage.frames_per_second,
            "matrix_share": self.share(stage),
        }
        return {name: _rounded(value) for name, value in values.items()}


def read_report(path: Path) -> Report:
    """The report in a file that `Report.to_json` wrote. Raises `ReportError`, naming the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror or error})") from error
    except json.JSONDecodeError as error:
        raise ReportError(
            f"{path}, line {error.lineno}: not valid JSON ({error.msg}); measure again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path}: not usable JSON ({error}); measure again") from error
    if not isinstance(values, dict) or _KEY not in values:
        raise ReportError(f"{path}: not what `mlx-music bench --json` writes")
    if values[_KEY] != _VERSION:
        raise ReportError(f"{path}: written by another version of MLX Music; measure again")
    try:
        return Report(
            made_by=_of(values, "made_by", str),
            date=_of(values, "date", str),
            machine=_machine(values),
            settings=_of(values, "settings", dict),
            matrix_rate=_matrix_rate(_of(values, "matrix_rate", dict)),
            stages=tuple(_stage(entry) for entry in _of(values, "stages", list)),
        )
    except _Unfit as error:
        raise ReportError(f"{path}: {error}; measure again") from error


class _Unfit(ValueError):
    """A value of a report that is not there or not what it should be."""


def _of(values: Any, key: str, *kinds: type) -> Any:
    if not isinstance(values, dict):
        raise _Unfit(f"{values!r} is not an object")
    if key not in values:
        raise _Unfit(f"{key!r} is missing")
    value = values[key]
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise _Unfit(f"{key!r} is {value!r}")
    return value


def _positive(values: Any, key: str) -> float:
    number = float(_of(values, key, int, float))
    if not 0 < number < math.inf:
        raise _Unfit(f"{key!r} is {number!r}")
    return number


def _machine(values: Any) -> dict[str, Any]:
    machine: dict[str, Any] = _of(values, "machine", dict)
    _of(machine, "device", str)
    return machine


def _matrix_rate(values: Any) -> MatrixRate:
    return MatrixRate(
        _of(values, "size", int), _of(values, "dtype", str), _positive(values, "flops_per_second")
    )


def _stage(values: Any) -> StageResult:
    def count(key: str) -> int | None:
        number: int | None = _of(values, key, int, type(None))
        return number

    parts = _of(values, "parts", dict)
    return StageResult(
        name=_of(values, "name", str),
        milliseconds=_positive(values, "milliseconds"),
        fastest=_positive(values, "fastest"),
        slowest=_positive(values, "slowest"),
        runs=_of(values, "runs", int),
        frames=count("frames"),
        peak_bytes=count("peak_bytes"),
        resident_bytes=count("resident_bytes"),
        flops=count("flops"),
        parts={name: _positive(parts, name) for name in parts},
    )


def _rounded(value: Any) -> Any:
    """Numbers as precise as they are meant."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def now() -> str:
    """The date and time of a report."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def software(**versions: str) -> dict[str, str]:
    """The part of `machine` that is known without a device: system, Python, and `versions`."""
    return {"system": platform.platform(), "python": platform.python_version(), **versions}


def heading(report: Report) -> str:
    """What was measured on what, and the head of the table of stages."""
    rate = report.matrix_rate
    others = {name: value for name, value in report.machine.items() if name != "device"}
    machine = f"{report.device}; {_listed(others)}"
    settings = _listed(report.settings)
    columns = "".join(f"{title:>{width}}" for _, title, width in _COLUMNS)
    return (
        f"{report.made_by}, {report.date}\n{machine}\n{settings}\n"
        f"matrix products ({rate.size} x {rate.size}, {rate.dtype}):"
        f" {rate.flops_per_second / 1e12:.3g} TFLOP/s, of which the shares are\n\n"
        f"{'stage':<{_NAME_WIDTH}}{columns}"
    )


def row(report: Report, stage: StageResult) -> str:
    """A line of the table of stages, and one with its parts."""
    share, speed = report.share(stage), stage.frames_per_second
    cells = {
        "milliseconds": milliseconds(stage.milliseconds),
        "range": f"{milliseconds(stage.fastest)} - {milliseconds(stage.slowest)}",
        "runs": str(stage.runs),
        "frames_per_second": "" if speed is None else f"{speed:,.0f}",
        "peak": gibibytes(stage.peak_bytes),
        "gflops": "" if stage.flops is None else _gflops(stage.flops / 1e9),
        "share": "" if share is None else f"{100 * share:.1f} %",
    }
    line = f"{stage.name:<{_NAME_WIDTH}}"
    line += "".join(f"{cells[name]:>{width}}" for name, _, width in _COLUMNS)
    if not stage.parts:
        return line.rstrip()
    parts = ", ".join(f"{name} {milliseconds(value)}" for name, value in stage.parts.items())
    return f"{line.rstrip()}\n  {parts}"


def remarks(report: Report) -> list[str]:
    """What follows from stages that belong together: the cost of guidance, and of length."""
    durations = [float(seconds) for seconds in report.settings.get("durations", ())]
    lines = []
    for seconds in durations:
        single = report.stage(f"transformer {seconds:g} s")
        pair = report.stage(f"guided pair {seconds:g} s")
        if single is not None and pair is not None:
            ratio = pair.milliseconds / single.milliseconds
            lines.append(f"a guided pair of {seconds:g} s takes {ratio:.2f} single calls")
    if len(durations) > 1:
        short, long = min(durations), max(durations)
        for kind in ("transformer", "decode", "song"):
            a, b = (report.stage(f"{kind} {seconds:g} s") for seconds in (short, long))
            if a is not None and b is not None:
                lines.append(f"{kind}, {short:g} to {long:g} s: {_growth(a, b)}")
    return lines


def _growth(a: StageResult, b: StageResult) -> str:
    text = f"time x {b.milliseconds / a.milliseconds:.2f}"
    if not a.peak_bytes or not b.peak_bytes:
        return text
    text += f", peak memory x {b.peak_bytes / a.peak_bytes:.2f}"
    worked = [(s.peak_bytes or 0) - (s.resident_bytes or 0) for s in (a, b)]
    if min(worked) > 0:
        text += f" (beside what was there before x {worked[1] / worked[0]:.2f})"
    return text


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.replace('_', ' ')} {in_words(value)}"
        for name, value in values.items()
        if value is not None
    )


def in_words(value: Any) -> str:
    """A setting as people read it."""
    if isinstance(value, list | tuple):
        return " and ".join(in_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def milliseconds(value: float) -> str:
    """Milliseconds with three digits or more."""
    digits = 3 if value < 1 else 2 if value < 100 else 1 if value < 1000 else 0
    return f"{value:.{digits}f}"


def gibibytes(nbytes: int | None) -> str:
    """Memory in GiB; nothing for None."""
    if nbytes is None:
        return ""
    return f"{nbytes / _GIB:.2f}" if nbytes > _GIB / 10 else f"{nbytes / _GIB:.4f}"


def _gflops(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
