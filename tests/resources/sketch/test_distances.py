"""The distances that reconstruction is measured with."""

from __future__ import annotations

import numpy as np
import pytest

from resources.sketch.recipe.render import render
from resources.sketch.recipe.songs import draw_song
from tests.benchmarks.sketch_distances import FloatArray, log_mel, log_mel_error, stft_distance


@pytest.fixture(scope="module")
def clips() -> tuple[FloatArray, FloatArray]:
    return render(draw_song(0), 1.5), render(draw_song(1), 1.5)


def test_nothing_is_as_near_as_itself(clips: tuple[FloatArray, FloatArray]) -> None:
    one, other = clips
    for distance in (log_mel_error, stft_distance):
        assert distance(one, one) == 0.0
        noise = np.random.default_rng(0).normal(size=one.shape).astype(np.float32)
        steps = [distance(one + level * noise, one) for level in (1e-4, 1e-3, 1e-2)]
        assert 0.0 < steps[0] < steps[1] < steps[2] < distance(other, one)


def test_twice_as_loud_is_ln_2_away(clips: tuple[FloatArray, FloatArray]) -> None:
    loud = np.random.default_rng(1).normal(size=(2, 44_100)).astype(np.float32)
    assert log_mel_error(2 * loud, loud) == pytest.approx(np.log(2), rel=1e-3)
    # Spectral convergence of 1, and ln 2.
    assert stft_distance(2 * loud, loud) == pytest.approx(1 + np.log(2), rel=1e-2)


def test_log_mel_is_the_engine_s(clips: tuple[FloatArray, FloatArray]) -> None:
    import mlx.core as mx

    from mlx_music.audio import mel

    config = mel.MelConfig()
    window, bank = mx.array(mel.hann_window(config.n_fft)), mx.array(mel.mel_filterbank(config))
    theirs = np.array(mel.log_mel(mx.array(clips[0]), window, bank, config.hop_length))
    # Frames lie elsewhere by a few hundred samples: compared is what the music is over time.
    assert np.abs(theirs.mean(axis=1) - log_mel(clips[0]).mean(axis=1)).mean() < 0.5
