"""`python -m mlx_music_app` starts the app."""

from __future__ import annotations

import sys

from mlx_music import __version__


def main() -> int:
    """Say what there is: the window is not part of this version."""
    print(
        f"MLX Music {__version__}: the desktop app is not in this version yet; "
        "use `mlx-music generate` or the library.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
