"""How the vocoder is trained: its steps, phases, and the product forms of its convolutions."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: nothing to train with")

from torch import nn  # noqa: E402

from resources.sketch.recipe.spectrograms import (  # noqa: E402
    HOP,
    MARGIN,
    N_FFT,
    SAMPLE_RATE,
    phase_loss,
    phases,
    stft_loss,
)
from resources.sketch.recipe.vocoder import Conv, DepthwiseConv, Upsampling  # noqa: E402


@pytest.mark.parametrize("dilation", [1, 9])
def test_a_convolution_as_a_product(dilation: int) -> None:
    torch.manual_seed(0)
    ours = Conv(4, 6, 3, dilation=dilation)
    theirs = nn.Conv1d(4, 6, 3, dilation=dilation, padding=dilation)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 30, 4)
    assert torch.allclose(ours(x), theirs(x.mT).mT, atol=1e-6)


def test_a_depthwise_convolution_as_a_product_of_spectra() -> None:
    torch.manual_seed(0)
    ours = DepthwiseConv(4, 61)
    theirs = nn.Conv1d(4, 4, 61, padding=30, groups=4)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 100, 4)
    assert torch.allclose(ours(x), theirs(x.mT).mT, atol=1e-5)


@pytest.mark.parametrize("rate", [4, 8])
def test_upsampling_as_a_product(rate: int) -> None:
    torch.manual_seed(0)
    ours = Upsampling(6, 3, rate)
    theirs = nn.ConvTranspose1d(6, 3, 2 * rate, rate, padding=rate // 2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 20, 6)
    assert torch.allclose(ours(x), theirs(x.mT).mT, atol=1e-5)


def test_kernels_begin_as_the_phases_of_notes() -> None:
    """A note that begins a frame later turns its phase by its own frequency."""
    conv = DepthwiseConv(102, 61)
    conv.begin_as_phases()
    conv.bias.data.zero_()
    onset = torch.zeros(1, 60, 102)
    onset[0, 10] = 1.0
    y = conv(onset)[0]
    pitch = 69 - 36  # 440 Hz, whose two channels are a quarter of a wave apart
    turned = torch.complex(y[10:40, 2 * pitch], y[10:40, 2 * pitch + 1])
    angle = (turned[1:] * turned[:-1].conj()).angle()
    expected = 2 * math.pi * 440 * HOP / SAMPLE_RATE
    assert torch.allclose(torch.cos(angle), torch.tensor(math.cos(expected)), atol=1e-4)
    assert y[:10].abs().max() < 1e-5  # nothing before it begins


def test_phases_are_those_at_the_middle_of_a_frame() -> None:
    frequency = 20 * SAMPLE_RATE / N_FFT
    samples = torch.arange(8 * HOP + 2 * MARGIN)
    # At its greatest in the middle of the first frame.
    wave = torch.cos(2 * math.pi * frequency / SAMPLE_RATE * (samples - N_FFT // 2))
    told = phases(wave[None])
    real, imaginary = told.chunk(2, dim=-1)
    assert told.shape[1] == 8
    assert real[0, 0, 19] > 10
    assert abs(imaginary[0, 0, 19]) < 0.05
    # A frame on, it has turned by a quarter of 20 times.
    assert torch.allclose(real[0, 1:, 19], real[0, :1, 19].expand(7), rtol=1e-2)


def test_only_one_of_two_losses_hears_a_phase() -> None:
    time = torch.arange(16_384) / SAMPLE_RATE
    torch.manual_seed(0)
    hiss = 0.01 * torch.randn(1, 16_384)
    wave, turned = (torch.sin(2 * math.pi * 440 * time + phase) + hiss for phase in (0.0, 1.5))
    assert phase_loss(wave, wave) < 0.01
    assert phase_loss(turned, wave) > 0.5
    assert stft_loss(turned, wave) < 0.3


class _Told:
    """Stands in for the training, and says which step was taken."""

    def __init__(self) -> None:
        weight = [nn.Parameter(torch.zeros(1))]
        self.optimizer, self.judging = (torch.optim.AdamW(weight, lr=0.0) for _ in range(2))

    def features_only(self) -> str:
        return "features"

    def spectra(self, judged: bool = False) -> str:
        return "judged" if judged else "spectra"


def test_first_the_backbone_then_the_whole_then_every_second_step_is_judged() -> None:
    pytest.importorskip("diffusers", reason="diffusers is not installed")
    from resources.sketch.recipe.train_vocoder import Steps

    training = _Told()
    steps = Steps(training, eager=True)
    taken = [steps.take(number / 100, number) for number in range(100)]
    assert set(taken[:15]) == {"features"}
    assert set(taken[15:41]) == {"spectra"}
    assert taken[41:45] == ["judged", "spectra"] * 2
    # Each of the two schedules ends low, and the second begins anew.
    steps.take(0.149, 0)
    assert training.optimizer.param_groups[0]["lr"] < 1e-4
    steps.take(0.2, 0)
    assert training.optimizer.param_groups[0]["lr"] > 7e-4
    steps.take(1.0, 0)
    assert training.optimizer.param_groups[0]["lr"] < 1e-5
