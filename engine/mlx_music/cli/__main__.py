"""`python -m mlx_music.cli`: the command line where its script is not on the PATH."""

from __future__ import annotations

import sys

from mlx_music.cli.program import main

sys.exit(main())
