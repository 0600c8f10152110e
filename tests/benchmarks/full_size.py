"""One whole song at the sizes of a reference folder, on random weights: seconds and memory.

    python -m tests.benchmarks.full_size --reference DIR [--duration 60] [--steps 27] [--json F]

DIR holds `manifest.json` (component -> tensor -> shape) and a folder with `config.json` per
component. The checkpoint is written to a temporary folder in the published layout and dtypes,
so that opening it goes the way a user's does. Random numbers come from the device: the values
do not matter here, only that they keep activations of order one.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path

import mlx_music  # noqa: F401  # isort: skip
import mlx.core as mx
import numpy as np

from mlx_music import ACEStep, Progress, ProgressEvent
from tests.parity.synthetic import (
    MEL_BUFFERS,
    WEIGHT_FILES,
    read_bfloat16,
    scale_and_offset,
)

TINY = Path(__file__).resolve().parents[1] / "parity" / "reference" / "tiny"


def write_checkpoint(reference: Path, out: Path) -> Path:
    manifest = json.loads((reference / "manifest.json").read_text())
    for component, filename in WEIGHT_FILES.items():
        folder = out / component
        folder.mkdir(parents=True)
        shutil.copyfile(reference / component / "config.json", folder / "config.json")
        dtype = mx.float32 if component == "umt5-base" else mx.bfloat16
        tensors = {}
        for name, shape in manifest[component].items():
            scale, offset = scale_and_offset(name, tuple(shape))
            values = mx.random.normal(shape, scale=scale) + offset
            tensors[name] = values.astype(dtype)
            mx.eval(tensors[name])
        buffers = reference / component / MEL_BUFFERS
        if buffers.exists():
            tensors.update({n: mx.array(b) for n, b in read_bfloat16(buffers).items()})
        mx.save_safetensors(str(folder / filename), tensors)
        del tensors
        mx.clear_cache()
    # Any tokenizer will do whose ids the vocabulary has.
    shutil.copyfile(TINY / "umt5-base" / "tokenizer.json", out / "umt5-base" / "tokenizer.json")
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--duration", type=float, default=60.0)
    parser.add_argument("--steps", type=int, default=27)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()

    stages: dict[str, float] = {}

    def show(event: ProgressEvent) -> None:
        if event.step == event.total:
            stages[event.stage] = event.elapsed
            print(f"  {event.stage}: {event.elapsed:.2f} s", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        checkpoint = write_checkpoint(args.reference, Path(folder) / "checkpoint")
        print(f"checkpoint written in {time.perf_counter() - start:.1f} s")
        mx.reset_peak_memory()
        start = time.perf_counter()
        model = ACEStep.from_pretrained(checkpoint)
        opened = time.perf_counter() - start
        print(f"opened in {opened:.2f} s, dtype {model.components.dtype}")
        results = []
        for run in ("first", "warm"):
            mx.reset_peak_memory()
            start = time.perf_counter()
            output = model.generate(
                prompt="funk, slap bass, clavinet, horn section, groove, 112 bpm",
                duration=args.duration,
                num_inference_steps=args.steps,
                seed=1,
                progress=Progress(show),
            )
            seconds = time.perf_counter() - start
            peak = mx.get_peak_memory() / 2**30
            print(f"{run}: {seconds:.2f} s for {output.duration:.1f} s, peak {peak:.2f} GiB")
            assert np.isfinite(output.audio).all()
            assert np.isfinite(output.latents).all()
            results.append(
                {
                    "run": run,
                    "seconds": round(seconds, 3),
                    "timings": {k: round(v, 3) for k, v in output.timings.items()},
                    "peak_gib": round(peak, 3),
                    "audio_rms": float(math.sqrt(np.mean(output.audio**2))),
                }
            )
    report = {
        "device": str(mx.default_device()),
        "mlx": mx.__version__,
        "python": sys.version.split()[0],
        "duration": args.duration,
        "steps": args.steps,
        "open_seconds": round(opened, 3),
        "runs": results,
    }
    print(json.dumps(report, indent=1))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
