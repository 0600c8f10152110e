"""Encoding: rounding, clipping, dither, and equal bytes for equal samples."""

from __future__ import annotations

import importlib
import io
import itertools
import signal
import threading
import time
from collections import deque

import numpy as np
import pytest
import soundfile

from mlx_music.audio import encode as encode_module
from mlx_music.audio.encode import encode
from mlx_music.audio.formats import AUDIO_FORMATS, audio_format
from mlx_music.errors import AudioError

KINDS = [(name, depth) for name, entry in AUDIO_FORMATS.items() for depth in entry.subtypes]
INTEGER_KINDS = [(name, depth) for name, depth in KINDS if depth in (16, 24)]


def noise(channels: int = 2, samples: int = 5001, scale: float = 0.1) -> np.ndarray:
    source = np.random.default_rng(7)
    return (source.standard_normal((channels, samples)) * scale).astype(np.float32)


def decoded(stream: io.BytesIO, dtype: str = "float64") -> np.ndarray:
    stream.seek(0)
    return soundfile.read(stream, dtype=dtype, always_2d=True)[0].T


@pytest.mark.parametrize(("name", "depth"), KINDS)
def test_equal_samples_give_equal_bytes(name, depth):
    """Later, and with another random state."""
    kind, audio = audio_format(name, depth), noise()
    first = encode(audio, 48000, kind).getvalue()
    if depth in (None, 32):
        time.sleep(1.1)  # libsndfile's clock and seed count seconds
    np.random.seed(5)
    assert encode(audio, 48000, kind).getvalue() == first
    assert encode(audio[:, ::-1], 48000, kind).getvalue() != first


def test_two_ogg_streams_have_two_serial_numbers():
    from mutagen.ogg import OggPage

    kind = audio_format("ogg")
    pages = [OggPage(io.BytesIO(encode(noise(scale=s), 48000, kind).getvalue())) for s in (0.1, 1)]
    assert pages[0].serial != pages[1].serial


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("name", "depth"), KINDS)
def test_no_sample_is_lost_or_added(name, depth, channels):
    """Across block borders too, and with the odd sizes that make a chunk need a padding byte."""
    for samples in (1, 3, encode_module._BLOCK + 1):
        if name == "MP3" and samples < 1152:
            continue  # shorter than a frame: libmpg123 complains on stderr
        stream = encode(noise(channels, samples), 44100, audio_format(name, depth))
        assert decoded(stream).shape == (channels, samples)


def test_float_keeps_every_value():
    audio = noise(scale=3.0)
    assert np.abs(audio).max() > 1
    stream = encode(audio, 48000, audio_format("wav", 32))
    np.testing.assert_array_equal(decoded(stream, "float32"), audio)


@pytest.mark.parametrize("name", ["wav", "flac", "aiff"])
def test_24_bits_round_to_the_nearest_step(name):
    audio = noise()
    result = decoded(encode(audio, 48000, audio_format(name, 24)))
    np.testing.assert_array_equal(result, np.rint(audio.astype(np.float64) * 2**23) / 2**23)


@pytest.mark.parametrize(("name", "depth"), INTEGER_KINDS)
def test_loud_samples_are_clipped_and_not_wrapped(name, depth):
    audio = np.array([[2.0, 1.0, -1.0, -2.0, 0.0, 1e30, -1e30]], dtype=np.float32)
    result = decoded(encode(audio, 48000, audio_format(name, depth)))[0]
    step = 2.0 ** (1 - depth)
    expected = np.clip(audio[0].astype(np.float64), -1, 1 - step)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("name", ["ogg", "mp3"])
def test_lossy_formats_clip_and_stay_close(name):
    time_axis = np.arange(24000) / 48000
    tone = (0.5 * np.sin(2 * np.pi * 440 * time_axis)).astype(np.float32)[None]
    result = decoded(encode(tone, 48000, audio_format(name)))
    assert np.linalg.norm(result - tone) < 0.03 * np.linalg.norm(tone)
    loud = decoded(encode(tone * 20, 48000, audio_format(name)))
    assert np.abs(loud).max() < 1.5


def test_16_bits_are_dithered_with_triangular_noise():
    """A tone below half a step survives, with the noise of one TPDF dither and one rounding."""
    step = 2.0**-15
    tone = 0.4 * step * np.sin(np.arange(1 << 16) * 0.05)
    audio = np.stack([tone, tone]).astype(np.float32)
    result = decoded(encode(audio, 48000, audio_format("wav", 16)))
    error = (result - audio) / step
    assert np.abs(error).max() <= 1.5
    np.testing.assert_allclose(error.var(axis=1), 0.25, rtol=0.03)  # 1/6 dither + 1/12 rounding
    gain = (result @ tone) / (tone @ tone)
    np.testing.assert_allclose(gain, 1, atol=0.05)
    assert abs(np.corrcoef(error)[0, 1]) < 0.02, "the channels share their noise"
    assert abs(np.corrcoef(error[0], np.abs(tone))[0, 1]) < 0.02


def test_the_dither_does_not_depend_on_the_block_size(monkeypatch):
    audio, kind = noise(), audio_format("wav", 16)
    whole = encode(audio, 48000, kind).getvalue()
    monkeypatch.setattr(encode_module, "_BLOCK", 1000)
    assert encode(audio, 48000, kind).getvalue() == whole


def test_what_has_16_bits_already_is_not_dithered():
    audio = (np.rint(noise() * 2**15) / 2**15).astype(np.float32)
    for source in (audio, np.zeros_like(audio)):
        result = decoded(encode(source, 48000, audio_format("flac", 16)))
        np.testing.assert_array_equal(result, source)


def test_a_libsndfile_without_mp3_is_named(monkeypatch):
    known = soundfile.available_formats()
    known.pop("MP3")
    monkeypatch.setattr(soundfile, "available_formats", lambda: known)
    with pytest.raises(AudioError, match="cannot write MP3"):
        encode(noise(), 48000, audio_format("mp3"))


def test_a_missing_libsndfile_is_named(monkeypatch):
    def fail(name, *args, **kwargs):
        if name == "soundfile":
            raise OSError("sndfile library not found")
        return original(name, *args, **kwargs)

    builtins = importlib.import_module("builtins")
    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(AudioError, match="libsndfile is missing"):
        encode_module.load_soundfile()


def test_what_libsndfile_refuses_is_one_line():
    with pytest.raises(AudioError, match="FLAC with 2 channels at 65537 Hz"):
        encode(noise(), 65537, audio_format("flac"))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX timers")
def test_ctrl_c_ends_an_encoding_soon(capfd):
    """Also one that arrives while libsndfile calls back: none may be lost, hence several tries."""
    audio = noise(samples=48000 * 30)

    def interrupt(*_):
        raise KeyboardInterrupt

    threads = threading.active_count()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for name, delay in itertools.product(("mp3", "wav"), (0.01, 0.015)):
            start = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, delay)
            with pytest.raises(KeyboardInterrupt):
                deque(encode(audio, 48000, audio_format(name)) for _ in itertools.count())
            assert time.monotonic() - start < 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert threading.active_count() == threads
    assert "callback" not in capfd.readouterr().err
