"""Where the settings of a task come from, and what is blamed when they cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlx_music.metadata import Description
from mlx_music.request import GenerationRequest
from tests.engine.cli.conftest import Result
from tests.engine.cli.recordings import record

#: What each task was told besides its source, in a file made by it.
MADE: dict[str, dict[str, Any]] = {
    "repaint": {"repaint_start": 0.2, "repaint_end": 0.4, "retake_variance": 0.9},
    "extend": {"extend_left": 0.5, "retake_variance": 0.7},
    "edit": {"source_prompt": "folk", "edit_n_min": 0.2, "edit_n_max": 0.4},
}


def write(task: str, source: str = "/gone/song.wav", **fields: Any) -> GenerationRequest:
    """Write made.json, the settings of a file that `task` made."""
    request = GenerationRequest(
        "soul", seed=5, task=task, source=source, **{"retake_seed": 6, **MADE[task], **fields}
    )
    Path("made.json").write_text(Description(request, "some model").to_json())
    return request


@pytest.fixture
def call(call_cli: Callable[..., Result]) -> Callable[..., Result]:
    record(Path("song.wav"), 48_000, 2, 1.0)
    return call_cli


@pytest.mark.parametrize("task", MADE)
def test_a_file_of_the_same_task_gives_every_setting(
    task: str, requested: Callable[..., GenerationRequest]
) -> None:
    made = write(task)
    here = str(Path("song.wav").absolute())
    assert requested(task, "song.wav", "--from", "made.json") == made.replace(source=here)
    other = requested(task, "song.wav", "--from", "made.json", "--seed", "7")
    assert other == made.replace(source=here, seed=7)


def test_gaps_in_the_file_take_the_defaults_of_the_command(
    requested: Callable[..., GenerationRequest],
) -> None:
    values = {"prompt": "x", "task": "extend", "extend_right": 1}
    Path("made.json").write_text(json.dumps({"request": values}))
    assert requested("extend", "song.wav", "--from", "made.json").retake_variance == 1.0


def test_an_edit_of_a_file_keeps_what_the_flags_leave(
    requested: Callable[..., GenerationRequest],
) -> None:
    write("edit")
    args = ("edit", "song.wav", "--from", "made.json")
    request = requested(*args, "--source-prompt", "rock")
    assert (request.prompt, request.source_prompt) == ("soul", "rock")
    request = requested(*args, "--preset", "only_lyrics")
    assert (request.edit_n_min, request.edit_n_max) == (0.6, 1.0)


def test_a_file_of_another_task_gives_words_and_sound(
    requested: Callable[..., GenerationRequest],
) -> None:
    write("repaint", num_inference_steps=9)
    request = requested("extend", "song.wav", "--right", "1", "--from", "made.json")
    assert (request.prompt, request.num_inference_steps) == ("soul", 9)
    assert (request.seed, request.retake_variance, request.repaint_end) == (None, 1.0, 0.0)


@pytest.mark.parametrize(
    ("made", "args", "line"),
    [
        ("edit", ["repaint"], "--end: is missing; give the second where the part ends"),
        ("repaint", ["extend"], "--right: is 0 and so is extend_left"),
        ("repaint", ["edit", "--n-min", "1"], "--n-max: 1 is not over edit_n_min, 1"),
        (
            "edit",
            ["edit", "--n-min", "0.5", "--preset", "remix"],
            "--n-max: 0.4 is not over edit_n_min, 0.5",
        ),
        (
            "repaint",
            ["repaint", "--start", "5"],
            "made.json: repaint_end 0.4 seconds is not after the start at 5 seconds",
        ),
    ],
)
def test_the_file_is_blamed_for_what_it_says_alone(
    made: str, args: list[str], line: str, call: Callable[..., Result]
) -> None:
    write(made)
    result = call(args[0], "song.wav", *args[1:], "--from", "made.json")
    assert result.code == 2
    assert result.error.startswith(line)


def test_the_way_on_from_a_source_that_has_moved(call: Callable[..., Result]) -> None:
    write("repaint")
    Path("takes").mkdir()
    Path("takes/made.json").write_bytes(Path("made.json").read_bytes())
    for settings, place in (("made.json", "song.wav"), ("takes/made.json", "NEW-PLACE/song.wav")):
        result = call("generate", "--from", settings)
        assert result.code == 1
        assert result.error == (
            f"/gone/song.wav: no such file, and {settings} was made from it; if it was moved,"
            f" `mlx-music repaint {place} --from {settings}` makes the same again"
        )


def test_the_way_on_from_a_reference_that_has_moved(call: Callable[..., Result]) -> None:
    Path("made.json").write_text('{"request": {"prompt": "x", "reference": "/gone/song.wav"}}')
    result = call("generate", "--from", "made.json")
    assert "`mlx-music generate --from made.json --reference song.wav`" in result.error
    result = call("generate", "--from", "made.json", "--reference", "nosuch.wav")
    assert result.error.endswith("nosuch.wav cannot be read: No such file or directory")
