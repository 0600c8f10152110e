"""`mlx-music info` on files of settings: what makes the same again, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mlx_music.ace_step.published import MODEL_ID
from tests.engine.cli.conftest import Result

AGAIN = "the same again: mlx-music generate --from a.json --model"


def write(model: str = MODEL_ID, **fields: object) -> None:
    request = {"prompt": "x", "seed": 5} | fields
    Path("a.json").write_text(json.dumps({"model": model, "request": request}))


@pytest.mark.parametrize(
    ("request_json", "problem"),
    [
        ('{"bogus": 5}', "bogus: is no field of a request"),
        ('{"prompt": 5}', "prompt: 5 is not text"),
    ],
)
def test_the_file_is_blamed_and_no_flag(
    request_json: str, problem: str, call_cli: Callable[..., Result]
) -> None:
    Path("a.json").write_text(f'{{"request": {request_json}}}')
    result = call_cli("info", "a.json")
    assert result.code == 1
    assert result.error.startswith(f"a.json: its settings cannot be used ({problem}")


@pytest.mark.parametrize(
    ("model", "end"),
    [
        (MODEL_ID, f"{AGAIN} {MODEL_ID}\n"),
        ("org/own", f"{AGAIN} org/own\n"),
        ("here", f"{AGAIN} here\n"),
        (
            "my copy",
            f"{AGAIN} 'my copy'\n"
            "  (my copy is the name of its model's folder; give where that is)\n",
        ),
    ],
)
def test_the_same_again_names_the_model(
    model: str, end: str, call_cli: Callable[..., Result]
) -> None:
    Path("here").mkdir()
    write(model)
    assert call_cli("info", "a.json").out.endswith(f"\n\n{end}")


def test_the_default_model_needs_no_name(
    call_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mlx_music.ace_step.finding.installed_folder", lambda model, **more: Path(model)
    )
    write()
    assert call_cli("info", "a.json").out.endswith("mlx-music generate --from a.json\n")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": ""}, "the settings name no model"),
        ({"seed": None}, "the settings lack a seed"),
        ({"task": "retake"}, "the settings lack a seed"),
        ({"task": "repaint"}, "what it was made from was no file, but sound given in Python"),
        (
            {"task": "edit", "source": "a.json"},
            "it was written over the recording that it was made from",
        ),
    ],
)
def test_why_it_cannot_be_made_again(
    fields: dict[str, str], reason: str, call_cli: Callable[..., Result]
) -> None:
    write(**fields)
    out = call_cli("info", "a.json").out
    assert out.endswith(f"\n\ncannot be made again: {reason}\n")
    assert "the same again" not in out


@pytest.mark.parametrize(
    ("fields", "command"),
    [
        (
            {"task": "extend", "source": "/gone/b.wav"},
            "mlx-music extend NEW-PLACE/b.wav --from a.json",
        ),
        (
            {"reference": "/gone/b.wav"},
            f"mlx-music generate --from a.json --model {MODEL_ID} --reference NEW-PLACE/b.wav",
        ),
    ],
)
def test_a_recording_that_has_moved(
    fields: dict[str, str], command: str, call_cli: Callable[..., Result]
) -> None:
    write(**fields)
    assert f"\n/gone/b.wav is not there; the same again, from where it is now: {command}" in (
        call_cli("info", "a.json").out
    )
