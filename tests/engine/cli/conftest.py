"""The command line as a person runs it: a process of its own; and, where many calls are made, the
same `main` in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlx_music.cli import main
from mlx_music.request import GenerationRequest

COMMAND = (sys.executable, "-m", "mlx_music.cli")


@dataclass(frozen=True)
class Result:
    """What a run of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def only_notes(self) -> bool:
        """Whether all that was said beside the result are notes."""
        return all(line.startswith("mlx-music: note: ") for line in self.err.splitlines())

    @property
    def error(self) -> str:
        """The one line of an error; fails if there is any other output."""
        assert self.out == ""
        assert self.err.endswith("\n")
        line = self.err.removesuffix("\n")
        assert line.startswith("mlx-music: error: ")
        assert "\n" not in line
        assert "Traceback" not in line
        assert "unexpected" not in line
        return line.removeprefix("mlx-music: error: ")


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """The environment of a run that finds nothing installed on this machine, and no network."""
    cleared = ("MLX_MUSIC_DEBUG", "MLX_MUSIC_LYRIC_VOCAB", "HF_ENDPOINT", "HF_TOKEN")
    kept = {name: value for name, value in os.environ.items() if name not in cleared}
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_CACHE": str(folder / "hub"),
        "MLX_MUSIC_RESOURCES": str(folder / "resources"),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        **changes,
    }


@pytest.fixture(scope="session")
def run_cli(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """Runs `mlx-music` with the given arguments in a process of its own."""
    empty = tmp_path_factory.mktemp("environment")

    def run(*args: object, cwd: Path, stdin: bytes = b"", **env: str) -> Result:
        done = subprocess.run(
            [*COMMAND, *map(str, args)],
            cwd=cwd,
            input=stdin,
            env=environment(empty, **env),
            capture_output=True,
            timeout=120,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def call_cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Result]:
    """Runs `mlx-music` with the given arguments in this process, in an empty folder."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.delenv("MLX_MUSIC_DEBUG", raising=False)
    monkeypatch.setenv("MLX_MUSIC_RESOURCES", str(tmp_path / "resources"))
    monkeypatch.setenv("NO_COLOR", "1")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def call(*args: Any) -> Result:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lyric vocabulary of single characters, in the place of the one that is downloaded."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    names = ["[UNK]", "[SPACE]", *map(chr, range(32, 127))]
    names += [f"unused{number}" for number in range(len(names), 300)]
    tokenizer = Tokenizer(
        models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\[SPACE\]|."), "isolated")
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture
def requested(
    call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., GenerationRequest]:
    """The request that a command line comes to; nothing is made."""
    seen: list[GenerationRequest] = []

    def make_music(args: object, chosen: object, request: GenerationRequest, *more: object) -> int:
        seen.append(request)
        return 0

    for command in ("generate", "repaint", "extend", "edit", "retake"):
        monkeypatch.setattr(f"mlx_music.cli.{command}.make_music", make_music)

    def requested(*args: object) -> GenerationRequest:
        assert call(*args) == Result(0, "", "")
        return seen.pop()

    return requested
