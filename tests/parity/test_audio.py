"""Sound to latents and back, against the official implementation."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.ace_step import dcae, vocoder
from mlx_music.ace_step.dcae import (
    DCAE,
    SAMPLES_PER_LATENT,
    DCAEConfig,
    denormalise_mel,
    latent_length,
    normalise_mel,
    scale_latents,
    unscale_latents,
)
from mlx_music.ace_step.vocoder import Vocoder, VocoderConfig
from mlx_music.audio.mel import hann_window, mel_filterbank
from mlx_music.audio.resample import resample
from mlx_music.weights.loading import load_component, read_config
from tests.parity.conftest import FloatArray, Reference, relative_error

LIMIT = 1e-4


@pytest.fixture(scope="module")
def codec(checkpoint: Path) -> DCAE:
    folder = checkpoint / "music_dcae_f8c8"
    network = DCAE(DCAEConfig.from_dict(read_config(folder)))
    load_component(network, folder, sanitize=dcae.sanitize, dtype=mx.float32)
    return network


@pytest.fixture(scope="module")
def voice(checkpoint: Path) -> Vocoder:
    folder = checkpoint / "music_vocoder"
    network = Vocoder(VocoderConfig.from_dict(read_config(folder)))
    load_component(network, folder, sanitize=vocoder.sanitize, dtype=mx.float32)
    return network


@pytest.fixture(scope="module")
def heard(reference: Reference, voice: Vocoder) -> mx.array:
    """Log-mel (2, frames, n_mels) of the golden input, all the way from 48 kHz."""
    audio = resample(reference.stages["audio.in_48k"], 48_000, 44_100)
    audio = np.pad(audio, ((0, 0), (0, -audio.shape[1] % SAMPLES_PER_LATENT)))
    return voice.mel_transform(mx.array(audio))


@pytest.fixture(scope="module")
def mel(reference: Reference, codec: DCAE) -> mx.array:
    """Normalised mel (1, n_mels, frames, 2) decoded from the golden latents, in tiles."""
    latents = mx.array(reference.stages["dcae.latents"]).transpose(0, 2, 3, 1)
    return codec.decode(unscale_latents(latents), tile=latents.shape[2] // 3)


@pytest.fixture(scope="module")
def waveform(mel: mx.array, voice: Vocoder) -> FloatArray:
    return np.array(voice.decode(denormalise_mel(mel)[0].transpose(2, 1, 0)))


def test_resampling_to_the_model_and_back(reference: Reference) -> None:
    native = resample(reference.stages["audio.in_48k"], 48_000, 44_100)
    assert relative_error(native, reference.stages["audio.resampled_44k"]) < 1e-6
    back = resample(native, 44_100, 48_000)
    assert relative_error(back, reference.stages["audio.back_48k"]) < 1e-6


def test_mel(reference: Reference, heard: mx.array) -> None:
    assert relative_error(heard.transpose(0, 2, 1), reference.stages["audio.mel"]) < LIMIT


def test_computed_mel_tables_are_the_published_ones_before_rounding(voice: Vocoder) -> None:
    window = hann_window(voice.config.mel.n_fft)
    assert relative_error(voice.mel_transform.spectrogram["window"], window) < 2**-8
    filterbank = mel_filterbank(voice.config.mel)
    assert relative_error(voice.mel_transform.mel_scale["fb"], filterbank) < 2**-8


@pytest.mark.parametrize("tile", [None, 5])
def test_encoding(reference: Reference, codec: DCAE, heard: mx.array, tile: int | None) -> None:
    encoded = codec.encode(normalise_mel(heard).transpose(2, 1, 0)[None], tile)
    latents = scale_latents(encoded).transpose(0, 3, 1, 2)
    assert relative_error(latents, reference.stages["audio.latents"]) < LIMIT


def test_latent_length(reference: Reference) -> None:
    samples = reference.stages["audio.in_48k"].shape[1]
    expected = reference.stages["audio.latent_length"]
    assert [latent_length(samples, 48_000)] == expected.tolist()


def test_decoded_mel(reference: Reference, mel: mx.array) -> None:
    expected = reference.stages["dcae.mel_normalised"]
    assert relative_error(mel.transpose(0, 3, 1, 2), expected) < LIMIT


def test_vocoder_backbone(reference: Reference, mel: mx.array, voice: Vocoder) -> None:
    features = voice.backbone(denormalise_mel(mel)[:, :, :, 0].transpose(0, 2, 1))
    expected = reference.stages["vocoder.backbone_ch0"]
    assert relative_error(features.transpose(0, 2, 1), expected) < LIMIT


def test_waveform(reference: Reference, waveform: FloatArray) -> None:
    assert relative_error(waveform, reference.stages["dcae.wav_44k"]) < LIMIT
    # A tanh of small biases is nearly constant: what moves must agree as well.
    moving, expected = (
        wave - wave.mean(axis=1, keepdims=True)
        for wave in (waveform, reference.stages["dcae.wav_44k"])
    )
    assert relative_error(moving, expected) < LIMIT


def test_waveform_in_chunks(reference: Reference, mel: mx.array, voice: Vocoder) -> None:
    log_mel = denormalise_mel(mel)[0].transpose(2, 1, 0)
    chunked = voice.decode_chunked(log_mel, chunk_frames=log_mel.shape[1] // 2 + 1)
    assert relative_error(chunked, reference.stages["dcae.wav_44k"]) < LIMIT


def test_waveform_at_48_khz(reference: Reference, waveform: FloatArray) -> None:
    resampled = resample(waveform, 44_100, 48_000)
    assert relative_error(resampled, reference.stages["dcae.wav_48k"]) < LIMIT
