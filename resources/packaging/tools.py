"""Runs other programs; what goes wrong with them becomes one line."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from resources.packaging.layout import PackagingError

Command = Sequence[str | os.PathLike[str]]

#: Where a missing program comes from.
_HOMES = {
    "codesign": "macOS",
    "ditto": "macOS",
    "hdiutil": "macOS",
    "security": "macOS",
    "spctl": "macOS",
    "xattr": "macOS",
    "xcrun": "Apple's command line tools (xcode-select --install)",
}

#: How much of what a failing program wrote goes into the one line, from the end.
_LINES = 3


class ToolError(PackagingError):
    """A program failed. `output` is all that it wrote."""

    def __init__(self, message: str, output: str = "") -> None:
        super().__init__(message)
        self.output = output


def run(
    command: Command,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    timeout: float | None = None,
    log: Path | None = None,
    again_on: Sequence[str] = (),
    attempts: int = 6,
    wait: float = 10,
) -> str:
    """What `command` writes to its standard output, which is not shown.

    environment: the program's whole environment; by default this process's.
    timeout: in seconds.
    log: a file to keep all that it writes.
    again_on: texts of passing faults. Where one is in what a failing program wrote, the program
        is run again after `wait` seconds, then twice as many, and so on, `attempts` times in all.
    Raises ToolError, in one line, if the program is missing, fails, or takes too long.
    """
    for attempt in range(attempts):
        try:
            done = _run(command, environment, folder, timeout)
            if log is not None:
                log.parent.mkdir(parents=True, exist_ok=True)
                log.write_text(done.stdout + done.stderr, "utf-8")
            return _output(command, done, log)
        except ToolError as error:
            passing = any(text in error.output for text in again_on)
            if not passing or attempt == attempts - 1:
                raise
            print(f"  {error}; trying again", flush=True)
            time.sleep(wait * (attempt + 1))
    raise AssertionError("attempts must be at least 1")


def _run(
    command: Command,
    environment: Mapping[str, str] | None,
    folder: Path | None,
    timeout: float | None,
) -> subprocess.CompletedProcess[str]:
    name = Path(command[0]).name
    try:
        return subprocess.run(
            command,
            env=environment,
            cwd=folder,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        home = f"it comes with {_HOMES[name]}" if name in _HOMES else f"there is no {command[0]}"
        raise ToolError(f"{name} is missing: {home}") from None
    except subprocess.TimeoutExpired as error:
        # What it wrote until then says what it waits for. It is in bytes, whatever was asked for.
        parts = [part for part in (error.stdout, error.stderr) if isinstance(part, bytes)]
        output = b"".join(parts).decode(errors="replace")
        raise ToolError(
            f"{_shown(command)} took more than {timeout} seconds{_end_of(output)}", output
        ) from None


def _output(command: Command, done: subprocess.CompletedProcess[str], log: Path | None) -> str:
    if done.returncode == 0:
        return done.stdout
    output = done.stdout + done.stderr
    code = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
    kept = f" (all that it wrote: {log})" if log is not None else ""
    raise ToolError(f"{_shown(command)} failed, {code}{_end_of(output)}{kept}", output)


def _end_of(output: str) -> str:
    """The last of what a program wrote, after a colon; nothing if it wrote nothing."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return ": " + "; ".join(lines[-_LINES:]) if lines else ""


def _shown(command: Command) -> str:
    """The program and what it was asked to do, without its options and paths."""
    verbs = [str(word) for word in command[1:3] if str(word).isalpha()]
    return " ".join((Path(command[0]).name, *verbs))
