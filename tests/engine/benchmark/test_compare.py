"""Two reports side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlx_music.benchmark.compare import comparison
from mlx_music.benchmark.report import MatrixRate, ReportError, StageResult
from tests.engine.benchmark.reports import REPORT

FASTER = replace(
    REPORT,
    made_by="mlx-music 0.2.0",
    settings={**REPORT.settings, "quantized": "speed"},
    stages=(
        replace(REPORT.stages[0], milliseconds=50.0, peak_bytes=3 * 2**30),
        StageResult("song 60 s", 900.0, 900.0, 900.0, 1),
    ),
)


def test_before_and_after() -> None:
    lines = comparison(REPORT, FASTER).splitlines()
    assert lines[0] == "before  mlx-music 0.1.0, 2026-11-22T12:00:00+00:00"
    assert lines[1] == "after   mlx-music 0.2.0, 2026-11-22T12:00:00+00:00"
    assert lines[2] == "Apple M2 Max"
    assert "quantized: None before, speed after" in lines
    table = lines[lines.index("") + 1 :]
    assert table[1].split() == [
        *("transformer", "60", "s", "200.0", "50.00", "0.250"),
        *("6.00", "3.00", "0.500"),
    ]
    assert table[2].split() == ["guided", "pair", "60", "s", "310.0", "-", "-", "-", "-", "-"]
    assert table[-1].split() == ["song", "60", "s", "-", "900.0", "-", "-", "-", "-"]
    assert len(table) == 1 + 5


def test_other_devices_are_only_compared_when_told_to() -> None:
    other = replace(
        FASTER,
        machine={"device": "NVIDIA H200"},
        matrix_rate=MatrixRate(8192, "bfloat16", 6e14),
    )
    with pytest.raises(ReportError, match=r"different devices \(Apple M2 Max, and NVIDIA H200\)"):
        comparison(REPORT, other)
    text = comparison(REPORT, other, across_devices=True)
    assert "DIFFERENT DEVICES: Apple M2 Max before, NVIDIA H200 after" in text
    assert "matrix products: 20 before, 600 TFLOP/s after" in text
    assert "0.250" in text


def test_nothing_in_common() -> None:
    with pytest.raises(ReportError, match="no stage in common"):
        comparison(replace(REPORT, stages=REPORT.stages[1:2]), FASTER)
