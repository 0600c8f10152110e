"""Every kind of bad input: one line that names what was typed, the right code, nothing written."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.engine.cli.conftest import Result

#: Arguments after `generate --prompt drums`, and what the line says. None of these needs a model.
WRONG_ARGUMENTS = [
    (
        "--prompt=",
        '--prompt: is empty; describe the music, for example "warm lo-fi hip hop, 80 bpm"',
    ),
    ("--prompt= \t", "--prompt: is empty;"),
    ("-p=", "-p: is empty;"),
    ("--duration=0.5", "--duration: 0.5 is out of range; it must be 1 to 240 seconds"),
    ("--duration=241", "--duration: 241"),
    ("-d=-3", "-d: -3"),
    ("--duration=nan", "--duration: nan is not a number; it must be 1 to 240 seconds"),
    ("--duration=inf", "--duration: inf is not a number; it must be 1 to 240 seconds"),
    ("--duration=long", '--duration: "long" is not a number; it must be 1 to 240 seconds'),
    ("--duration=", '--duration: "" is not a number; it must be 1 to 240 seconds'),
    ("--num-inference-steps=0", "--num-inference-steps: 0 is out of range; it must be 1 to 1000"),
    ("--steps=0", "--steps: 0 is out of range; it must be 1 to 1000"),
    ("--steps=2.5", '--steps: "2.5" is not a whole number; it must be 1 to 1000'),
    ("--steps=1001", "--steps: 1001 is out of range"),
    ("--scheduler=ddim", '--scheduler: "ddim" is not one of euler, heun, pingpong'),
    ("--cfg-type=none", '--cfg-type: "none" is not one of apg, cfg, cfg_star'),
    ("--language=tlh", '--language: "tlh" is not one of en, de, fr, '),
    ("--seed=-1", "--seed: -1 is out of range"),
    ("--seed=4294967296", "--seed: 4294967296 is out of range"),
    ("--guidance-scale=nan", "--guidance-scale: nan is not a number; it must be 0 to 100"),
    ("--omega-scale=-inf", "--omega-scale: -inf is not a number; it must be -100 to 100"),
    ("--oss-steps=3,2", "--oss-steps: must rise"),
    ("--oss-steps=1,x", '--oss-steps: "1,x" is not a list of whole numbers such as 1,2,3'),
    ("--oss-steps=0,1", "--oss-steps: 0 is out of range; it must be 1 to 1000"),
    ("--sample-rate=100", "--sample-rate: 100 is out of range; it must be 8000 to 192000 Hz"),
    ("--lyrics=@nosuch.txt", "--lyrics: nosuch.txt cannot be read: No such file or directory"),
    ("--lyrics=@noise.bin", "--lyrics: noise.bin is not UTF-8 text (line 1)"),
    ("--prompt=caf\udce9", "--prompt: is not UTF-8 text"),
    ("--output=", "--output: is empty"),
    ("--output=song.xyz", "--output: song.xyz: the extension '.xyz' is unknown; use one of WAV"),
    ("--output=song", "--output: song: it has no extension; use one of WAV"),
    ("--output=folder", "--output: folder is a folder; give the name of a file in it"),
    ("--bit-depth=12", "--bit-depth: WAV files have 16 or 24 or 32"),
    ("--bit-depth=x", "--bit-depth: invalid int value: 'x' (see `mlx-music generate --help`)"),
    ("--takes=0", '--takes: "0" is not a whole number of 1 or more'),
    ("--takes=-1", '--takes: "-1" is not a whole number of 1 or more'),
    ("--seeds=1,-2", '--seeds: "1,-2" is not a list of whole numbers from 0 to 4294967295'),
    ("--seeds=", '--seeds: "" is not a list'),
    ("--model=", "-m/--model: is empty; give sketch (built in), folder of a checkpoint"),
    ("--revision=main", "--revision: is of no model; name one too, such as --model ACE-Step/"),
    ("--dtype=int4", "--dtype: invalid choice: 'int4'"),
    ("--memory-limit=0", '--memory-limit: "0" is not a number of GB over 0'),
    ("--memory-limit=nan", '--memory-limit: "nan" is not a number of GB over 0'),
    ("--duraton=3", "--duraton is unknown; did you mean --duration? (see `mlx-music generate"),
    ("--out=a.wav", "--out is unknown; did you mean --output? (see `mlx-music generate"),
    ("--speaker=a.npy", "--speaker is unknown (see `mlx-music generate --help`)"),
    ("extra", '"extra" is one argument too many; put texts with spaces in quotes'),
]


@pytest.fixture
def call(call_cli: Callable[..., Result]) -> Callable[..., Result]:
    """`call_cli` in a folder with a few files, which must be all there is afterwards too."""
    Path("folder").mkdir()
    Path("noise.bin").write_bytes(b"\xff\xfe\x00")
    Path("there.wav").write_bytes(b"somebody's song")
    return call_cli


def names() -> list[str]:
    return sorted(path.as_posix() for path in Path().rglob("*"))


@pytest.mark.parametrize(("argument", "line"), WRONG_ARGUMENTS, ids=lambda value: ascii(value)[:40])
def test_wrong_arguments(argument: str, line: str, call: Callable[..., Result]) -> None:
    before = names()
    result = call("generate", "--prompt", "drums", argument)
    assert result.code == 2
    assert result.error.startswith(line)
    assert names() == before


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ([], "--prompt: is empty"),
        (["-p", "x", "--seeds", "1", "--takes", "2"], "--takes: give it or --seeds, not both"),
        (["-p", "x", "--seeds", "1", "--seed", "2"], "--seed: give it or --seeds, not both"),
        (["-p", "-", "-l", "-"], "-l: - (standard input) is taken by --prompt already"),
        (
            ["-p", "x", "-o", "a.mp3", "--bit-depth", "16"],
            "--bit-depth: MP3 is lossy and has no bit depth",
        ),
        (
            ["-p", "x", "-o", "a.mp3", "--sample-rate", "96000"],
            "--sample-rate: MP3 files cannot have 96000 Hz; choose one of ",
        ),
        (["--prompt"], "-p/--prompt: expected one argument"),
    ],
)
def test_arguments_that_do_not_go_together(
    args: list[str], line: str, call: Callable[..., Result]
) -> None:
    result = call("generate", *args)
    assert result.code == 2
    assert result.error.startswith(line)


def test_unknown_command(call: Callable[..., Result]) -> None:
    result = call("generat", "--prompt", "x")
    assert result.code == 2
    assert result.error.startswith("COMMAND: invalid choice: 'generat'")


def test_a_flag_of_another_command_is_not_taken_for_one_of_this(
    call: Callable[..., Result],
) -> None:
    result = call("extend", "there.wav", "--duration", "5")
    assert result.error == "--duration is unknown (see `mlx-music extend --help`)"


def test_existing_files_are_refused_before_the_model_is_looked_for(
    call: Callable[..., Result],
) -> None:
    result = call("generate", "-p", "x", "-o", "there.wav", "--model", "/nosuch")
    assert result.code == 1
    assert result.error.startswith("there.wav cannot be written: the file exists; use --force")
    Path("song-2.wav").touch()
    result = call("generate", "-p", "x", "-o", "song.wav", "--takes", "3", "--model", "/nosuch")
    assert result.code == 1
    assert result.error.startswith("song-2.wav cannot be written: the file exists")
    assert Path("there.wav").read_bytes() == b"somebody's song"


def test_unwritable_folders_are_refused_before_the_model_is_looked_for(
    call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = call("generate", "-p", "x", "-o", "noise.bin/song.wav", "--model", "/nosuch")
    assert result.code == 1
    assert result.error.startswith("noise.bin/song.wav cannot be written: ")
    # Asked of the system, because the superuser, as who tests may run, can write anywhere.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    for args in ([], ["-o", "folder/song.wav"]):
        result = call("generate", "-p", "x", "--seed", "1", *args, "--model", "/nosuch")
        assert result.code == 1
        assert result.error.endswith(".wav cannot be written: permission denied")


@pytest.mark.parametrize(
    ("name", "content", "code", "line"),
    [
        ("nosuch.wav", None, 1, "nosuch.wav cannot be read: No such file or directory"),
        ("nosuch.json", None, 1, "nosuch.json"),
        ("a.wav", b"no sound at all", 1, "a.wav: has no settings of MLX Music in its tags"),
        ("a.flac", b"", 1, "a.flac"),
        ("a.json", b"[1, 2]", 1, "a.json: holds no settings of MLX Music nor of the reference's"),
        ("a.json", b"{", 1, "a.json: is not JSON"),
        ("a.json", b"\xff", 1, "a.json: is not UTF-8 text"),
        ("a.json", b'{"request": {"tempo": 90}}', 2, "a.json: tempo is no field of a request"),
        ("a.json", b'{"request": {"prompt": ""}}', 2, "a.json: prompt is empty"),
        ("a.json", b'{"request": {"duration": "9"}}', 2, "a.json: duration '9' is not a number"),
        (
            "a_input_params.json",
            b'{"infer_step": 27, "prompt": "x", "audio_duration": 999}',
            2,
            "a_input_params.json: duration 999 is out of range; it must be 1 to 240 seconds",
        ),
    ],
)
def test_files_without_usable_settings(
    name: str, content: bytes | None, code: int, line: str, call: Callable[..., Result]
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    result = call("generate", "--from", name)
    assert result.code == code
    assert result.error.startswith(line)


def test_an_audio_file_of_others_has_no_settings(call: Callable[..., Result]) -> None:
    soundfile.write("mine.wav", np.zeros((100, 2)), 44100)
    result = call("generate", "--from", "mine.wav")
    assert result.code == 1
    assert result.error == "mine.wav: has no settings of MLX Music in its tags"


def test_flags_win_over_the_file_and_are_blamed_by_name(call: Callable[..., Result]) -> None:
    values = {"request": {"prompt": "x", "duration": 500.0, "num_inference_steps": 20}}
    Path("a.json").write_text(json.dumps(values))
    result = call("generate", "--from", "a.json", "--duration", "1", "--steps", "-4")
    assert result.code == 2
    assert result.error.startswith("--steps: -4 is out of range")
    result = call("generate", "--from", "a.json", "--duration", "1", "--model", "/nosuch")
    assert result.code == 1
    assert result.error.startswith("/nosuch: no such folder")


@pytest.mark.parametrize("command", ["generate", "verify", "info"])
def test_missing_models(command: str, call: Callable[..., Result]) -> None:
    def error(model: str, *more: str) -> str:
        flags = ["--prompt", "x", "--model", model] if command == "generate" else [model]
        result = call(command, *flags, *more)
        assert result.code == 1
        return result.error

    assert error("/nosuch").startswith("/nosuch: no such f")
    offline = ["--offline"] if command == "generate" else []
    assert error("org/model", *offline) == (
        "org/model: not downloaded; get it with `mlx-music download org/model`"
    )
    assert "hub id like org/name" in error("model")


def test_a_local_folder_has_no_revisions(checkpoint: Path, call: Callable[..., Result]) -> None:
    for args in (["generate", "-p", "x", "--model", checkpoint], ["verify", checkpoint]):
        result = call(*args, "--revision", "main")
        assert result.code == 1
        assert result.error == f"{checkpoint}: a local folder has no revisions, but one was given"


def test_damaged_models(checkpoint: Path, tmp_path: Path, call: Callable[..., Result]) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint, copy)
    weights = copy / "music_vocoder" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    result = call("generate", "-p", "x", "--duration", "1", "--model", copy)
    assert result.code == 1
    assert result.error.startswith(f"{weights}: ")
    assert "truncated" in result.error
    (copy / "umt5-base" / "tokenizer.json").unlink()
    result = call("generate", "-p", "x", "--duration", "1", "--model", copy)
    assert result.code == 1
    assert "umt5-base/tokenizer.json" in result.error
    assert [path for path in Path().glob("*.wav") if path.name != "there.wav"] == []


def test_what_a_person_sees(run_cli: Callable[..., Result], tmp_path: Path) -> None:
    """A few of the above in a process of their own."""
    (tmp_path / "there.wav").touch()
    for args, code, line in (
        (["--prompt", ""], 2, "--prompt: is empty"),
        (["--prompt", "x", "--duration", "900"], 2, "--duration: 900"),
        (["--prompt", "x", "-o", "there.wav"], 1, "there.wav cannot be written"),
    ):
        result = run_cli("generate", *args, cwd=tmp_path)
        assert result.code == code
        assert result.error.startswith(line)
    assert [path.name for path in tmp_path.iterdir()] == ["there.wav"]


@pytest.mark.skipif(sys.platform == "win32", reason="no full device there")
def test_a_full_disk_leaves_nothing(
    checkpoint: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    before = names()
    result = call(
        *("generate", "-p", "x", "--duration", "1", "--steps", "1", "--quiet"),
        *("--model", checkpoint, "-o", "folder/song.wav"),
    )
    assert result.code == 1
    assert result.error == "folder/song.wav cannot be written: the disk is full"
    assert names() == before
