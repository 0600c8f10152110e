from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlx_music.cli.program import COMMANDS, make_parser
from mlx_music.request import GenerationRequest, limit_of
from mlx_music.version import __version__
from tests.engine.cli.conftest import COMMAND, Result, environment

HEAVY = (
    "mlx.core",
    "numpy",
    "huggingface_hub",
    "tokenizers",
    "soundfile",
    "tqdm",
    "mutagen",
    "soxr",
)

PROBE = """
import sys
from mlx_music.cli import main
for argv in {argvs}:
    assert main(argv) == 0, argv
print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""


def test_help_and_version_import_nothing_heavy(tmp_path: Path) -> None:
    argvs = [["--help"], ["--version"], [], *([name, "--help"] for name in COMMANDS)]
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(argvs=argvs, heavy=HEAVY)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(tmp_path),
    )
    assert done.stderr == "[]\n"
    for name in COMMANDS:
        assert f"usage: mlx-music {name} " in done.stdout
    assert f"mlx-music {__version__}\n" in done.stdout


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="processor time of a child needs wait4")
@pytest.mark.parametrize("args", [["--help"], ["generate", "--help"]])
def test_help_answers_in_less_than_0_3_seconds(args: list[str]) -> None:
    # The processor's time, and the best of three: a busy machine proves nothing.
    def seconds() -> float:
        child = subprocess.Popen([*COMMAND, *args], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return usage.ru_utime + usage.ru_stime

    assert min(seconds() for _ in range(3)) < 0.3


def test_every_field_is_a_flag_with_its_default_and_range() -> None:
    _, by_name = make_parser()
    makers = [by_name[name] for name in ("generate", "retake", "repaint", "extend", "edit")]
    actions = {
        flag: action
        for parser in reversed(makers)  # the first has the last word
        for action in parser._actions
        for flag in action.option_strings
    }
    for spec in dataclasses.fields(GenerationRequest):
        if spec.name in ("task", "source"):  # the command itself, and its argument
            continue
        action = actions[f"--{spec.name.replace('_', '-')}"]
        shown = f"{action.help} {action.metavar}"
        limit = limit_of(spec.name)
        assert limit.help in shown
        assert all(choice in shown for choice in limit.choices)
        if not limit.choices:
            assert limit.range in shown
        if spec.name == "repaint_end":
            assert "required" in shown
            assert "default" not in shown
        elif isinstance(spec.default, bool):
            assert f"--no-{spec.name.replace('_', '-')}" in actions
        elif isinstance(spec.default, int | float):
            assert f"default {spec.default:g}" in shown


def test_groups_come_in_a_good_order() -> None:
    _, by_name = make_parser()
    titles = [group.title for group in by_name["generate"]._action_groups if group._group_actions]
    assert titles[:2] == ["What to make", "Output"]
    assert titles[-2:] == ["Model", "Other"]
    assert "options" not in titles


def test_no_command_prints_the_help(call_cli: Callable[..., Result]) -> None:
    result = call_cli()
    assert result.code == 0
    assert result.out.startswith("usage: mlx-music")


@pytest.mark.parametrize("args", [["generate", "--help"], ["--version"], ["models"]])
def test_nobody_reads_the_output(args: list[str], tmp_path: Path) -> None:
    """`mlx-music ... | true` is no reason for a traceback."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*COMMAND, *args],
        stdout=write,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode in (0, 1)  # argparse itself drops what it cannot print


FAULT = """
import sys
import mlx_music.cli.program as program
def run(args):
    raise ZeroDivisionError("one\\ntwo")
import dataclasses, mlx_music.cli.models as models
models.COMMAND = dataclasses.replace(models.COMMAND, run=run)
sys.exit(program.main(sys.argv[1:]))
"""


def test_a_fault_of_the_program_is_one_line_unless_debugging() -> None:
    def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", FAULT, "models", *args],
            capture_output=True,
            text=True,
            env={**os.environ, "MLX_MUSIC_DEBUG": "0", **env},
        )

    short = run()
    assert short.returncode == 1
    assert short.stderr == (
        "mlx-music: error: unexpected ZeroDivisionError: one\\ntwo;"
        " run again with --debug (or MLX_MUSIC_DEBUG=1) for the traceback\n"
    )
    for debugged in (run("--debug"), run(MLX_MUSIC_DEBUG="1")):
        assert debugged.returncode == 1
        assert debugged.stderr.startswith("Traceback")


def test_closed_streams_and_strange_files_are_no_fault(
    call_cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", refuse)
        result = call_cli("info", "locked/song.wav")
    assert result.code == 1
    assert result.error == "locked/song.wav: Permission denied"
    for name in ("stdout", "stderr"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, name, None)
            assert call_cli("--version").code == 0
            assert call_cli("info", "nosuch.wav").code == 1
