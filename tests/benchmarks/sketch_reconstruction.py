"""How well Sketch's vocoder and autoencoder give back music that they were not trained on.

    python -m tests.benchmarks.sketch_reconstruction [--model sketch] [--clips 24] [--seconds 12]

Each rendered clip of a held-out song goes the way mel -> vocoder -> sound, and the way sound ->
latents -> mel -> vocoder -> sound. Beside them stands the distance to another clip, which is
what no likeness at all would come to.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# First of all imports: it loads OpenBLAS, which must come before MLX.
import mlx_music  # noqa: F401  # isort: skip
import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music import ACEStep
from mlx_music.ace_step.autoencoder import MusicAutoencoder
from mlx_music.ace_step.dcae import SAMPLES_PER_LATENT
from resources.sketch.recipe.captions import full_caption
from resources.sketch.recipe.render import SAMPLE_RATE, render
from resources.sketch.recipe.songs import held_out_song
from tests.benchmarks.sketch_distances import log_mel, log_mel_error, stft_distance

FloatArray = npt.NDArray[np.float32]

_FIRST_SEED = 900_000


@dataclass(frozen=True)
class Distances:
    """Of one clip: the vocoder's from its mel, the whole way's, and another clip's."""

    prompt: str
    vocoder_log_mel: float
    vocoder_stft: float
    whole_log_mel: float
    whole_stft: float
    other_log_mel: float
    other_stft: float


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    autoencoder = ACEStep.from_pretrained(args.model).components.autoencoder
    # Whole latents, so that nothing is padded and all ways are equally long.
    length = round(args.seconds * SAMPLE_RATE) // SAMPLES_PER_LATENT * SAMPLES_PER_LATENT
    other = _clip(_FIRST_SEED + args.clips, length)
    found = []
    for number in range(args.clips):
        song = held_out_song(_FIRST_SEED + number)
        true = _clip(_FIRST_SEED + number, length)
        spoken, whole = _through_vocoder(autoencoder, true), _through_all(autoencoder, true)
        found.append(
            Distances(
                full_caption(song),
                *(log_mel_error(spoken, true), stft_distance(spoken, true)),
                *(log_mel_error(whole, true), stft_distance(whole, true)),
                *(log_mel_error(other, true), stft_distance(other, true)),
            )
        )
        print(_line(found[-1].prompt, [found[-1]]), flush=True)
        if args.keep:
            _save(args.keep, number, {"original": true, "vocoder": spoken, "whole": whole})
        if args.spectrograms:
            _draw(args.spectrograms, number, found[-1].prompt, (true, spoken, whole))
        other = true
    print(_table(found))
    if args.json:
        args.json.write_text(json.dumps([asdict(each) for each in found], indent=1))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sketch", help="built-in name, folder or hub id")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--json", type=Path, help="write every clip's distances here")
    parser.add_argument("--keep", type=Path, help="folder to save the sounds in")
    parser.add_argument("--spectrograms", type=Path, help="folder to draw log-mels in (PNG)")
    return parser


def _clip(seed: int, length: int) -> FloatArray:
    # A little more, because the renderer fades the very end.
    return render(held_out_song(seed), length / SAMPLE_RATE + 0.1)[:, :length]


def _through_vocoder(autoencoder: MusicAutoencoder, audio: FloatArray) -> FloatArray:
    vocoder = autoencoder.vocoder
    made = vocoder.decode_chunked(vocoder.mel_transform(mx.array(audio)))
    return np.array(made)[:, : audio.shape[1]]


def _through_all(autoencoder: MusicAutoencoder, audio: FloatArray) -> FloatArray:
    latents = autoencoder.encode(audio, SAMPLE_RATE)
    return autoencoder.decode(latents, SAMPLE_RATE)[:, : audio.shape[1]]


def _means(found: Sequence[Distances]) -> dict[str, float]:
    values = [{k: v for k, v in asdict(each).items() if k != "prompt"} for each in found]
    return {name: float(np.mean([each[name] for each in values])) for name in values[0]}


def _line(title: str, found: Sequence[Distances]) -> str:
    mean = _means(found)
    ways = (f"{way} {mean[way + '_log_mel']:.3f} / {mean[way + '_stft']:.3f}" for way in _WAYS)
    return f"{',  '.join(ways)}  ({title})"


_WAYS = {
    "vocoder": "mel -> vocoder -> sound",
    "whole": "sound -> latents -> vocoder -> sound",
    "other": "another clip",
}


def _table(found: Sequence[Distances]) -> str:
    mean = _means(found)
    rows = ["", "| way | log-mel error (nepers) | multi-resolution STFT |", "|---|---|---|"]
    rows += [
        f"| {title} | {mean[way + '_log_mel']:.3f} | {mean[way + '_stft']:.3f} |"
        for way, title in _WAYS.items()
    ]
    return "\n".join([*rows, "", f"means over {len(found)} clips of held-out songs"])


def _save(folder: Path, number: int, sounds: dict[str, FloatArray]) -> None:
    import soundfile

    folder.mkdir(parents=True, exist_ok=True)
    for name, sound in sounds.items():
        soundfile.write(folder / f"{number:03d}-{name}.wav", sound.T, SAMPLE_RATE)


def _draw(folder: Path, number: int, prompt: str, sounds: Sequence[FloatArray]) -> None:
    """One picture: the log-mels of the original, the vocoder's and the whole way's sound."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(len(sounds), 1, figsize=(14, 9), sharex=True)
    for axis, sound, title in zip(axes, sounds, ("original", "vocoder", "whole"), strict=True):
        axis.imshow(log_mel(sound)[0].T, origin="lower", aspect="auto", vmin=-9.0, vmax=3.0)
        axis.set_ylabel(title)
    axes[0].set_title(prompt)
    figure.tight_layout()
    figure.savefig(folder / f"{number:03d}.png", dpi=70)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
