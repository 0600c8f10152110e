"""The built-in model on the command line: what is used where nothing is installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from mlx_music.ace_step.published import MODEL_ID
from mlx_music.metadata import read_description
from mlx_music.resources import VARIABLE
from tests.doubles import SKETCH
from tests.engine.cli.conftest import Result
from tests.engine.cli.recordings import record

NOTE = (
    "mlx-music: note: ACE-Step v1 is not installed, so this is Sketch, the small model that is"
    " built in (instrumental, up to 30 seconds); `mlx-music download` gets ACE-Step v1 (8.3 GB)\n"
)
DEFAULTS: dict[str, Any] = SKETCH["defaults"]  # type: ignore[assignment]


@pytest.fixture
def call(
    call_cli: Callable[..., Result], sketch_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """`call_cli` where the model is built in and nothing is installed."""
    monkeypatch.setenv(VARIABLE, str(sketch_folder.parent))
    return call_cli


def test_it_is_used_where_nothing_is_installed(call: Callable[..., Result]) -> None:
    result = call("generate", "-p", "drums", "--steps", "2", "--seed", "1", "-o", "a.wav")
    assert result.code == 0, result.err
    assert result.err.startswith(NOTE)
    assert result.err.count("note:") == 1
    described = read_description("a.wav")
    assert described.model == "sketch"
    assert described.request.num_inference_steps == 2
    for name, value in DEFAULTS.items():
        if name != "num_inference_steps":
            assert getattr(described.request, name) == value
    assert soundfile.info("a.wav").duration == pytest.approx(DEFAULTS["duration"], abs=0.1)

    told = json.loads(call("generate", "-p", "drums", "--steps", "1", "-q", "--json").out)
    assert told["model"] == "sketch"
    assert told["notes"] == [NOTE.removeprefix("mlx-music: note: ").rstrip()]

    info = call("info", "a.wav").out
    assert info.endswith("\nthe same again: mlx-music generate --from a.wav --model sketch\n")
    again = call("generate", "--from", "a.wav", "--model", "sketch", "-o", "b.wav")
    assert "note:" not in again.err
    assert Path("b.wav").read_bytes() == Path("a.wav").read_bytes()


@pytest.mark.parametrize(
    "args",
    [
        ("repaint", "SONG", "--start", "0.5", "--end", "0.8"),
        ("extend", "SONG", "--right", "0.3"),
        ("edit", "SONG", "--source-prompt", "folk"),
        ("generate", "--reference", "SONG"),
    ],
    ids=lambda args: args[0],
)
def test_every_task_starts_from_its_defaults(
    args: tuple[str, ...], call: Callable[..., Result]
) -> None:
    record(Path("song.wav"), 48_000, 2, 1.0)
    result = call(*(arg.replace("SONG", "song.wav") for arg in args), "-p", "funk", "-o", "a.wav")
    assert result.code == 0, result.err
    assert result.err.startswith(NOTE)
    request = read_description("a.wav").request
    assert request.num_inference_steps == DEFAULTS["num_inference_steps"]
    assert (request.guidance_scale, request.use_erg_lyric) == (4.0, False)


def test_a_voice_is_laid_over_its_defaults(
    call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLX_MUSIC_VOICES", "voices")
    record(Path("song.wav"), 48_000, 2, 1.2)
    saved = call("voice", "save", "anna", "--reference", "song.wav", "--strength", "0.3")
    assert saved.code == 0, saved.err
    result = call("generate", "--voice", "anna", "-p", "funk", "-q", "-o", "a.wav")
    assert result == Result(0, "a.wav\n", NOTE)
    request = read_description("a.wav").request
    assert (request.reference_strength, request.guidance_scale) == (0.3, 4.0)


def test_settings_with_gaps_take_its_defaults(call: Callable[..., Result]) -> None:
    Path("preset.json").write_text('{"request": {"prompt": "funk", "num_inference_steps": 1}}')
    result = call("generate", "--from", "preset.json", "-m", "sketch", "-o", "a.wav")
    assert result.code == 0, result.err
    request = read_description("a.wav").request
    assert (request.num_inference_steps, request.duration) == (1, DEFAULTS["duration"])


def test_lyrics_need_no_vocabulary(call: Callable[..., Result]) -> None:
    args = ("generate", "-m", "sketch", "-p", "soul", "--steps", "1", "--seed", "3", "--force")
    call(*args, "-q", "-o", "plain.wav")
    result = call(*args, "--lyrics", "la la", "-o", "sung.wav")
    assert result.code == 0, result.err
    ignored = "mlx-music: note: Sketch does not sing; the lyrics are ignored\n"
    assert ignored in result.err
    # Less music than was asked for is no progress: --quiet does not hide it.
    quiet = call(*args, "--lyrics", "la la", "-q", "-o", "sung.wav")
    assert quiet == Result(0, "sung.wav\n", ignored)
    sounds = [soundfile.read(name)[0].tobytes() for name in ("plain.wav", "sung.wav")]
    assert sounds[0] == sounds[1]
    assert read_description("sung.wav").request.lyrics == "la la"


def test_too_long(call: Callable[..., Result]) -> None:
    result = call("generate", "-m", "sketch", "-p", "soul", "-d", "31")
    assert result.code == 2
    assert result.error == "-d: 31 is out of range; Sketch makes 1 to 30 seconds"
    result = call("generate", "-p", "soul", "-d", "31")
    assert result.code == 2
    assert result.err.startswith(NOTE)
    Path("a.json").write_text('{"request": {"prompt": "x", "duration": 60}}')
    result = call("generate", "-m", "sketch", "--from", "a.json")
    assert result.error == "a.json: duration 60 is out of range; Sketch makes 1 to 30 seconds"
    assert list(Path().glob("*.wav")) == []


def test_what_is_asked_for_by_name_is_not_replaced(call: Callable[..., Result]) -> None:
    for args in ((), ("--revision", "main")):
        result = call("generate", "-p", "soul", "-m", MODEL_ID, "--offline", *args)
        assert result.code == 1
        assert result.error.startswith(f"{MODEL_ID}: not downloaded; get it with")


def test_an_installation_without_it(call_cli: Callable[..., Result]) -> None:
    for args in ((), ("-m", "sketch")):
        result = call_cli("generate", "-p", "soul", *args)
        assert result.code == 1
        assert result.error.startswith("sketch: this installation lacks its built-in model")
        assert "`mlx-music download`" in result.error
    for command in ("info", "verify", "download"):
        assert call_cli(command, "sketch").error.startswith("sketch: this installation lacks")
    assert call_cli("models").out.startswith("no model in ")


def test_the_folder_and_the_name(call: Callable[..., Result], checkpoint: Path) -> None:
    shutil.copytree(checkpoint, "sketch")
    args = ("generate", "-p", "soul", "-d", "1", "--steps", "1", "-q", "--json")
    assert json.loads(call(*args, "-m", "./sketch").out)["request"]["use_erg_tag"]
    assert not json.loads(call(*args, "-m", "sketch").out)["request"]["use_erg_tag"]
    assert json.loads(call("info", "./sketch", "--json").out)["about"] is None


def test_commands_about_models(call: Callable[..., Result], sketch_folder: Path) -> None:
    listed = call("models").out
    assert listed.startswith("sketch  ")
    assert ", built in\n  Sketch: instrumental, up to 30 seconds; MIT License\n" in listed
    assert f"get {MODEL_ID} with `mlx-music download` (8.3 GB)\n" in listed
    (told,) = json.loads(call("models", "--json").out)["models"]
    assert (told["id"], told["built_in"], told["missing"]) == ("sketch", True, [])
    assert (told["path"], told["about"]) == (str(sketch_folder), SKETCH)

    info = call("info", "sketch").out
    assert "\n  Sketch: instrumental, up to 30 seconds; MIT License\n" in info
    assert (
        "\n  by default: --duration 2.5 --num-inference-steps 3 --guidance-scale 4"
        " --no-use-erg-tag --no-use-erg-lyric --no-use-erg-diffusion\n" in info
    )
    assert json.loads(call("info", "sketch", "--json").out)["about"] == SKETCH
    assert call("verify", "sketch", "-q") == Result(0, "", "")
    assert call("download", "sketch") == Result(
        0, f"{sketch_folder} (built in; there is nothing to download)\n", ""
    )
    for command in ("info", "verify", "download"):
        error = call(command, "sketch", "--revision", "main").error
        assert error == "sketch: a built-in model has no revisions, but one was given"


def test_how_it_was_made_is_no_part_of_it(
    call: Callable[..., Result],
    sketch_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = shutil.copytree(sketch_folder, tmp_path / "resources" / "sketch")
    (copy / "recipe").mkdir()
    (copy / "recipe" / "songs.json").write_text("[1]")
    monkeypatch.setenv(VARIABLE, str(copy.parent))
    before = call("info", "sketch", "--json").out
    assert call("verify", "sketch", "-q") == Result(0, "", "")
    (copy / "umt5-base" / "tokenizer.json").write_text("[1]")
    assert call("verify", "sketch", "-q").code == 1
    assert "recipe" not in before


def test_a_model_that_describes_itself_wrongly(
    call: Callable[..., Result], sketch_folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(sketch_folder, tmp_path / "copy")
    (copy / "model.json").write_text(json.dumps({**SKETCH, "colour": "red"}))
    result = call("generate", "-p", "x", "-m", copy)
    assert result.code == 1
    assert result.error.startswith(f"{copy / 'model.json'}: 'colour' is unknown")
    result = call("verify", copy, "-q")
    assert result.code == 1
    assert result.out.startswith("BAD   model.json: 'colour' is unknown; there are name, ")
    assert result.out.count("BAD") == 1
