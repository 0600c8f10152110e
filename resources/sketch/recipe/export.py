"""Part 7: what was trained, as a checkpoint in the published layout.

python -m resources.sketch.recipe.export --work DIR --to resources/sketch
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from resources.sketch.recipe import sizes
from resources.sketch.recipe.spectrograms import N_FFT, filterbank
from resources.sketch.recipe.training import WEIGHTS, load


def silent_lyric_encoder() -> dict[str, Tensor]:
    """The lyric encoder that the layout asks for. It is never attended to, so it is zeros."""
    config = sizes.TRANSFORMER
    encoder = config["lyric_encoder"]
    size, hidden, units = (
        encoder["output_size"],
        config["lyric_hidden_size"],
        encoder["linear_units"],
    )
    heads = encoder["attention_heads"]
    dim = config["num_attention_heads"] * config["attention_head_dim"]
    shapes: dict[str, tuple[int, ...]] = {
        "lyric_embs.weight": (config["lyric_encoder_vocab_size"], hidden),
        "lyric_proj.weight": (dim, size),
        "lyric_proj.bias": (dim,),
        "lyric_encoder.embed.out.0.weight": (size, hidden),
        "lyric_encoder.embed.out.0.bias": (size,),
    }
    norms = ["lyric_encoder.embed.out.1", "lyric_encoder.after_norm"]
    for block in range(encoder["num_blocks"]):
        layer = f"lyric_encoder.encoders.{block}"
        for name in ("linear_q", "linear_k", "linear_v", "linear_out", "linear_pos"):
            shapes[f"{layer}.self_attn.{name}.weight"] = (size, size)
            if name != "linear_pos":
                shapes[f"{layer}.self_attn.{name}.bias"] = (size,)
        shapes[f"{layer}.self_attn.pos_bias_u"] = (heads, size // heads)
        shapes[f"{layer}.self_attn.pos_bias_v"] = (heads, size // heads)
        shapes[f"{layer}.feed_forward.w_1.weight"] = (units, size)
        shapes[f"{layer}.feed_forward.w_1.bias"] = (units,)
        shapes[f"{layer}.feed_forward.w_2.weight"] = (size, units)
        shapes[f"{layer}.feed_forward.w_2.bias"] = (size,)
        norms += [f"{layer}.norm_mha", f"{layer}.norm_ff"]
    for norm in norms:
        shapes[f"{norm}.weight"] = shapes[f"{norm}.bias"] = (size,)
    return {name: torch.zeros(shape) for name, shape in shapes.items()}


def _write(folder: Path, config: dict[str, Any], tensors: dict[str, Tensor], file: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    # float16 holds three bits more of a weight than bfloat16, in the same room.
    halves = {name: tensor.half().contiguous() for name, tensor in tensors.items()}
    for name, tensor in halves.items():
        if not tensor.isfinite().all():
            raise SystemExit(f"{folder.name}: {name} does not fit into float16")
    save_file(halves, folder / file, metadata={"format": "pt"})


def export(work: Path, to: Path) -> None:
    """Write the four networks with their averaged weights, in float16, and the tokenizer."""

    def averaged(name: str) -> dict[str, Tensor]:
        state = load(work / name)
        if state is None:
            raise SystemExit(f"{work / name} is missing; train it first")
        weights: dict[str, Tensor] = state["average"]
        return weights

    both = averaged("transformer.pt")
    text = {
        name.removeprefix("text_encoder."): tensor
        for name, tensor in both.items()
        if name.startswith("text_encoder.") and "embed_tokens" not in name
    }
    transformer = {
        name.removeprefix("transformer."): tensor
        for name, tensor in both.items()
        if name.startswith("transformer.")
    }
    vocoder = averaged("vocoder.pt")
    vocoder["mel_transform.spectrogram.window"] = torch.hann_window(N_FFT)
    vocoder["mel_transform.mel_scale.fb"] = filterbank()
    _write(to / "umt5-base", sizes.TEXT_ENCODER, text, "model.safetensors")
    _write(
        to / "ace_step_transformer",
        sizes.TRANSFORMER,
        transformer | silent_lyric_encoder(),
        WEIGHTS,
    )
    _write(to / "music_dcae_f8c8", sizes.DCAE, averaged("autoencoder.pt"), WEIGHTS)
    _write(to / "music_vocoder", sizes.VOCODER, vocoder, WEIGHTS)
    shutil.copyfile(work / "tokenizer.json", to / "umt5-base" / "tokenizer.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    export(args.work, args.to)
    total = sum(p.stat().st_size for p in args.to.rglob("*") if "recipe" not in p.parts)
    print(f"{args.to}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
