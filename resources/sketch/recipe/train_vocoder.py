"""Part 4: the vocoder, from mels to sound.

    python -m resources.sketch.recipe.train_vocoder --work DIR --minutes 15

A convolution that hears the same mel again and again makes the same samples again and again, so
a held note would come out at a multiple of the frame rate, 86 Hz, whatever its pitch. What tells
its phase is only how long ago it began. So the backbone sees far (`sizes.VOCODER`), and it is
told: the renderer starts every note with the same phase, nearly always on a frame, and so the
true spectrum is known to its phases. First the backbone alone learns to say them of the low
spectrum, then the whole learns by spectra, with phases where music has notes and without them
above, then against discriminators as well (HiFi-GAN: Kong et al., 2020, arXiv 2010.05646; the
spectrogram discriminators are those of UnivNet: Jang et al., 2021, arXiv 2106.07889). Half of the
mels are what the autoencoder makes of the true ones, because that is what the vocoder will hear.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from resources.sketch.recipe import sizes
from resources.sketch.recipe.clips import CLIP_FRAMES, Collection, mel_of, to_float
from resources.sketch.recipe.discriminators import Discriminators
from resources.sketch.recipe.held_notes import FloatArray, in_tune
from resources.sketch.recipe.spectrograms import (
    HOP,
    MARGIN,
    PHASE_BINS,
    MelSpectrogram,
    denormalise,
    phase_loss,
    phases,
    stft_loss,
)
from resources.sketch.recipe.train_autoencoder import decode, encode, load_trained
from resources.sketch.recipe.training import (
    Average,
    Clock,
    Log,
    Step,
    adam,
    device,
    learning_rate,
    load,
    rates_of,
    restore,
    save,
    set_rate,
)
from resources.sketch.recipe.vocoder import Vocoder

_FEATURE_RATE, _PEAK_RATE, _DISCRIMINATOR_RATE = 2e-3, 8e-4, 2e-4
_BATCH = 24
#: Crops of a batch while only the backbone learns.
_FEATURE_BATCH = 64
#: Mel frames that are made into sound, and how many of them on each side do not count, because
#: the head lacks their neighbours.
_FRAMES, _EDGE = 64, 6
_INNER = _FRAMES - 2 * _EDGE
#: Mel frames on each side that only the backbone sees: 1.5 seconds.
_CONTEXT = 128
_SEEN = _FRAMES + 2 * _CONTEXT
#: Shares of the training after which the head joins, and discriminators.
_FEATURES_ONLY, _SPECTRA_ONLY = 0.15, 0.4
#: Half of the mels that the autoencoder made had this much noise on their latents.
_LATENT_NOISE = 0.2
#: Clips that the autoencoder makes mels of.
_MADE = 600
#: Seconds between checkpoints.
_KEEP_EVERY = 60.0
_GREATEST_GRADIENT = 20.0


class Crops:
    """Pairs of a mel and the sound it should become, one channel an item."""

    def __init__(self, clips: Collection, mel: MelSpectrogram, autoencoder: nn.Module) -> None:
        self._clips, self._mel, self._to = clips, mel, clips.data.device
        self._made = self._make(autoencoder)

    @torch.no_grad()
    def _make(self, model: nn.Module) -> Tensor:
        """What the autoencoder makes of the mels of the first clips."""
        rows = []
        for index in range(min(_MADE, len(self._clips))):
            mel = mel_of(self._clips.data[index], self._mel)[None].float()
            latents = encode(model, mel.contiguous(memory_format=torch.channels_last))
            if index % 2:
                latents = latents + _LATENT_NOISE * torch.randn_like(latents)
            rows.append(denormalise(decode(model, latents))[0].half())
        return torch.stack(rows)

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Log-mels (count, bins, _SEEN), and the sound of the _FRAMES in their middle with a
        MARGIN around it (count, _FRAMES * HOP + 2 * MARGIN)."""
        to, half = self._to, count // 2
        which = self._clips.draw(count)
        which[:half] = torch.randint(len(self._made), (half,), device=to)
        start = torch.randint(2, CLIP_FRAMES - _SEEN - 2, (count,), device=to)
        channel = torch.randint(2, (count,), device=to)
        around = torch.arange(-MARGIN, _SEEN * HOP + MARGIN, device=to) + start[:, None] * HOP
        sound = to_float(self._clips.data[which[:, None], channel[:, None], around])
        frames = start[:half, None] + torch.arange(_SEEN, device=to)
        bins = torch.arange(self._made.shape[2], device=to)[:, None]
        row, lane = which[:half, None, None], channel[:half, None, None]
        made = self._made[row, lane, bins, frames[:, None]].float()
        mels = torch.cat([made, self._mel(sound[half:], padded=True)])
        begin = _CONTEXT * HOP
        return mels, sound[:, begin : begin + _FRAMES * HOP + 2 * MARGIN]


