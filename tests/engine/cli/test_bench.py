"""`mlx-music bench`: every stage of the small sizes, as a table, as JSON, and compared."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlx_music.ace_step.published import TRANSFORMER
from mlx_music.ace_step.transformer import TransformerConfig
from mlx_music.benchmark import flops, run
from mlx_music.benchmark.sizes import SMALL
from mlx_music.cli import bench
from tests.engine.cli.conftest import Result

CallCli = Callable[..., Result]

STAGES = (
    "command to first step",
    "text encoder",
    "condition",
    "cross keys, values",
    "transformer 1 s",
    "guided pair 1 s",
    "dcae 1 s",
    "vocoder 1 s",
    "decode 1 s",
    "song 1 s",
)


@pytest.fixture(scope="module")
def measured(
    run_cli: CallCli, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, dict[str, Any]]:
    """A whole measurement in a process of its own: what it printed, and its JSON."""
    folder = tmp_path_factory.mktemp("bench")
    result = run_cli(
        *("bench", "--small", "--dtype", "float32", "--duration", 1, "--steps", 3),
        *("--repeats", 1, "--json", "new/bench.json"),
        cwd=folder,
    )
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == "new/bench.json"
    return result, json.loads((folder / "new" / "bench.json").read_text(encoding="utf-8"))


def test_every_stage_is_measured(measured: tuple[Result, dict[str, Any]]) -> None:
    result, report = measured
    assert tuple(stage["name"] for stage in report["stages"]) == STAGES
    rows = [line for line in result.out.splitlines() if line.startswith(STAGES)]
    assert len(rows) == len(STAGES)
    for stage in report["stages"]:
        assert 0 < stage["fastest"] <= stage["milliseconds"] <= stage["slowest"]
        assert stage["runs"] == 1
        if stage["name"] != STAGES[0]:
            assert stage["peak_bytes"] >= stage["resident_bytes"] > 0
            assert stage["flops"] > 0
            rate = report["matrix_rate"]["flops_per_second"]
            share = stage["flops"] / stage["milliseconds"] * 1000 / rate
            assert stage["matrix_share"] == pytest.approx(share, rel=1e-4)


def test_what_was_measured_is_told(measured: tuple[Result, dict[str, Any]]) -> None:
    result, report = measured
    assert {"device", "memory", "system", "python", "mlx", "numpy"} <= set(report["machine"])
    assert report["date"][:2] == "20"
    assert report["settings"] == {
        "model": "random weights, small sizes",
        "dtype": "float32",
        "quantized": None,
        "memory_limit": None,
        "durations": [1.0],
        "steps": 3,
        "prompt_tokens": 8,
        "lyric_tokens": 20,
    }
    assert report["machine"]["device"] in result.out
    assert "making random weights" in result.err


def test_arithmetic_and_parts_add_up(measured: tuple[Result, dict[str, Any]]) -> None:
    stages = {stage["name"]: stage for stage in measured[1]["stages"]}
    config = TransformerConfig.from_dict(SMALL.config(TRANSFORMER))
    call = flops.transformer_call(config, 10, 1 + 8 + 20)
    assert stages["transformer 1 s"]["flops"] == call
    assert stages["transformer 1 s"]["frames"] == 10
    assert stages["guided pair 1 s"]["flops"] == 2 * call
    decoding = stages["dcae 1 s"]["flops"] + stages["vocoder 1 s"]["flops"]
    assert stages["decode 1 s"]["flops"] == decoding
    others = ("text encoder", "condition", "cross keys, values", "decode 1 s")
    once = sum(stages[name]["flops"] for name in others)
    # Of three steps, guidance takes the one in the middle.
    assert stages["song 1 s"]["flops"] == once + (3 + 2) * call
    for name, parts in (
        ("song 1 s", {"encode", "sample", "decode", "write"}),
        ("command to first step", {"import", "open", "encode", "first step"}),
    ):
        assert set(stages[name]["parts"]) == parts
        assert sum(stages[name]["parts"].values()) <= 1.01 * stages[name]["milliseconds"]


@pytest.fixture
def report_file(measured: tuple[Result, dict[str, Any]], tmp_path: Path) -> Callable[..., Path]:
    """Writes the JSON with changes to its top level, under a name."""

    def write(name: str, **changes: Any) -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(measured[1] | changes), encoding="utf-8")
        return path

    return write


def test_comparing(call_cli: CallCli, report_file: Callable[..., Path]) -> None:
    before = report_file("before.json")
    slower = json.loads(before.read_text())["stages"]
    for stage in slower:
        stage["milliseconds"] *= 2
    after = report_file("after.json", stages=slower)
    result = call_cli("bench", "--compare", before, after)
    assert result.code == 0
    rows = [line for line in result.out.splitlines() if line.startswith(STAGES)]
    assert len(rows) == len(STAGES)
    assert all(" 2.000 " in row for row in rows)

    other = report_file("other.json", machine={"device": "another"})
    refused = call_cli("bench", "--compare", before, other)
    assert refused.code == 1
    assert "different devices" in refused.error
    allowed = call_cli("bench", "--compare", before, other, "--across-devices")
    assert allowed.code == 0
    assert "DIFFERENT DEVICES" in allowed.out


def test_comparing_what_is_no_report(
    call_cli: CallCli, report_file: Callable[..., Path], tmp_path: Path
) -> None:
    good, broken = report_file("good.json"), tmp_path / "broken.json"
    broken.write_text('{\n "mlx_music_bench": 1,,\n')
    result = call_cli("bench", "--compare", good, broken)
    assert result.code == 1
    assert result.error.startswith(f"{broken}, line 2: not valid JSON")
    assert call_cli("bench", "--compare", tmp_path / "nosuch.json", good).code == 1


def test_a_model_of_ones_own(call_cli: CallCli, checkpoint: Path) -> None:
    result = call_cli(
        *("bench", "--model", checkpoint, "--offline", "--duration", 1, "--repeats", 1),
        *("--dtype", "float32", "--only", "text", "--quantize", "speed"),
        *("--json", "own.json"),
    )
    assert result.code == 0, result.err
    report = json.loads(Path("own.json").read_text())
    assert report["settings"]["model"] == checkpoint.name
    assert report["settings"]["quantized"] == "speed (transformer)"
    # As published, and however the prompt is read.
    assert report["settings"]["lyric_tokens"] == 400
    assert report["settings"]["prompt_tokens"] > 10
    assert [stage["name"] for stage in report["stages"]] == [STAGES[1]]


def test_without_a_gpu_the_networks_are_small(
    call_cli: CallCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "_has_gpu", lambda: False)
    result = call_cli("bench", "--only", "text", "--repeats", 1)
    assert result.code == 0
    assert "no GPU here" in result.err
    assert "small sizes" in result.out


def test_results_are_not_overwritten_unless_told(call_cli: CallCli) -> None:
    path = Path("bench.json")
    path.write_text("mine")
    small = ("bench", "--small", "--only", "text", "--repeats", 1, "-q", "--json", path)
    refused = call_cli(*small)
    assert refused.code == 1
    assert "use --force" in refused.error
    assert path.read_text() == "mine"
    assert call_cli(*small, "--force").code == 0
    assert json.loads(path.read_text())["mlx_music_bench"] == 1


def test_a_stopped_measurement_keeps_its_stages(
    call_cli: CallCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = run.measure

    def first(call: Any, repeats: int, check: Callable[[], None]) -> Any:
        timing = measure(call, repeats, check)
        signal.raise_signal(signal.SIGINT)
        return timing

    monkeypatch.setattr(run, "measure", first)
    parts = ("--only", "text", "--only", "transformer")
    result = call_cli("bench", "--small", *parts, "-d", 1, "-q", "--json", "bench.json")
    assert (result.code, result.err) == (130, "mlx-music: cancelled\n")
    assert result.out.endswith("\nbench.json\n")
    assert [stage["name"] for stage in json.loads(Path("bench.json").read_text())["stages"]] == [
        STAGES[1]
    ]


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--duration", "0"], "--duration: 0 is out of range"),
        (["--duration", "241"], "--duration: 241 is out of range"),
        (["--duration", "long"], "--duration: invalid float value: 'long'"),
        (["--steps", "0"], '--steps: "0" is not a whole number over 0'),
        (["--repeats", "1.5"], '--repeats: "1.5" is not a whole number over 0'),
        (["--memory-limit", "0"], '--memory-limit: "0" is not a number of GB over 0'),
        (["--only", "mixing"], "--only: invalid choice: 'mixing'"),
        (["--part", "decoder"], "--part: only with --quantize"),
        (["--model", "sketch", "--small"], "--small: a model has its own sizes"),
        (["--across-devices"], "--across-devices: only with --compare"),
        (["--compare", "one.json"], "--compare: expected 2 arguments"),
    ],
)
def test_wrong_arguments(args: list[str], problem: str, call_cli: CallCli) -> None:
    result = call_cli("bench", *args)
    assert result.code == 2
    assert problem in result.error
