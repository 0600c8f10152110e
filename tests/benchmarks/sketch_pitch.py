"""Whether Sketch's vocoder keeps held notes on pitch, timbre by timbre.

    python -m tests.benchmarks.sketch_pitch [--model sketch] [--every 5]

Each note of 1.4 seconds goes through mel and vocoder, and through autoencoder and vocoder. A share
is of the energy around its fundamental that lies less than half a semitone from it. Notes begin on
a mel frame, as nearly all of the model's own do, or between two. With `--every 5` only every fifth
pitch is played: a quick look, whose figures are not those of all 17.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

# First of all imports: it loads OpenBLAS, which must come before MLX.
import mlx_music  # noqa: F401  # isort: skip
import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music import ACEStep
from mlx_music.ace_step.autoencoder import MusicAutoencoder
from resources.sketch.recipe.held_notes import HOP, PITCHES, in_tune
from resources.sketch.recipe.instruments import SAMPLE_RATE, TIMBRES

FloatArray = npt.NDArray[np.float32]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sketch", help="built-in name, folder or hub id")
    parser.add_argument("--every", type=int, default=1, help="of the pitches, for a quick look")
    args = parser.parse_args(arguments)
    autoencoder = ACEStep.from_pretrained(args.model).components.autoencoder
    ways = {
        "notes themselves": (lambda sound: sound, 8 * HOP),
        "vocoder": (_vocoder(autoencoder), 8 * HOP),
        "vocoder, between frames": (_vocoder(autoencoder), 8 * HOP + 314),
        "autoencoder and vocoder": (_both(autoencoder), 8 * HOP),
    }
    print("| way | " + " | ".join(TIMBRES) + " | mean |")
    print("|---" * (len(TIMBRES) + 2) + "|")
    for title, (through, start) in ways.items():
        shares = in_tune(through, start, PITCHES[:: args.every])
        shown = [*shares.values(), float(np.mean(list(shares.values())))]
        print(f"| {title} | " + " | ".join(f"{share:.0%}" for share in shown) + " |", flush=True)
    return 0


def _vocoder(autoencoder: MusicAutoencoder) -> Callable[[FloatArray], FloatArray]:
    vocoder = autoencoder.vocoder

    def through(sound: FloatArray) -> FloatArray:
        return np.array(vocoder.decode_chunked(vocoder.mel_transform(mx.array(sound[None]))))[0]

    return through


def _both(autoencoder: MusicAutoencoder) -> Callable[[FloatArray], FloatArray]:
    def through(sound: FloatArray) -> FloatArray:
        latents = autoencoder.encode(np.stack([sound, sound]), SAMPLE_RATE)
        return autoencoder.decode(latents, SAMPLE_RATE)[0]

    return through


if __name__ == "__main__":
    sys.exit(main())
