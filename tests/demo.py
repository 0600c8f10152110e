"""`make demo`: ten seconds of music from the built-in model, without a download."""

from __future__ import annotations

import sys
from pathlib import Path

from mlx_music.cli import main as mlx_music_command

ROOT = Path(__file__).resolve().parents[1]
SONG = ROOT / "output" / "demo.wav"
PROMPT = "lo-fi, mellow electric piano, soft bass, slow drums, 80 bpm"


def main() -> int:
    print(f'Sketch, the model that comes with MLX Music, plays "{PROMPT}" ...', flush=True)
    status = mlx_music_command(
        [
            "generate",
            *("--model", "sketch", "--prompt", PROMPT),
            *("--duration", "10", "--seed", "1"),
            *("--output", str(SONG), "--force"),
        ]
    )
    if status == 0:
        print(
            f"\n{SONG.relative_to(ROOT)} is music by a very small model, made on this machine "
            "from nothing but the prompt.\nAnother, in your words:\n\n"
            '  .venv/bin/mlx-music generate --prompt "fast bright chiptune, 150 bpm"\n\n'
            "For whole songs with singing, get ACE-Step v1 (8.3 GB): .venv/bin/mlx-music download"
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
