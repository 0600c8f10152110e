"""Part 3: the autoencoder between mels and latents, diffusers' `AutoencoderDC` made small.

    python -m resources.sketch.recipe.train_autoencoder --work DIR --minutes 4

It learns mels by their absolute error. Two things shape the latents for the transformer that
has to make them: each of their 8 channels is held to mean 0 and variance 1 (after the fixed
shift and scale that ACE-Step puts around its autoencoder), and noise is added to them before
they are decoded, so that near latents sound alike.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import AutoencoderDC
from torch import Tensor

from resources.sketch.recipe import sizes
from resources.sketch.recipe.clips import CLIP_FRAMES, Collection
from resources.sketch.recipe.training import (
    Average,
    Clock,
    Log,
    adam,
    device,
    learning_rate,
    load,
    restore,
    save,
    set_rate,
    shipped,
)

LATENT_SHIFT, LATENT_SCALE = -1.9091, 0.1786
_NOISE = 0.15
_PEAK_RATE = 1.5e-3
#: (items, mel frames) of a batch, in turns: many short crops, and a few that last.
_CROPS = ((32, 256), (32, 256), (8, 1024))


def build() -> AutoencoderDC:
    return AutoencoderDC(**{k: v for k, v in sizes.DCAE.items() if not k.startswith("_")})


def encode(model: AutoencoderDC, mel: Tensor) -> Tensor:
    """Unit latents (batch, 8, 16, frames / 8) of normalised mels (batch, 2, 128, frames)."""
    return (model.encode(mel).latent.float() - LATENT_SHIFT) * LATENT_SCALE


def decode(model: AutoencoderDC, latents: Tensor) -> Tensor:
    return model.decode(latents / LATENT_SCALE + LATENT_SHIFT).sample.float()


def load_trained(work: Path, to: torch.device) -> AutoencoderDC | None:
    """The averaged weights, once training is done."""
    state = load(work / "autoencoder.pt")
    if state is None or not state["done"]:
        return None
    model = build()
    model.load_state_dict(state["average"], strict=False)
    return model.to(to, memory_format=torch.channels_last).eval()


def _crop(clips: Collection, count: int, frames: int) -> Tensor:
    to = clips.data.device
    starts = torch.randint((CLIP_FRAMES - frames) // 8 + 1, (count,), device=to) * 8
    index = starts[:, None] + torch.arange(frames, device=to)
    crops = clips.data[clips.draw(count)].float()
    index = index[:, None, None].expand(-1, *crops.shape[1:3], -1)
    return crops.gather(3, index).contiguous(memory_format=torch.channels_last)


def _losses(model: AutoencoderDC, mel: Tensor) -> dict[str, Tensor]:
    to = mel.device.type
    with torch.autocast(to, torch.bfloat16, enabled=to == "cuda"):
        latents = encode(model, mel)
        made = decode(model, latents + _NOISE * torch.randn_like(latents))
    mean = latents.mean(dim=(0, 2, 3))
    variance = latents.var(dim=(0, 2, 3))
    return {
        "mel": 7.0 * (made - mel).abs().mean(),  # in units of the natural logarithm
        "mean": mean.square().mean(),
        "variance": (variance.log().square()).mean(),
    }


@torch.no_grad()
def evaluate(model: AutoencoderDC, items: list[Tensor]) -> dict[str, float]:
    """Mean absolute log-mel error over held-out clips, and the spread of their latents."""
    model.eval()
    errors, spreads = [], []
    for item in items:
        mel = item[None].float().contiguous(memory_format=torch.channels_last)
        latents = encode(model, mel)
        errors.append(7.0 * (decode(model, latents) - mel).abs().mean().item())
        spreads.append(latents.std().item())
    model.train()
    return {"log-mel error": sum(errors) / len(errors), "latent std": sum(spreads) / len(spreads)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=4.0, help="training in all")
    parser.add_argument("--now", type=float, default=1e9, help="minutes of it in this call")
    parser.add_argument("--clips", type=int, default=6000)
    parser.add_argument("--first", type=int, default=200, help="clips to wait for")
    parser.add_argument(
        "--start", type=Path, help="exported model to start from; with --minutes 0 it only encodes"
    )
    args = parser.parse_args()
    to = device()
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")

    model = build().to(to, memory_format=torch.channels_last)
    if args.start is not None:
        model.load_state_dict(shipped(args.start / "music_dcae_f8c8"))
    else:
        # The fixed scale around it wants latents five times as wide as a network starts with.
        with torch.no_grad():
            model.encoder.conv_out.weight.mul_(4.0)
    optimizer = adam(model.parameters(), betas=(0.9, 0.98), decay=1e-3)
    average = Average(model, 0.999)
    file = args.work / "autoencoder.pt"
    state = load(file)
    spent = 0.0
    if state is not None:
        model.load_state_dict(state["model"])
        restore(optimizer, state["optimizer"])
        average.load(state["average"])
        spent = state["spent"]
    clips = Collection(args.work, args.clips, to, keep_sound=False)
    clips.wait_for(args.first)
    clock, log = Clock(args.minutes, args.now, spent), Log(args.work / "autoencoder.log")
    for step in clock.steps():
        clips.take_in(1)
        mel = _crop(clips, *_CROPS[step % len(_CROPS)])
        losses = _losses(model, mel)
        set_rate(optimizer, learning_rate(clock.progress, _PEAK_RATE))
        optimizer.zero_grad(set_to_none=True)
        (losses["mel"] + 0.1 * losses["mean"] + 0.1 * losses["variance"]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update()
        log.add(**losses)
        log.flush(clock, step)
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.weights,
        "spent": clock.spent,
        "done": clock.progress >= 1.0,
    }
    model.load_state_dict(average.weights, strict=False)
    state["scores"] = evaluate(model, clips.held_out(16))
    save(file, state)
    print(state["scores"], flush=True)
    if state["done"]:
        save_latents(model, clips, args.work / "latents.pt")


@torch.no_grad()
def save_latents(model: AutoencoderDC, clips: Collection, path: Path) -> None:
    """Every clip as latents, which the transformer learns from: float16 (clips, 8, 16, frames)."""
    model.eval()
    while clips.take_in(64):
        pass
    rows = []
    for start in range(0, len(clips), 8):
        mel = clips.data[start : min(start + 8, len(clips))].float()
        mel = mel.contiguous(memory_format=torch.channels_last)
        rows.append(encode(model, mel).half())
    save(path, {"latents": torch.cat(rows).cpu()})
    print(len(clips), "clips as latents", flush=True)


if __name__ == "__main__":
    main()
