"""The command line `mlx-music`.

Every subcommand is one file with a `COMMAND` (see `command.Command`), named in `program.COMMANDS`.
Nothing heavy (MLX, NumPy, the hub, tokenizers, soundfile, tqdm) is imported before a subcommand
runs, so that `--help` answers at once.
"""

from mlx_music.cli.program import main

__all__ = ["main"]
