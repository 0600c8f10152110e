"""Part 6: what was trained, as a checkpoint in the published layout.

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


def export(work: Path, to: Path) -> list[str]:
    """Write the networks that were trained in `work`, with their averaged weights, in float16,
    and the tokenizer. Those that were not stay as they are in `to`; which were written."""
    written = []
    if (both := _averaged(work / "transformer.pt")) is not None:
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
        _write(to / "umt5-base", sizes.TEXT_ENCODER, text, "model.safetensors")
        shutil.copyfile(work / "tokenizer.json", to / "umt5-base" / "tokenizer.json")
        _write(
            to / "ace_step_transformer",
            sizes.TRANSFORMER,
            transformer | silent_lyric_encoder(),
            WEIGHTS,
        )
        written += ["umt5-base", "ace_step_transformer"]
    # Latents are made by the autoencoder that is trained or shipped, so either one fits.
    if (autoencoder := _averaged(work / "autoencoder.pt")) is not None:
        _write(to / "music_dcae_f8c8", sizes.DCAE, autoencoder, WEIGHTS)
        written.append("music_dcae_f8c8")
    if (vocoder := _averaged(work / "vocoder.pt")) is not None:
        vocoder["mel_transform.spectrogram.window"] = torch.hann_window(N_FFT)
        vocoder["mel_transform.mel_scale.fb"] = filterbank()
        _write(to / "music_vocoder", sizes.VOCODER, vocoder, WEIGHTS)
        written.append("music_vocoder")
    return written


def _averaged(file: Path) -> dict[str, Tensor] | None:
    """The averaged weights of a training; None if there was none."""
    state = load(file)
    if state is None:
        return None
    weights: dict[str, Tensor] = state["average"]
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    written = export(args.work, args.to)
    if not written:
        raise SystemExit(f"{args.work} holds no trained network; run a train_ script first")
    print("written:", ", ".join(written))
    total = sum(p.stat().st_size for p in args.to.rglob("*") if "recipe" not in p.parts)
    print(f"{args.to}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
