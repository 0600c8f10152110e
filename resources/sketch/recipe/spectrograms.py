"""Spectrograms on the GPU: the mel that ACE-Step is built on, and what losses look at."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLE_RATE, N_FFT, HOP, BINS = 44_100, 2048, 512, 128
#: Samples that a frame sees before and after its own hop.
MARGIN = (N_FFT - HOP) // 2

#: Bins of a spectrum whose phases `phases` gives: the lowest but the first, up to 2 kHz.
PHASE_BINS = 96

_F_MIN, _F_MAX = 40.0, 16_000.0
#: Up to here a song is notes rather than noise, and its phases are worth knowing.
_TONAL_HZ = 4_000.0
_MEL_MIN, _MEL_MAX = -11.0, 3.0

_RESOLUTIONS = (256, 512, 1024, 2048, 4096)
#: Shorter windows do not tell notes apart.
_PHASE_RESOLUTIONS = _RESOLUTIONS[2:]


def filterbank() -> Tensor:
    """Slaney's mel triangles, (N_FFT // 2 + 1, BINS)."""

    def to_mel(hz: float) -> float:
        return 15.0 + math.log(hz / 1000.0) * 27.0 / math.log(6.4) if hz > 1000.0 else hz * 0.015

    mels = torch.linspace(to_mel(_F_MIN), to_mel(_F_MAX), BINS + 2, dtype=torch.float64)
    above = 1000.0 * torch.exp((mels - 15.0) * math.log(6.4) / 27.0)
    corners = torch.where(mels < 15.0, mels / 0.015, above)
    hz = torch.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64)[:, None]
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
    triangles = torch.clamp(torch.minimum(rising, falling), min=0.0)
    return (triangles * (2.0 / (right - left))).float()


class MelSpectrogram:
    """Log-mel as the engine computes it from the tables that are stored with the vocoder."""

    def __init__(self, device: torch.device) -> None:
        # float16 is what is shipped, so it is what the networks hear through.
        self.window = torch.hann_window(N_FFT).half().float().to(device)
        self.filterbank = filterbank().half().float().to(device)

    def __call__(self, audio: Tensor, *, padded: bool = False) -> Tensor:
        """(batch, samples) to (batch, BINS, frames); `padded` says that MARGIN is there already."""
        if not padded:
            audio = F.pad(audio[:, None], (MARGIN, MARGIN), mode="reflect")[:, 0]
        spectrum = torch.fft.rfft(audio.unfold(-1, N_FFT, HOP) * self.window)
        magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-6)
        return torch.log(torch.clamp(magnitude @ self.filterbank, min=1e-5)).transpose(1, 2)


def normalise(log_mel: Tensor) -> Tensor:
    """To -1..1, as the autoencoder takes it."""
    return (log_mel - _MEL_MIN) / (_MEL_MAX - _MEL_MIN) * 2.0 - 1.0


def denormalise(mel: Tensor) -> Tensor:
    return (mel + 1.0) / 2.0 * (_MEL_MAX - _MEL_MIN) + _MEL_MIN


def _window(size: int, like: Tensor) -> Tensor:
    return torch.hann_window(size, device=like.device)


def phases(audio: Tensor) -> Tensor:
    """The low spectrum of every mel frame, real parts and then imaginary parts, at the square root
    of its magnitude: (batch, frames, 2 * PHASE_BINS).

    audio: (batch, samples) with MARGIN on both sides. Phases are those at the middle of a frame.
    """
    spectrum = torch.fft.rfft(audio.unfold(-1, N_FFT, HOP) * _window(N_FFT, audio))
    spectrum = spectrum[..., 1 : PHASE_BINS + 1]
    spectrum = spectrum * (spectrum.abs() + 1e-3).rsqrt()
    # Half a window on, bin k has turned k half turns.
    spectrum[..., ::2] *= -1.0
    return torch.cat([spectrum.real, spectrum.imag], dim=-1)


def phase_loss(made: Tensor, true: Tensor) -> Tensor:
    """How far spectra are apart as complex numbers below 4 kHz, at the square root of their
    magnitude and beside that of the true one; of (batch, samples)."""
    total = made.new_zeros(())
    for size in _PHASE_RESOLUTIONS:
        bins = round(_TONAL_HZ / SAMPLE_RATE * size)
        window, scaled = _window(size, made), []
        for sound in (made, true):
            spectrum = torch.stft(sound, size, size // 4, window=window, return_complex=True)
            spectrum = spectrum[:, :bins]
            scaled.append(torch.view_as_real(spectrum * (spectrum.abs() + 1e-3).rsqrt()))
        ours, theirs = scaled
        distance = ((ours - theirs).square().sum(-1) + 1e-6).sqrt().mean()
        total = total + distance / (theirs.square().sum(-1) + 1e-6).sqrt().mean()
    return total / len(_PHASE_RESOLUTIONS)


def stft_loss(made: Tensor, true: Tensor) -> Tensor:
    """Spectral convergence and log magnitude at several resolutions (Yamamoto et al., 2020,
    arXiv 1910.11480), of (batch, samples)."""
    total = made.new_zeros(())
    for size in _RESOLUTIONS:
        window = _window(size, made)
        ours, theirs = (
            torch.stft(x, size, size // 4, window=window, return_complex=True).abs() + 1e-5
            for x in (made, true)
        )
        total = total + (ours - theirs).norm() / theirs.norm()
        total = total + (ours.log() - theirs.log()).abs().mean()
    return total / len(_RESOLUTIONS)
