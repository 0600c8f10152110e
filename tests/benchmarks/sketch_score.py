"""Whether Sketch does what its prompt says, by analysis that knows nothing of the model.

    python -m tests.benchmarks.sketch_score [--model sketch] [--clips 120] [--seconds 12]

The prompts describe songs whose combination of style, key, mode and tempo was held out of
training. Beside each figure stand the same for the renderer's own clips of the same songs, which
a model that learnt all there is would reach, and for clips of other prompts, which is chance.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

# First of all imports: it loads OpenBLAS, which must come before MLX.
import mlx_music

import numpy as np  # isort: skip
import numpy.typing as npt

from mlx_music import ACEStep
from resources.sketch.recipe.captions import full_caption
from resources.sketch.recipe.render import SAMPLE_RATE, render
from resources.sketch.recipe.songs import Song, held_out_song
from tests.benchmarks.sketch_analysis import KEY_NAMES, Analysis, analyse
from tests.benchmarks.sketch_measures import Heard, Line, is_key_right, is_tempo_right, table

FloatArray = npt.NDArray[np.float32]

#: Far from the seeds that are used in training, on either side of the split.
_FIRST_SEED = 900_000

_SEED_CHECKS = 3

#: Prompt, seconds and seed to sound (2, samples) and its sample rate.
Maker = Callable[[str, float, int], tuple[FloatArray, int]]


@dataclass(frozen=True)
class SeedCheck:
    """Two runs with one seed, and one with another, of one prompt."""

    prompt: str
    is_same_again: bool
    likeness_to_other_seed: float


def main(arguments: Sequence[str] | None = None) -> int:
    args = _parser().parse_args(arguments)
    songs = [held_out_song(_FIRST_SEED + number) for number in range(args.clips)]
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        (args.keep / "prompts.txt").write_text("")
    started = time.perf_counter()
    ceiling = [(song, _hear(render(song, args.seconds), SAMPLE_RATE)) for song in songs]
    print(f"analysed {len(songs)} rendered clips", flush=True)
    made: list[Heard] | None = None
    checks: list[SeedCheck] = []
    if not args.renderer:
        maker = _model(args)
        checks = [_check_seeds(full_caption(song), maker) for song in songs[:_SEED_CHECKS]]
        made = [
            (song, _make(song, number, maker, args.seconds, args.keep))
            for number, song in enumerate(songs)
        ]
    report = {
        "model": "renderer" if args.renderer else str(args.model),
        "mlx_music": mlx_music.__version__,
        "clips": args.clips,
        "seconds_each": args.seconds,
        "wall_seconds": round(time.perf_counter() - started, 1),
        "table": [asdict(line) for line in table(made or ceiling)],
        "ceiling": [asdict(line) for line in table(ceiling)],
        "seeds": [asdict(check) for check in checks],
        "heard": [_record(song, heard) for song, heard in made or ceiling],
    }
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    _show(table(made or ceiling), table(ceiling), made or ceiling)
    for check in checks:
        again = "the same" if check.is_same_again else "NOT the same"
        other = f"likeness of another seed {check.likeness_to_other_seed:.3f}"
        print(f"seed again: {again}; {other} ({check.prompt})")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sketch", help="built-in name, folder or hub id")
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--steps", type=int, help="instead of the model's own")
    parser.add_argument("--guidance-scale", type=float, help="instead of the model's own")
    parser.add_argument("--json", type=Path, help="write everything there is to know here")
    parser.add_argument("--keep", type=Path, help="folder to save the clips in, with prompts")
    parser.add_argument("--renderer", action="store_true", help="the renderer's clips alone")
    return parser


def _model(args: argparse.Namespace) -> Maker:
    model = ACEStep.from_pretrained(args.model)
    given = {"num_inference_steps": args.steps, "guidance_scale": args.guidance_scale}
    settings = {name: value for name, value in given.items() if value is not None}

    def make(prompt: str, seconds: float, seed: int) -> tuple[FloatArray, int]:
        output = model.generate(prompt=prompt, duration=seconds, seed=seed, **settings)
        return output.audio, output.sample_rate

    return make


def _make(song: Song, number: int, maker: Maker, seconds: float, keep: Path | None) -> Analysis:
    prompt = full_caption(song)
    audio, sample_rate = maker(prompt, seconds, number)
    heard = _hear(audio, sample_rate)
    found = f"{heard.tempo:.1f} bpm, {KEY_NAMES[heard.key]} {heard.mode}"
    print(f"{number:3d}  {prompt}  ->  {found}", flush=True)
    if keep:
        import soundfile

        soundfile.write(keep / f"{number:03d}.wav", audio.T, sample_rate, subtype="PCM_16")
        with (keep / "prompts.txt").open("a") as file:
            file.write(f"{number:03d}  {prompt}  ->  {found}\n")
    return heard


def _hear(audio: FloatArray, sample_rate: int) -> Analysis:
    if not np.isfinite(audio).all():
        raise SystemExit("a clip has numbers that are not finite")
    return analyse(audio, sample_rate)


def _check_seeds(prompt: str, maker: Maker) -> SeedCheck:
    first, again, other = (maker(prompt, 5.0, seed)[0] for seed in (1, 1, 2))
    likeness = float(np.corrcoef(first.ravel(), other.ravel())[0, 1])
    return SeedCheck(prompt, bool(np.array_equal(first, again)), likeness)


def _record(song: Song, heard: Analysis) -> dict[str, Any]:
    return {
        "prompt": full_caption(song),
        "song": asdict(song),
        "heard": heard.to_dict(),
        "tempo_right": is_tempo_right(song, heard),
        "key_right": is_key_right(song, heard),
    }


def _show(lines: list[Line], ceiling: list[Line], rows: list[Heard]) -> None:
    """The table in Markdown, as the model card has it."""
    print("\n| what | clips | value | aim | renderer | by chance |\n|---|---|---|---|---|---|")
    for line, best in zip(lines, ceiling, strict=True):
        show = _plain if line.at_most else _percent if line.aim and line.aim < 0.9 else _decimal
        sign = "≤" if line.at_most else "≥"
        mark = "" if line.is_met else " ✗"
        cells = [line.name, str(line.count), show(line.value) + mark, f"{sign} {show(line.aim)}"]
        print("| " + " | ".join([*cells, show(best.value), show(line.by_chance)]) + " |")
    loudness = [heard.loudness for _, heard in rows]
    peak = max(heard.peak for _, heard in rows)
    print(f"\nloudness {min(loudness):.1f} to {max(loudness):.1f} LUFS, highest peak {peak:.3f}")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


if __name__ == "__main__":
    sys.exit(main())
