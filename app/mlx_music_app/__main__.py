"""`python -m mlx_music_app [FILES]` starts the app."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mlx_music import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Start the app, or hand the files to the one that runs. Returns the exit code.

    argv: files to open. `--version` prints the version; `--self-test` tells whether this copy of
    the app is whole (see `self_test`).
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["--audio-server"]:
        # The player's own process: it must not load any of the window's.
        from mlx_music_app.audio.server import main as serve

        return serve()
    if "--version" in argv:
        print(f"MLX Music {__version__}")
        return 0
    if "--self-test" in argv:
        from mlx_music_app.self_test import main as self_test

        return self_test()
    # Finder used to pass a process number.
    files = [Path(name) for name in argv if not name.startswith("-")]
    from mlx_music_app.application import run

    return run(files)


if __name__ == "__main__":
    sys.exit(main())
