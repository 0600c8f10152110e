"""Stands in for the program that py2app puts into an app, on systems that cannot run it.

    python stub.py APP [ARGUMENT ...]

It does what py2app's main.c does, from the environment to the first line of the app's code: Python
starts with the app for its home, and so with nothing else to import from, not even the standard
library of the machine. `install` puts it where the app looks for its own program.
"""

from __future__ import annotations

import locale
import os
import shlex
import sys
from pathlib import Path

#: py2app's program starts Python in this locale, and leaves the "C" locale to the app.
_LOCALE = "C.UTF-8"

_STARTED = "MLX_MUSIC_STAND_IN_STARTED"


def install(app: Path) -> Path:
    """Put a program into `app` that starts it; returns where."""
    (program,) = (path for path in (app / "Contents" / "MacOS").iterdir() if path.name != "python")
    program.unlink()  # never through a hard link: the app may be a copy that shares its files
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    words = (str(interpreter), "-I", "-S", str(Path(__file__).resolve()), str(app.resolve()))
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', "utf-8")
    program.chmod(0o755)
    return program


def main() -> None:
    app, arguments = Path(sys.argv[1]), sys.argv[2:]
    if _STARTED not in os.environ:
        _start_python(app, arguments)
    del os.environ[_STARTED]
    locale.setlocale(locale.LC_CTYPE, "C")
    boot = app / "Contents" / "Resources" / "__boot__.py"
    sys.argv = [str(boot), *arguments]
    sys.path[0] = str(boot.parent)  # the folder of the first script
    code = compile(boot.read_bytes(), boot, "exec")
    # It runs in __main__, of which nothing of this file may be left.
    names = sys.modules["__main__"].__dict__
    names.clear()
    names.update(__name__="__main__", __builtins__=__import__("builtins"))
    exec(code, names)


def _start_python(app: Path, arguments: list[str]) -> None:
    """Start Python again, the way the app's program does."""
    contents = app / "Contents"
    resources = str(contents / "Resources")
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PYTHON")}
    environment |= {
        "ARGVZERO": "MLX Music",
        "EXECUTABLEPATH": str(contents / "MacOS" / "MLX Music"),
        "LC_ALL": _LOCALE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHOME": resources,
        "PYTHONPATH": resources,
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "0",
        "RESOURCEPATH": resources,
        _STARTED: "1",
    }
    command = [sys.executable, str(Path(__file__).resolve()), str(app), *arguments]
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main()
