"""`MLX Music --self-test`: is this copy of the app whole, as it was installed or built?

It prints a line for each check and goes on after one that failed. It needs no screen, no
loudspeaker and no network. What the app keeps goes into a folder that is removed at the end;
nothing of the person's is read or written.

Whatever a check needs is imported inside of it, so that what is missing fails that check alone.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from mlx_music import __version__
from mlx_music_app.paths import HOME_VARIABLE
from mlx_music_app.self_test import contents, desktop
from mlx_music_app.self_test.check import Check, CheckFailed

__all__ = ["CHECKS", "Check", "CheckFailed", "main", "run_checks"]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("imports", contents.check_imports),
    ("licences", contents.check_licences),
    ("resources", contents.check_resources),
    ("formats", contents.check_formats),
    ("words", contents.check_words),
    ("downloads", contents.check_downloads),
    ("model", contents.check_model),
    ("qt", desktop.check_qt),
    ("outputs", desktop.check_outputs),
    ("player", desktop.check_player),
    ("power", desktop.check_power),
    ("window", desktop.check_window),
)

#: Seconds after which something hangs. The whole takes ten, but when a built app runs for the first
#: time, macOS looks at every library in it.
_PATIENCE = 600.0


class _Line:
    """The line of one check, which may raise anything inside of it."""

    def __init__(self, name: str) -> None:
        self.name, self.found, self.failed = name, "", False

    def __enter__(self) -> _Line:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False  # Ctrl-C
        # Whatever went wrong in here is what this program is for: said, counted, and gone on from.
        self.failed = error is not None
        if error is None:
            print(f"ok   {self.name}: {self.found}, {time.perf_counter() - self._began:.1f} s")
        else:
            words = " ".join(str(error).split()) or "no reason given"
            known = isinstance(error, CheckFailed)
            print(f"FAIL {self.name}: {words if known else f'{type(error).__name__}: {words}'}")
            if not known:
                traceback.print_exception(kind, error, trace)
        sys.stdout.flush()
        return True


def main() -> int:
    """Make all checks; 1 if one failed. The process is of no other use afterwards."""
    logging.basicConfig(format="%(name)s: %(message)s")  # to the standard error
    faulthandler.enable()
    # Better than nothing at all, where a window or a device hangs.
    faulthandler.dump_traceback_later(_PATIENCE, exit=True)
    with tempfile.TemporaryDirectory(
        prefix="mlx-music-self-test-", ignore_cleanup_errors=True
    ) as folder:
        _live_in(Path(folder))
        code = run_checks(CHECKS, Path(folder))
    faulthandler.cancel_dump_traceback_later()
    return code


def run_checks(checks: Sequence[tuple[str, Check]], folder: Path) -> int:
    """Make the checks, one after another, and print what they say. 1 if one failed, else 0."""
    print(
        f"MLX Music {__version__}, Python {platform.python_version()}, "
        f"{platform.platform()} {platform.machine()}, {_here()}"
    )
    failed = []
    for name, check in checks:
        with _Line(name) as line:
            line.found = check(folder)
        if line.failed:
            failed.append(name)
    if failed:
        print(f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}")
    else:
        print(f"all {len(checks)} checks passed")
    return 1 if failed else 0


def _here() -> str:
    """Which copy this is."""
    return os.environ.get("RESOURCEPATH") or str(Path(__file__).resolve().parents[1])


def _live_in(folder: Path) -> None:
    """Keep everything below `folder`. Before anything is imported that looks for its place."""
    for name, place in (
        (HOME_VARIABLE, "home"),
        ("MLX_MUSIC_VOICES", "voices"),
        ("MLX_MUSIC_DICTIONARY", "dictionary"),
        ("HF_HOME", "hub"),
        ("HF_HUB_CACHE", "hub/models"),
        ("HF_XET_CACHE", "hub/xet"),
    ):
        os.environ[name] = str(folder / place)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    # Who has a proxy has none for this machine.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
