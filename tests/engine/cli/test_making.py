"""Seeds of several takes, files that cannot be written after all, and runs that are stopped."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlx_music.ace_step.pipeline import ACEStep
from mlx_music.metadata import read_description
from tests.engine.cli.conftest import Result
from tests.engine.cli.recordings import record, samples

SHORT = ("-p", "drums", "--steps", "2")


@pytest.fixture
def make(call_cli: Callable[..., Result], checkpoint: Path) -> Callable[..., Result]:
    """`call_cli` for a command that makes music with the synthetic checkpoint."""

    def make(*args: object) -> Result:
        return call_cli(*args, "--model", checkpoint)

    return make


@pytest.fixture
def after_each(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[int], None]], None]:
    """Lets something happen after each take is made and before it is written; it is told how
    many there are."""

    def install(happen: Callable[[int], None]) -> None:
        generate, made = ACEStep.generate, 0

        def and_then(self: ACEStep, *args: Any, **fields: Any) -> Any:
            nonlocal made
            output = generate(self, *args, **fields)
            made += 1
            happen(made)
            return output

        monkeypatch.setattr(ACEStep, "generate", and_then)

    return install


@pytest.mark.parametrize(
    "task", [("repaint", "--start", "0", "--end", "0.3"), ("extend", "--right", "0.3")]
)
def test_a_take_is_what_its_seed_makes(task: tuple[str, ...], make: Callable[..., Result]) -> None:
    record(Path("song.wav"), 48_000, 2, 1.0)
    for name, flags in {
        "listed": ("--seeds", "6"),
        "again": ("--seeds", "6"),
        "alone": ("--seed", "6"),
        "counted": ("--seed", "5", "--takes", "2"),
    }.items():
        result = make(*task, "song.wav", *SHORT, *flags, "-q", "-o", f"{name}.wav")
        assert result.code == 0, result.err
    request = read_description("counted-2.wav").request
    assert (request.seed, request.retake_seed) == (6, 6)
    listed = Path("listed.wav").read_bytes()
    for name in ("again", "alone", "counted-2"):
        assert Path(f"{name}.wav").read_bytes() == listed
    assert (samples("counted-1.wav") != samples("counted-2.wav")).any()


def test_a_retake_keeps_the_songs_seed_and_length(make: Callable[..., Result]) -> None:
    assert make("generate", *SHORT, "-d", "1", "--seed", "3", "-q", "-o", "song.wav").code == 0
    for flag in ("--seed=9", "-d=10", "--duration=10"):
        result = make("retake", "song.wav", flag)
        assert result.code == 2
        assert f"{flag.partition('=')[0]} is unknown" in result.error
    result = make("retake", "song.wav", "--seeds", "7", "-o", "near.wav")
    assert result.code == 0, result.err
    assert result.err.endswith(", retake seed 7\n")
    request = read_description("near.wav").request
    assert (request.seed, request.retake_seed, request.duration) == (3, 7, 1.0)


def test_a_name_that_is_taken_meanwhile(
    make: Callable[..., Result], after_each: Callable[..., None]
) -> None:
    after_each(lambda made: Path("race.wav").write_bytes(b"mine"))
    result = make("generate", *SHORT, "-d", "1", "-q", "-o", "race.wav")
    assert (result.code, result.out) == (1, "race-2.wav\n")
    assert result.err == (
        "mlx-music: note: race.wav cannot be written: the file exists; use --force"
        " (overwrite=True) to replace it; the music was written to race-2.wav instead\n"
    )
    assert read_description("race-2.wav").request.prompt == "drums"
    assert Path("race.wav").read_bytes() == b"mine"


def test_a_folder_that_is_gone_meanwhile(
    make: Callable[..., Result],
    after_each: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    after_each(lambda made: Path("new").write_bytes(b""))
    args = ("generate", *SHORT, "-d", "1", "--takes", "2", "-q", "--json", "-o", "new/a.wav")
    result = make(*args)
    assert result.code == 1
    told = json.loads(result.out)
    assert told["paths"] == [str(temporary / f"a-{number}.wav") for number in (1, 2)]
    assert all(Path(path).is_file() for path in told["paths"])
    assert [note in result.err for note in told["notes"]] == [True, True]

    # Nowhere at all: the error is that of the name that was asked for.
    Path("new").unlink()
    monkeypatch.setattr(tempfile, "tempdir", str(Path("new").absolute()))
    result = make(*args)
    assert result.code == 1
    assert result.error.startswith("new/a-1.wav cannot be written: ")


def test_a_stopped_run_tells_of_what_it_made(
    make: Callable[..., Result], after_each: Callable[..., None]
) -> None:
    def stop(made: int) -> None:
        if made == 3:
            signal.raise_signal(signal.SIGINT)

    after_each(stop)
    args = ("generate", *SHORT, "-d", "1", "--seed", "1", "-q", "--json", "-o", "t.wav")
    result = make(*args, "--takes", "9")
    assert (result.code, result.err) == (130, "mlx-music: cancelled\n")
    told = json.loads(result.out)
    assert (told["paths"], told["seeds"]) == (["t-1.wav", "t-2.wav"], [1, 2])
    assert told["complete"] is False
    assert json.loads(make(*args).out)["complete"] is True


def test_a_run_stopped_before_its_first_take_tells_nothing(
    make: Callable[..., Result], after_each: Callable[..., None]
) -> None:
    after_each(lambda made: signal.raise_signal(signal.SIGINT))
    result = make("generate", *SHORT, "-d", "1", "-q", "--json", "-o", "t.wav")
    assert result == Result(130, "", "mlx-music: cancelled\n")
