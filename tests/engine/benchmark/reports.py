"""A small report, as a measurement makes one."""

from __future__ import annotations

from mlx_music.benchmark.report import MatrixRate, Report, StageResult

REPORT = Report(
    made_by="mlx-music 0.1.0",
    date="2026-11-22T12:00:00+00:00",
    machine={"device": "Apple M2 Max", "python": "3.12.1"},
    settings={
        "model": "random weights, published sizes",
        "quantized": None,
        "durations": [60.0, 240.0],
        "prompt_tokens": 44,
    },
    matrix_rate=MatrixRate(8192, "bfloat16", 2.0e13),
    stages=(
        StageResult(
            "transformer 60 s", 200.0, 190.0, 250.0, 10,
            frames=646, peak_bytes=6 * 2**30, resident_bytes=5 * 2**30, flops=3 * 10**12,
        ),
        StageResult("guided pair 60 s", 310.0, 300.0, 320.0, 10, frames=646),
        StageResult(
            "decode 60 s", 1000.0, 990.0, 1010.0, 3,
            peak_bytes=4 * 2**30, resident_bytes=2 * 2**30, parts={"dcae": 400.0, "vocoder": 600.0},
        ),
        StageResult(
            "decode 240 s", 4100.0, 4000.0, 4200.0, 3,
            peak_bytes=5 * 2**30, resident_bytes=2 * 2**30,
        ),
    ),
)  # fmt: skip