def _inner(sound: Tensor) -> Tensor:
    return sound[:, _EDGE * HOP : (_EDGE + _INNER) * HOP]


class Learner(nn.Module):
    """The vocoder, and what reads the phases off its features, which is only there to train it."""

    def __init__(self) -> None:
        super().__init__()
        self.vocoder = Vocoder(sizes.VOCODER)
        self.reader = nn.Linear(sizes.VOCODER["dims"][-1], 2 * PHASE_BINS)

    def features(self, mels: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the frames in the middle, and how far the phases that they tell are off."""
        features = self.vocoder.backbone(mels.mT)[:, _CONTEXT : _CONTEXT + _FRAMES]
        told = self.reader(features)
        return features, (told.float() - phases(sound)).square().mean()

    def forward(self, mels: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        """The inner frames' sound, and the error of the features' phases."""
        features, error = self.features(mels, sound)
        return _inner(self.vocoder.head(features)), error


class Training:
    """The steps of the training, each of which draws its own batch."""

    def __init__(self, crops: Crops, mel: MelSpectrogram, to: torch.device) -> None:
        self._crops, self._mel, self._to = crops, mel, to
        self.learner, self.judges = Learner().to(to), Discriminators().to(to)
        self.optimizer = adam(self.learner.parameters(), betas=(0.8, 0.98), decay=1e-3)
        self.judging = adam(self.judges.parameters(), betas=(0.8, 0.99), decay=1e-3)
        self.average = Average(self.learner.vocoder, 0.999)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self._to.type, torch.bfloat16, enabled=self._to.type == "cuda", cache_enabled=False
        )

    def _update(self, loss: Tensor) -> None:
        for parameter in self.learner.parameters():
            parameter.grad = None
        loss.backward()
        learned = [p for p in self.learner.parameters() if p.grad is not None]
        torch.nn.utils.clip_grad_norm_(learned, _GREATEST_GRADIENT)
        self.optimizer.step()
        self.average.update()

    def features_only(self) -> dict[str, Tensor]:
        mels, sound = self._crops.draw(_FEATURE_BATCH)
        with self._autocast():
            _, error = self.learner.features(mels, sound)
        self._update(error)
        return {"phases": error.detach()}

    def spectra(self, judged: bool = False) -> dict[str, Tensor]:
        mels, sound = self._crops.draw(_BATCH)
        true = _inner(sound[:, MARGIN:])
        with self._autocast():
            made, error = self.learner(mels, sound)
        losses = {
            "phases": error,
            "mel": (self._mel(made) - self._mel(true)).abs().mean(),
            "stft": stft_loss(made, true),
            "complex": phase_loss(made, true),
        }
        total = error + 10.0 * losses["mel"] + 5.0 * losses["stft"] + 5.0 * losses["complex"]
        if judged:
            for parameter in self.judges.parameters():
                parameter.grad = None
            losses["judged"] = self.judges.loss(true, made.detach())
            losses["judged"].backward()
            self.judging.step()
            self.judges.requires_grad_(False)
            losses["fooled"], losses["matched"] = self.judges.generator_losses(true, made)
            self.judges.requires_grad_(True)
            total = total + losses["fooled"] + 2.0 * losses["matched"]
        self._update(total)
        return {name: loss.detach() for name, loss in losses.items()}

    def averaged(self) -> Vocoder:
        """What is exported. Not the compiled one, which would compile again for other lengths."""
        vocoder = Vocoder(sizes.VOCODER).to(self._to)
        vocoder.load_state_dict(self.average.weights)
        return vocoder

    def state(self) -> dict[str, Any]:
        return {
            "model": self.learner.state_dict(),
            "judges": self.judges.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "judging": self.judging.state_dict(),
            "average": self.average.weights,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.learner.load_state_dict(state["model"])
        self.judges.load_state_dict(state["judges"])
        restore(self.optimizer, state["optimizer"])
        restore(self.judging, state["judging"])
        self.average.load(state["average"])


class Steps:
    """Which step comes when; each is recorded when it first comes."""

    def __init__(self, training: Training, *, eager: bool) -> None:
        self._training, self._eager = training, eager
        self._recorded: dict[str, Step] = {}

    def take(self, progress: float, number: int) -> dict[str, Tensor]:
        """Step `number`, at `progress` (0 to 1) of the training: its losses."""
        training = self._training
        if progress < _FEATURES_ONLY:
            rate = learning_rate(progress / _FEATURES_ONLY, _FEATURE_RATE)
            set_rate(training.optimizer, rate)
            return self._step("features", training.features_only)()
        since = (progress - _FEATURES_ONLY) / (1.0 - _FEATURES_ONLY)
        set_rate(training.optimizer, learning_rate(since, _PEAK_RATE))
        set_rate(training.judging, learning_rate(since, _DISCRIMINATOR_RATE))
        # Discriminators hear every second batch only, which leaves time for more of them.
        if progress > _SPECTRA_ONLY and number % 2:
            return self._step("judged", partial(training.spectra, judged=True))()
        return self._step("spectra", training.spectra)()

    def _step(self, name: str, function: Callable[[], dict[str, Tensor]]) -> Step:
        if name not in self._recorded:
            rates = rates_of(self._training.optimizer) + rates_of(self._training.judging)
            self._recorded[name] = Step(function, rates, eager=self._eager)
        return self._recorded[name]


@torch.no_grad()
def evaluate(model: Vocoder, clips: Collection, mel: MelSpectrogram) -> dict[str, float]:
    """Over held-out clips: how far mels and spectra of the made sound are from the true ones; and
    over single notes: how much of their fundamental is on pitch."""
    errors, distances = [], []
    for clip in clips.held_out(16):
        true = to_float(clip)[:, : clip.shape[1] // HOP * HOP]
        made = model(mel(true))
        errors.append((mel(made) - mel(true)).abs().mean().item())
        distances.append(stft_loss(made, true).item())
    return {
        "log-mel error": sum(errors) / len(errors),
        "STFT distance": sum(distances) / len(distances),
        "on pitch": _on_pitch(model, mel),
    }


@torch.no_grad()
def _on_pitch(model: Vocoder, mel: MelSpectrogram) -> float:
    def through(sound: FloatArray) -> FloatArray:
        heard = mel(torch.from_numpy(sound)[None].to(mel.window.device))
        made: FloatArray = model(heard)[0].cpu().numpy()
        return made

    shares = in_tune(through)
    return sum(shares.values()) / len(shares)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15.0, help="training in all")
    parser.add_argument("--now", type=float, default=1e9, help="minutes of it in this call")
    parser.add_argument("--clips", type=int, default=3000)
    parser.add_argument("--first", type=int, default=200, help="clips to wait for")
    parser.add_argument("--eager", action="store_true", help="without compiling and CUDA graphs")
    args = parser.parse_args()
    to = device()
    torch.manual_seed(2)
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    autoencoder = load_trained(args.work, to)
    if autoencoder is None:
        raise SystemExit(f"{args.work} has no finished autoencoder; run train_autoencoder first")
    mel = MelSpectrogram(to)
    clips = Collection(args.work, args.clips, to, keep_sound=True)
    clips.wait_for(args.first)
    training = Training(Crops(clips, mel, autoencoder), mel, to)
    file = args.work / "vocoder.pt"
    state = load(file)
    if state is not None:
        training.load(state)
    clock = Clock(args.minutes, args.now, state["spent"] if state is not None else 0.0)
    log = Log(args.work / "vocoder.log")

    def keep() -> None:
        done = {"spent": clock.spent, "done": clock.progress >= 1.0}
        save(file, training.state() | done)

    if not args.eager:
        # One program for each, because in training the length at each is always the same.
        for block in training.learner.vocoder.head.resblocks:
            block.compile(dynamic=False)
    steps = Steps(training, eager=args.eager)
    kept = clock.spent
    for number in clock.steps():
        clips.take_in(1)
        log.add(**steps.take(clock.progress, number))
        log.flush(clock, number)
        if clock.spent - kept > _KEEP_EVERY:
            keep()
            kept = clock.spent
    keep()
    print(evaluate(training.averaged(), clips, mel), flush=True)


if __name__ == "__main__":
    main()
