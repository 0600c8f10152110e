"""A checkpoint of random weights at the sizes of a reference folder, for what reads files.

    python -m tests.benchmarks.checkpoint --reference DIR OUT
    mlx-music bench --model OUT

DIR holds `manifest.json` (component -> tensor -> shape) and a folder with `config.json` per
component. OUT gets the published layout and dtypes, so that opening it goes the way a user's does,
which `mlx-music bench` without `--model` leaves out. Random numbers come from the device: the
values do not matter here, only that they keep activations of order one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

import mlx_music  # noqa: F401  # isort: skip  (first, so that it chooses the BLAS)
import mlx.core as mx

from tests.parity.synthetic import (
    MEL_BUFFERS,
    WEIGHT_FILES,
    read_bfloat16,
    scale_and_offset,
)

TINY = Path(__file__).resolve().parents[1] / "parity" / "reference" / "tiny"


def write_checkpoint(reference: Path, out: Path) -> None:
    manifest = json.loads((reference / "manifest.json").read_text(encoding="utf-8"))
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write; 8 GB if published")
    args = parser.parse_args()
    write_checkpoint(args.reference, args.out)
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
