"""What the built app runs first, inside py2app's own program."""

from __future__ import annotations

import locale
import os
import sys
import traceback
from types import TracebackType


def _prepare() -> None:
    if any(argument.startswith("--") for argument in sys.argv[1:]):
        sys.excepthook = _end
    # py2app's program goes back to the "C" locale once Python has started, and files that are
    # opened without an encoding would be taken for ASCII: the data of several libraries is not.
    locale.setlocale(locale.LC_CTYPE, "UTF-8" if sys.platform == "darwin" else "C.UTF-8")


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say what went wrong, and end.

    py2app's program would show a dialog and wait for somebody to close it: good for who has
    double-clicked the app, but not for a script that has started its self-test.
    """
    traceback.print_exception(kind, error, trace)
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    _prepare()
    from mlx_music_app.__main__ import main

    sys.exit(main())
