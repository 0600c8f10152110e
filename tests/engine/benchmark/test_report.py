"""Results as JSON and as lines, and files that hold none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlx_music.benchmark.report import ReportError, heading, read_report, remarks, row
from tests.engine.benchmark.reports import REPORT


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(REPORT.to_json(), encoding="utf-8")
    assert read_report(path) == REPORT
    (stage, *_) = json.loads(REPORT.to_json())["stages"]
    assert stage["frames_per_second"] == 3230
    assert stage["matrix_share"] == 0.75


def test_the_table_tells_it_all() -> None:
    lines = heading(REPORT).splitlines()
    assert lines[1] == "Apple M2 Max; python 3.12.1"
    assert lines[2] == (
        "model random weights, published sizes, durations 60 and 240, prompt tokens 44"
    )
    assert "8192 x 8192, bfloat16): 20 TFLOP/s" in lines[3]
    first, _, third, _ = REPORT.stages
    cells = row(REPORT, first).split()
    assert cells == [
        *("transformer", "60", "s", "200.0", "190.0", "-", "250.0", "10"),
        *("3,230", "6.00", "3,000", "75.0", "%"),
    ]
    assert row(REPORT, third).splitlines()[1] == "  dcae 400.0, vocoder 600.0"


def test_what_follows_from_the_stages() -> None:
    assert remarks(REPORT) == [
        "a guided pair of 60 s takes 1.55 single calls",
        "decode, 60 to 240 s: time x 4.10, peak memory x 1.25"
        " (beside what was there before x 1.50)",
    ]


def changed(**changes: Any) -> str:
    return json.dumps(json.loads(REPORT.to_json()) | changes)


def with_stage(**changes: Any) -> str:
    (stage, *_) = json.loads(REPORT.to_json())["stages"]
    return changed(stages=[stage | changes])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: not valid JSON"),
        ('{\n "a": 1,\n', "line 3: not valid JSON"),
        ("[]", "not what `mlx-music bench --json` writes"),
        ('{"seconds": 2}', "not what `mlx-music bench --json` writes"),
        (changed(mlx_music_bench=99), "written by another version"),
        (changed(machine={"device": None}), "'device' is None"),
        (changed(machine=[]), "'machine' is []"),
        (changed(matrix_rate={}), "'size' is missing"),
        (changed(stages=[7]), "7 is not an object"),
        (changed(stages=[{"name": "song"}]), "'parts' is missing"),
        (with_stage(milliseconds=0), "'milliseconds' is 0"),
        (with_stage(milliseconds=True), "'milliseconds' is True"),
        (with_stage(slowest=float("nan")), "'slowest' is nan"),
        (with_stage(frames=1.5), "'frames' is 1.5"),
        (with_stage(parts={"write": "fast"}), "'write' is 'fast'"),
    ],
)
def test_files_that_are_no_report(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ReportError) as caught:
        read_report(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert problem in message
    assert "\n" not in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"nosuch\.json: cannot be read \(No such file"):
        read_report(tmp_path / "nosuch.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReportError, match=r"bytes\.json: not usable JSON"):
        read_report(tmp_path / "bytes.json")
