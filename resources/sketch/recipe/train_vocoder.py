"""Part 6: the vocoder, from mels to sound; it can run beside the parts before it.

    python -m resources.sketch.recipe.train_vocoder --work DIR --minutes 15

First by spectra alone, then against discriminators as well (HiFi-GAN: Kong et al., 2020, arXiv
2010.05646; the spectrogram discriminators are those of UnivNet: Jang et al., 2021, arXiv
2106.07889). As soon as the autoencoder is there, half of the mels are what it makes of the true
ones, because that is what the vocoder will hear.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from resources.sketch.recipe import sizes
from resources.sketch.recipe.clips import CLIP_FRAMES, Collection, mel_of, to_float
from resources.sketch.recipe.discriminators import Discriminators
from resources.sketch.recipe.networks import Vocoder
from resources.sketch.recipe.spectrograms import (
    HOP,
    MARGIN,
    MelSpectrogram,
    denormalise,
    stft_loss,
)
from resources.sketch.recipe.train_autoencoder import decode, encode, load_trained
from resources.sketch.recipe.training import (
    Average,
    Clock,
    Log,
    adam,
    device,
    learning_rate,
    load,
    save,
    set_rate,
)

_PEAK_RATE, _DISCRIMINATOR_RATE = 8e-4, 2e-4
_BATCH = 32
#: Mel frames of a crop; the outer ones lack their neighbours, so only the inner ones count.
_FRAMES, _EDGE = 44, 6
_INNER = _FRAMES - 2 * _EDGE
#: Share of the training after which discriminators join.
_SPECTRA_ONLY = 0.2
#: Half of the mels that the autoencoder made had this much noise on their latents.
_LATENT_NOISE = 0.2


class Crops:
    """Pairs of a mel and the sound it should become, one channel an item."""

    def __init__(self, clips: Collection, mel: MelSpectrogram) -> None:
        self._clips, self._mel, self._to = clips, mel, clips.data.device
        self._made: Tensor | None = None

    @torch.no_grad()
    def add_made(self, model: nn.Module, clips: int) -> None:
        """Let the autoencoder make the mels of the first `clips` clips."""
        rows = []
        for index in range(min(clips, len(self._clips))):
            mel = mel_of(self._clips.data[index], self._mel)[None].float()
            latents = encode(model, mel.contiguous(memory_format=torch.channels_last))
            if index % 2:
                latents = latents + _LATENT_NOISE * torch.randn_like(latents)
            rows.append(denormalise(decode(model, latents))[0].half())
        self._made = torch.stack(rows)

    @property
    def has_made(self) -> bool:
        return self._made is not None

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Log-mels (count, bins, _FRAMES) and sound (count, _INNER * HOP)."""
        to, data = self._to, self._clips.data
        which = self._clips.draw(count)
        if self._made is not None:
            which[: count // 2] = torch.randint(len(self._made), (count // 2,), device=to)
        start = torch.randint(2, CLIP_FRAMES - _FRAMES - 2, (count,), device=to)
        channel = torch.randint(2, (count,), device=to)
        row, lane = which[:, None], channel[:, None]
        around = start[:, None] * HOP - MARGIN
        around = around + torch.arange(_FRAMES * HOP + 2 * MARGIN, device=to)
        sound = to_float(data[row, lane, around])
        mels = self._mel(sound, padded=True)
        if self._made is not None:
            half = count // 2
            frames = start[:half, None] + torch.arange(_FRAMES, device=to)
            bins = torch.arange(mels.shape[1], device=to)
            made = self._made[
                which[:half, None, None], channel[:half, None, None], bins[:, None], frames[:, None]
            ]
            mels = torch.cat([made.float(), mels[half:]])
        begin = MARGIN + _EDGE * HOP
        return mels, sound[:, begin : begin + _INNER * HOP]


def _inner(sound: Tensor) -> Tensor:
    return sound[:, _EDGE * HOP : (_EDGE + _INNER) * HOP]


@torch.no_grad()
def evaluate(model: Vocoder, clips: Collection, mel: MelSpectrogram) -> dict[str, float]:
    """Over held-out clips: how far mels and spectra of the made sound are from the true ones."""
    model.eval()
    errors, distances = [], []
    for clip in clips.held_out(16):
        true = to_float(clip)[:, : clip.shape[1] // HOP * HOP]
        made = model(mel(true))
        errors.append((mel(made) - mel(true)).abs().mean().item())
        distances.append(stft_loss(made, true).item())
    model.train()
    count = len(errors)
    return {"log-mel error": sum(errors) / count, "STFT distance": sum(distances) / count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15.0, help="training in all")
    parser.add_argument("--now", type=float, default=1e9, help="minutes of it in this call")
    parser.add_argument("--clips", type=int, default=1200)
    parser.add_argument("--first", type=int, default=200, help="clips to wait for")
    parser.add_argument("--batch", type=int, default=_BATCH)
    args = parser.parse_args()
    to = device()
    torch.manual_seed(2)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")

    model, judges = Vocoder(sizes.VOCODER).to(to), Discriminators().to(to)
    optimizer = adam(model.parameters(), betas=(0.8, 0.99), decay=1e-3)
    judging = adam(judges.parameters(), betas=(0.8, 0.99), decay=1e-3)
    average = Average(model, 0.999)
    file = args.work / "vocoder.pt"
    state, spent = load(file), 0.0
    if state is not None:
        model.load_state_dict(state["model"])
        judges.load_state_dict(state["judges"])
        optimizer.load_state_dict(state["optimizer"])
        judging.load_state_dict(state["judging"])
        average.load(state["average"])
        spent = state["spent"]
    mel = MelSpectrogram(to)
    clips = Collection(args.work, args.clips, to, keep_sound=True)
    clips.wait_for(args.first)
    crops = Crops(clips, mel)

    def step(adversarial: bool) -> dict[str, Tensor]:
        mels, true = crops.draw(args.batch)
        with torch.autocast(to.type, torch.bfloat16, enabled=true.is_cuda, cache_enabled=False):
            made = _inner(model(mels))
        losses = {"mel": (mel(made) - mel(true)).abs().mean(), "stft": stft_loss(made, true)}
        total = 10.0 * losses["mel"] + 5.0 * losses["stft"]
        if adversarial:
            judging.zero_grad(set_to_none=True)
            losses["judged"] = judges.loss(true, made.detach())
            losses["judged"].backward()
            judging.step()
            judges.requires_grad_(False)
            losses["fooled"], losses["features"] = judges.generator_losses(true, made)
            judges.requires_grad_(True)
            total = total + losses["fooled"] + 2.0 * losses["features"]
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 20.0)
        optimizer.step()
        average.update()
        return {name: loss.detach() for name, loss in losses.items()}

    clock, log = Clock(args.minutes, args.now, spent), Log(args.work / "vocoder.log")
    looked = -10.0
    for number in clock.steps():
        clips.take_in(1)
        if not crops.has_made and time.monotonic() - looked > 5:
            looked = time.monotonic()
            if (autoencoder := load_trained(args.work, to)) is not None:
                crops.add_made(autoencoder, 400)
                del autoencoder
        set_rate(optimizer, learning_rate(clock.progress, _PEAK_RATE))
        set_rate(judging, learning_rate(clock.progress, _DISCRIMINATOR_RATE))
        log.add(**step(clock.progress > _SPECTRA_ONLY))
        log.flush(clock, number)
    state = {
        "model": model.state_dict(),
        "judges": judges.state_dict(),
        "optimizer": optimizer.state_dict(),
        "judging": judging.state_dict(),
        "average": average.weights,
        "spent": clock.spent,
        "done": clock.progress >= 1.0,
    }
    model.load_state_dict(average.weights)
    state["scores"] = evaluate(model, clips, mel)
    save(file, state)
    print(state["scores"], flush=True)


if __name__ == "__main__":
    main()
