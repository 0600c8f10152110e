"""What the vocoder is trained against: networks that tell made sound from true sound."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

_PERIODS = (2, 3, 5, 7)
_RESOLUTIONS = (512, 1024, 2048)


def _conv(*sizes: int, kernel: tuple[int, int], stride: tuple[int, int]) -> nn.Module:
    padding = (kernel[0] // 2, kernel[1] // 2)
    return weight_norm(nn.Conv2d(*sizes, kernel, stride, padding=padding))


class _Judge(nn.Module):
    """A stack of convolutions over a view of (batch, samples); every output is a feature."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def view(self, sound: Tensor) -> Tensor:
        raise NotImplementedError


class PeriodJudge(_Judge):
    """Looks at every p-th sample: what repeats with that period."""

    def __init__(self, period: int) -> None:
        widths = (1, 16, 64, 128, 128)
        layers = [_conv(a, b, kernel=(5, 1), stride=(3, 1)) for a, b in pairwise(widths)]
        super().__init__([*layers, _conv(128, 1, kernel=(3, 1), stride=(1, 1))])
        self.period = period

    def view(self, sound: Tensor) -> Tensor:
        sound = F.pad(sound[:, None], (0, -sound.shape[1] % self.period), mode="reflect")
        return sound.unflatten(-1, (-1, self.period))


class SpectrogramJudge(_Judge):
    """Looks at a complex spectrogram of one resolution."""

    def __init__(self, size: int) -> None:
        layers = [_conv(2, 24, kernel=(9, 3), stride=(1, 1))]
        layers += [_conv(24, 24, kernel=(9, 3), stride=(2, 1)) for _ in range(3)]
        layers += [_conv(24, 24, kernel=(3, 3), stride=(1, 1))]
        super().__init__([*layers, _conv(24, 1, kernel=(3, 3), stride=(1, 1))])
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)

    def view(self, sound: Tensor) -> Tensor:
        spectrum = torch.stft(
            sound, self.size, self.size // 4, window=self.window, return_complex=True
        )
        # The square root evens out what is loud and what is soft, and keeps the phase.
        scale = (spectrum.abs() + 1e-5).rsqrt()
        return torch.view_as_real(spectrum * scale).permute(0, 3, 1, 2).contiguous()


class Discriminators(nn.Module):
    """All of them together, with least-squares losses."""

    def __init__(self) -> None:
        super().__init__()
        judges = [PeriodJudge(p) for p in _PERIODS] + [SpectrogramJudge(s) for s in _RESOLUTIONS]
        self.judges = nn.ModuleList(judges)

    def _features(self, sound: Tensor) -> Iterator[list[Tensor]]:
        for judge in self.judges:
            x, features = judge.view(sound), []
            with torch.autocast(sound.device.type, torch.bfloat16, enabled=sound.is_cuda):
                for layer in judge.layers[:-1]:
                    x = F.leaky_relu(layer(x), 0.1)
                    features.append(x)
                features.append(judge.layers[-1](x))
            yield features

    def loss(self, true: Tensor, made: Tensor) -> Tensor:
        """What the discriminators minimise: 1 for the true, 0 for the made."""
        both = torch.cat([true, made])
        verdicts = [features[-1].float().chunk(2) for features in self._features(both)]
        losses = [((1 - t) ** 2).mean() + (m**2).mean() for t, m in verdicts]
        return torch.stack(losses).mean()

    def generator_losses(self, true: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """How far `made` is from being taken for true, and from the features of `true`."""
        fooled, matched = [], []
        with torch.no_grad():
            targets = list(self._features(true))
        for features, target in zip(self._features(made), targets, strict=True):
            fooled.append(((1 - features[-1].float()) ** 2).mean())
            for ours, theirs in zip(features[:-1], target[:-1], strict=True):
                matched.append((ours.float() - theirs.float()).abs().mean())
        return torch.stack(fooled).mean(), torch.stack(matched).mean()
