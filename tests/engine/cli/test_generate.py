"""`mlx-music generate` on a synthetic checkpoint, down to reading the files back."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile

from mlx_music.metadata import read_description
from mlx_music.request import MAX_LYRIC_TOKENS
from tests.engine.cli.conftest import COMMAND, Result, environment

SHORT = ("--duration", "1", "--steps", "2")


@dataclass(frozen=True)
class Session:
    """A folder in which two takes were made, and what that run printed."""

    folder: Path
    first: Result


@pytest.fixture(scope="module")
def session(
    run_cli: Callable[..., Result], checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Session:
    folder = tmp_path_factory.mktemp("session")
    (folder / "style.txt").write_text("warm lo-fi hip hop, café\r\n", encoding="utf-8")
    result = run_cli(
        *("generate", "--prompt", "@style.txt", *SHORT, "--seed", "41", "--scheduler", "heun"),
        *("--oss-steps", "1,2", "--no-use-erg-tag", "--guidance-interval", "1"),
        *("--model", checkpoint, "--takes", "2", "--output", "new/lofi.wav", "--json"),
        cwd=folder,
    )
    return Session(folder, result)


def test_takes_are_written_and_told_as_json(session: Session, checkpoint: Path) -> None:
    assert session.first.code == 0, session.first.err
    told = json.loads(session.first.out)
    assert session.first.out.count("\n") == 1
    assert told["paths"] == ["new/lofi-1.wav", "new/lofi-2.wav"]
    assert told["seeds"] == [41, 42]
    assert told["sample_rate"] == 48_000
    assert told["model"] == checkpoint.name
    assert told["notes"] == []
    assert {"load", "encode", "sample", "decode"} <= set(told["timings"])
    assert all(seconds >= 0 for seconds in told["timings"].values())
    assert sorted(path.name for path in (session.folder / "new").iterdir()) == [
        "lofi-1.wav",
        "lofi-2.wav",
    ]
    sounds = [soundfile.read(session.folder / path, always_2d=True) for path in told["paths"]]
    for audio, rate in sounds:
        assert rate == 48_000
        assert audio.shape[1] == 2
        assert audio.shape[0] / rate == pytest.approx(told["duration"])
        assert audio.shape[0] / rate == pytest.approx(1.0, abs=0.1)
        assert abs(audio).max() > 0
    assert (sounds[0][0] != sounds[1][0]).any()
    assert soundfile.info(session.folder / "new/lofi-1.wav").subtype == "PCM_24"


def test_progress_is_told_in_lines(session: Session) -> None:
    lines = session.first.err.splitlines()
    assert [line for line in lines if line.startswith("encode: done in ")]
    assert [line for line in lines if line.startswith("sample: done in ")]
    assert [line for line in lines if line.startswith("decode: done in ")]
    assert len([line for line in lines if line.startswith("sample: ")]) <= 2 * 11
    assert [line for line in lines if line.startswith("take ")] == ["take 1 of 2", "take 2 of 2"]
    assert lines[-1].startswith("0:01 of music in ")
    assert lines[-1].endswith(", seed 42")


def test_the_file_keeps_every_setting(session: Session, checkpoint: Path) -> None:
    described = read_description(session.folder / "new/lofi-2.wav")
    assert described.model == checkpoint.name
    request = described.request
    assert request.prompt == "warm lo-fi hip hop, café"
    assert (request.lyrics, request.language, request.seed) == ("", None, 42)
    assert (request.duration, request.num_inference_steps) == (1.0, 2)
    assert (request.scheduler, request.oss_steps) == ("heun", (1, 2))
    assert (request.use_erg_tag, request.use_erg_lyric) == (False, True)
    assert request.guidance_interval == 1.0


def test_the_same_again_is_the_same_file(
    session: Session, run_cli: Callable[..., Result], checkpoint: Path
) -> None:
    result = run_cli(
        *("generate", "--from", "new/lofi-2.wav", "--model", checkpoint, "--quiet"),
        *("--output", "again.wav"),
        cwd=session.folder,
    )
    assert result == Result(0, "again.wav\n", "")
    again, original = session.folder / "again.wav", session.folder / "new/lofi-2.wav"
    assert again.read_bytes() == original.read_bytes()


def test_info_shows_the_settings(
    session: Session, checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    path = session.folder / "new/lofi-2.wav"
    as_json = call_cli("info", path, "--json")
    assert (as_json.code, as_json.err) == (0, "")
    told = json.loads(as_json.out)
    assert told["request"] == read_description(path).request.to_dict()
    assert (told["format"], told["subtype"], told["channels"]) == ("WAV", "PCM_24", 2)
    text = call_cli("info", path)
    assert (text.code, text.err) == (0, "")
    lines = [line.split() for line in text.out.splitlines()]
    assert ["seed", "42"] in lines
    assert ["scheduler", "heun"] in lines
    assert ["oss-steps", "1,2"] in lines
    assert ["use-erg-tag", "off"] in lines
    assert ["lyrics", "-"] in lines
    assert (
        f"\nthe same again: mlx-music generate --from {path} --model {checkpoint.name}\n"
        in text.out
    )


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
def test_on_a_terminal_there_are_bars(checkpoint: Path, tmp_path: Path) -> None:
    """And without --output the file is named after prompt and seed."""
    main_end, terminal = os.openpty()
    seen: list[bytes] = []

    def read() -> None:
        while True:
            try:
                chunk = os.read(main_end, 1000)
            except OSError:  # what Linux says at the end
                return
            if not chunk:
                return
            seen.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    args = ["generate", "--prompt", "Piano, slow!", "--seeds", "7", *SHORT]
    done = subprocess.run(
        [*COMMAND, *args, "--model", str(checkpoint)],
        cwd=tmp_path,
        env=environment(tmp_path, TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=terminal,
        timeout=120,
    )
    os.close(terminal)
    reader.join(timeout=20)
    os.close(main_end)
    text = b"".join(seen).decode()
    assert done.returncode == 0, text
    assert done.stdout == b"piano-slow-7.wav\n"
    assert soundfile.info(tmp_path / "piano-slow-7.wav").channels == 2
    for stage in ("encode", "sample", "decode"):
        assert f"\r{stage:<9}100% |" in text
    assert "2/2 [00:0" in text
    assert "<" in text


def test_names_never_hit_an_existing_file(
    checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    Path("drums-3.wav").write_bytes(b"mine")
    args = ("generate", "-p", "drums", "--seed", "3", *SHORT, "--model", checkpoint, "-q")
    assert call_cli(*args) == Result(0, "drums-3-2.wav\n", "")
    assert call_cli(*args, "--force") == Result(0, "drums-3-3.wav\n", "")
    assert Path("drums-3.wav").read_bytes() == b"mine"
    assert Path("drums-3-2.wav").read_bytes() == Path("drums-3-3.wav").read_bytes()
    assert call_cli(*args, "--force", "-o", "drums-3.wav") == Result(0, "drums-3.wav\n", "")
    assert Path("drums-3.wav").read_bytes() == Path("drums-3-2.wav").read_bytes()


@pytest.mark.parametrize(
    ("name", "flags", "subtype", "rate"),
    [
        ("a.flac", ("--bit-depth", "16"), "PCM_16", 48_000),
        ("a.mp3", ("--sample-rate", "44100"), "MPEG_LAYER_III", 44_100),
    ],
)
def test_formats(
    name: str,
    flags: tuple[str, ...],
    subtype: str,
    rate: int,
    checkpoint: Path,
    call_cli: Callable[..., Result],
) -> None:
    result = call_cli(
        *("generate", "-p", "drums", *SHORT, *flags, "-q", "-o", name, "--model", checkpoint)
    )
    assert result == Result(0, f"{name}\n", "")
    info = soundfile.info(name)
    assert (info.subtype, info.samplerate) == (subtype, rate)
    assert read_description(name).request.sample_rate == rate


def test_settings_of_the_reference(checkpoint: Path, call_cli: Callable[..., Result]) -> None:
    values = {
        "task": "text2music",
        "prompt": "funk, slap bass",
        "lyrics": "",
        "audio_duration": 1.2,
        "infer_step": 2,
        "guidance_scale": 7.5,
        "scheduler_type": "euler",
        "cfg_type": "cfg",
        "oss_steps": [],
        "timecosts": {"preprocess": 0.1},
        "actual_seeds": [3299954530],
    }
    Path("output_input_params.json").write_text(json.dumps(values))
    result = call_cli(
        *("generate", "--from", "output_input_params.json", "--cfg-type", "apg"),
        *("--model", checkpoint, "-o", "funk.ogg"),
    )
    assert result.code == 0, result.err
    assert "mlx-music: note: output_input_params.json names no model" in result.err
    request = read_description("funk.ogg").request
    assert request.prompt == "funk, slap bass"
    assert (request.duration, request.guidance_scale, request.cfg_type) == (1.2, 7.5, "apg")
    assert request.seed == 3299954530


def test_a_new_seed_each_time(checkpoint: Path, call_cli: Callable[..., Result]) -> None:
    Path("a.json").write_text('{"request": {"prompt": "x", "seed": 5, "language": "de"}}')
    seeds = set()
    for _ in range(2):
        result = call_cli(
            *("generate", "--from", "a.json", "--seed", "random", "--language", "auto", *SHORT),
            *("--model", checkpoint, "-q", "--json"),
        )
        told = json.loads(result.out)
        assert told["request"]["language"] is None
        assert told["request"]["seed"] == told["seeds"][0]
        seeds.update(told["seeds"])
    assert len(seeds) == 2
    assert 5 not in seeds


def test_lyrics_from_everywhere_are_the_same(
    checkpoint: Path,
    vocabulary: Path,
    call_cli: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLX_MUSIC_LYRIC_VOCAB", str(vocabulary))
    words = "[verse]\nDancing through the night"
    Path("words.txt").write_bytes(b"\xef\xbb\xbf" + words.replace("\n", "\r\n").encode() + b"\r\n")
    stdin = io.TextIOWrapper(io.BytesIO(f"{words}\n".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    for name, lyrics in (
        ("typed", words),
        ("file", "@words.txt"),
        ("stdin", "-"),
        ("other", "[verse]\nStanding still"),
    ):
        result = call_cli(
            *("generate", "-p", "soul", "--lyrics", lyrics, "--language", "en", "--seed", "1"),
            *(*SHORT, "--model", checkpoint, "-q", "-o", f"{name}.wav"),
        )
        assert result == Result(0, f"{name}.wav\n", "")
    assert read_description("file.wav").request.lyrics == words
    files = {path.stem: path.read_bytes() for path in Path().glob("*.wav")}
    assert files["typed"] == files["file"] == files["stdin"]
    # The words are heard, not only written into the tags.
    assert len({soundfile.read(f"{n}.wav")[0].tobytes() for n in ("typed", "other")}) == 2


def test_lyrics_that_are_too_long(
    checkpoint: Path,
    vocabulary: Path,
    call_cli: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLX_MUSIC_LYRIC_VOCAB", str(vocabulary))
    Path("words.txt").write_text("la la la la la la la la la\n" * 400)
    result = call_cli(
        *("generate", "-p", "soul", "-l", "@words.txt", "--language", "en", *SHORT, "-q"),
        *("--model", checkpoint, "-o", "long.wav"),
    )
    assert result.code == 2
    assert result.error.startswith("-l: are ")
    assert result.error.endswith(f" tokens long; the model hears {MAX_LYRIC_TOKENS}")
    assert not Path("long.wav").exists()


def test_no_vocabulary_is_one_clear_line(
    checkpoint: Path, call_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("vocab.json").write_text("{}")
    for name in ("nosuch.json", "vocab.json"):
        monkeypatch.setenv("MLX_MUSIC_LYRIC_VOCAB", name)
        result = call_cli(
            *("generate", "-p", "soul", "-l", "la", *SHORT, "--model", checkpoint, "-q")
        )
        assert result.code == 1
        assert name in result.error
    assert list(Path().glob("*.wav")) == []
