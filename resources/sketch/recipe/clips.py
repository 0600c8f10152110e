"""Rendered clips on their way to the GPU: sound for the vocoder, mels and latents for the rest."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from resources.sketch.recipe.render_clips import HELD_OUT, clip_path
from resources.sketch.recipe.sizes import MAX_FRAMES, MAX_SECONDS
from resources.sketch.recipe.spectrograms import BINS, HOP, SAMPLE_RATE, MelSpectrogram, normalise

#: Mel frames of a clip: whole latent frames only.
CLIP_FRAMES = MAX_FRAMES * 8


def load_clip(path: Path, device: torch.device) -> Tensor:
    """int16 (2, samples)."""
    return torch.from_numpy(np.load(path)).to(device)


def to_float(clip: Tensor) -> Tensor:
    return clip.float() / 32767


def mel_of(clip: Tensor, mel: MelSpectrogram) -> Tensor:
    """Normalised mel, float16 (2, bins, CLIP_FRAMES)."""
    audio = to_float(clip)[:, : CLIP_FRAMES * HOP]
    audio = torch.nn.functional.pad(audio, (0, CLIP_FRAMES * HOP - audio.shape[1]))
    return normalise(mel(audio)).half()


class Collection:
    """Training clips in the order of their numbers, taken in as they are rendered.

    `data` holds int16 sound (clips, 2, samples) or float16 mels (clips, 2, bins, frames), of
    which `filled` are there.
    """

    def __init__(self, work: Path, count: int, device: torch.device, *, keep_sound: bool) -> None:
        self._work, self._device, self._keep_sound = work, device, keep_sound
        self._mel = MelSpectrogram(device)
        samples = round(MAX_SECONDS * SAMPLE_RATE)
        shape = (count, 2, samples) if keep_sound else (count, 2, BINS, CLIP_FRAMES)
        kind = torch.int16 if keep_sound else torch.float16
        self.data = torch.empty(shape, dtype=kind, device=device)
        self.filled = torch.zeros((), device=device)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def take_in(self, at_most: int) -> int:
        """Read up to `at_most` clips that have appeared since; how many."""
        taken = 0
        while taken < at_most and self._count < len(self.data):
            path = clip_path(self._work, self._count)
            if not path.exists():
                break
            self.data[self._count] = self._prepared(path)
            self._count += 1
            taken += 1
        if taken:
            self.filled.fill_(self._count)
        return taken

    def wait_for(self, count: int) -> None:
        """Until there are `count` clips."""
        while self._count < min(count, len(self.data)):
            if not self.take_in(64):
                time.sleep(0.5)

    def draw(self, count: int) -> Tensor:
        """Numbers of `count` clips, on the device."""
        return (torch.rand(count, device=self._device) * self.filled).long()

    def held_out(self, count: int) -> list[Tensor]:
        """Clips that nothing is trained on."""
        paths = [clip_path(self._work, i, held_out=True) for i in range(min(count, HELD_OUT))]
        while not all(path.exists() for path in paths):
            time.sleep(0.5)
        return [self._prepared(path) for path in paths]

    def _prepared(self, path: Path) -> Tensor:
        clip = load_clip(path, self._device)
        return clip if self._keep_sound else mel_of(clip, self._mel)
