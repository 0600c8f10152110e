"""`make demo`: the whole engine in half a minute, from a fresh clone and without a download.

Until a model comes with the project, the demo runs on synthetic weights. They have the
published layout and go through the same code, and they sound like noise.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mlx_music.cli import main as mlx_music_command
from tests.parity import synthetic

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "tests" / "parity" / "reference" / "tiny"
OUTPUT = ROOT / "output"


def main() -> int:
    checkpoint = OUTPUT / "synthetic-checkpoint"
    print(f"Writing a synthetic checkpoint to {checkpoint.relative_to(ROOT)} ...")
    synthetic.write_checkpoint(REFERENCE, checkpoint)
    song = OUTPUT / "demo.wav"
    status = mlx_music_command(
        [
            "generate",
            *("--model", str(checkpoint)),
            *("--prompt", "funk, slap bass, clavinet, horn section, groove, 112 bpm"),
            *("--duration", "5", "--steps", "8", "--seed", "1"),
            *("--output", str(song), "--force"),
        ]
    )
    if status == 0:
        print(
            f"\n{song.relative_to(ROOT)} is noise, and meant to be: its weights are random "
            "numbers.\nFor music, get the trained model (8.3 GB) and ask it:\n\n"
            "  .venv/bin/mlx-music download\n"
            '  .venv/bin/mlx-music generate --prompt "warm lo-fi hip hop, 80 bpm" --duration 30'
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
