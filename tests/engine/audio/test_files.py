"""Audio files through the public functions: written, read back, refused."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mlx_music.audio import files
from mlx_music.audio.files import (
    AUDIO_FORMATS,
    as_stereo,
    audio_format,
    check_output,
    probe_audio,
    read_audio,
    write_audio,
)
from mlx_music.audio.tags import read_tags
from mlx_music.errors import AudioError, GenerationError

KINDS = [(name, depth) for name, entry in AUDIO_FORMATS.items() for depth in entry.subtypes]
LOSSLESS = [(name, depth) for name, depth in KINDS if depth is not None]
METADATA = {"request_json": json.dumps({"prompt": "bass 🎵", "seed": 1}), "title": "Tïtel\nنعم 🎵"}


def noise(channels: int = 2, samples: int = 4801, scale: float = 0.1) -> np.ndarray:
    source = np.random.default_rng(3)
    return (source.standard_normal((channels, samples)) * scale).astype(np.float32)


def path_for(folder: Path, name: str) -> Path:
    return folder / f"song{AUDIO_FORMATS[name].extensions[0]}"


def refused(path: str | Path, match: str, call=read_audio, **options) -> None:
    with pytest.raises(AudioError, match=match) as caught:
        call(path, **options)
    assert "\n" not in str(caught.value)
    assert Path(path).name in str(caught.value)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("name", "depth"), KINDS)
def test_round_trip(tmp_path, name, depth, channels):
    path, audio = path_for(tmp_path / "new", name), noise(channels)
    assert write_audio(path, audio, 44100, bit_depth=depth, metadata=METADATA) == path
    result, rate = read_audio(path)
    assert (rate, result.dtype, result.shape) == (44100, np.float32, audio.shape)
    assert result.flags.c_contiguous
    if depth is not None:
        assert np.abs(result - audio).max() <= {16: 1.5 * 2**-15, 24: 2**-24, 32: 0}[depth]
    tags = read_tags(path)
    assert tags is not None
    assert {"request_json": tags.request_json, **tags.fields} == METADATA
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("name", "depth"), KINDS)
def test_tags_change_no_sample_and_files_are_reproducible(tmp_path, name, depth):
    audio, paths = noise(), [path_for(tmp_path / part, name) for part in "abc"]
    for path, metadata in zip(paths, (METADATA, METADATA, None), strict=True):
        write_audio(path, audio, 48000, bit_depth=depth, metadata=metadata)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert read_tags(paths[2]) is None
    plain, tagged = (soundfile.read(path)[0] for path in (paths[2], paths[0]))
    np.testing.assert_array_equal(plain, tagged)


@pytest.mark.parametrize(("name", "depth"), LOSSLESS)
def test_what_was_read_is_written_again_unchanged(tmp_path, name, depth):
    first, second = (path_for(tmp_path / part, name) for part in "ab")
    write_audio(first, noise(), 48000, bit_depth=depth)
    write_audio(second, read_audio(first)[0], 48000, bit_depth=depth)
    assert first.read_bytes() == second.read_bytes()


def test_the_example_of_soundfile_reads_the_same(tmp_path):
    audio = noise()
    soundfile.write(tmp_path / "a.wav", audio.T, 48000, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], audio)


def test_float64_and_views_are_taken(tmp_path):
    audio = noise(samples=3000)
    write_audio(tmp_path / "a.wav", audio.astype(np.float64)[:, ::2], 48000, bit_depth=32)
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav")[0], audio[:, ::2])


@pytest.mark.parametrize("name", AUDIO_FORMATS)
def test_probe(tmp_path, name):
    path = path_for(tmp_path, name)
    write_audio(path, noise(samples=24000), 48000, metadata=METADATA)
    info = probe_audio(path)
    assert info.duration == pytest.approx(0.5)
    assert (info.sample_rate, info.channels, info.samples) == (48000, 2, 24000)
    assert (info.format, info.subtype) == (name, audio_format(name).subtype)


def test_overwriting(tmp_path):
    path = tmp_path / "a.wav"
    write_audio(path, noise(), 48000)
    before = path.read_bytes()
    with pytest.raises(AudioError, match=r"a\.wav .*--force"):
        write_audio(path, noise(), 48000)
    assert path.read_bytes() == before
    write_audio(path, noise(1), 48000, overwrite=True)
    assert probe_audio(path).channels == 1


def test_an_existing_file_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "a.wav").write_bytes(b"old")
    monkeypatch.setattr(files, "encode", None)
    for path in (tmp_path / "a.wav", tmp_path / "no.xyz", tmp_path):
        with pytest.raises(AudioError):
            write_audio(path, noise(), 48000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("overwrite", [False, True])
def test_values_that_are_not_finite(tmp_path, value, overwrite):
    audio = noise().astype(np.float64)
    audio[1, 17] = value
    path = tmp_path / "a.wav"
    if overwrite:
        path.write_bytes(b"old")
    with np.errstate(over="ignore"), pytest.raises(GenerationError, match=r"a\.wav.*NaN"):
        write_audio(path, audio, 48000, bit_depth=32, overwrite=overwrite)
    assert [entry.name for entry in tmp_path.iterdir()] == (["a.wav"] if overwrite else [])
    assert not overwrite or path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("audio", "match"),
    [
        (noise()[0], "shape"),
        (noise(samples=0), "at least one sample"),
        (noise().T, "channels"),
        (np.zeros((2, 100), np.int16), "int16"),
        (np.broadcast_to(np.float32(0), (2, 2**30)), "4 GB"),
    ],
)
def test_arrays_that_are_no_sound(tmp_path, audio, match):
    with pytest.raises(AudioError, match=match):
        write_audio(tmp_path / "a.wav", audio, 48000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "metadata",
    [
        {"title": "no request"},
        {"request_json": "{"},
        {"request_json": "[1]"},
        {"request_json": "{}", "colour": "red"},
    ],
)
def test_metadata_that_cannot_be_stored(tmp_path, metadata):
    with pytest.raises(AudioError):
        write_audio(tmp_path / "a.wav", noise(), 48000, metadata=metadata)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("a", {}, "no extension"),
        ("a.m4a", {}, "'.m4a'"),
        ("wav", {}, "no extension"),
        (".wav", {}, "no extension"),
        ("a.mp3", {"sample_rate": 96000}, "96000"),
        ("a.mp3", {"bit_depth": 24}, "no bit depth"),
        ("a.flac", {"bit_depth": 32}, "16 or 24"),
        ("a.wav", {"bit_depth": "16"}, "bit_depth: '16' is not a whole number"),
        ("a.wav", {"bit_depth": 16.0}, "bit_depth: 16.0 is not a whole number"),
        ("a.wav", {"sample_rate": 0}, "0 Hz"),
        ("a.wav", {"channels": 9}, "channels"),
    ],
)
def test_an_output_is_checked_before_a_run(tmp_path, name, options, match):
    with pytest.raises(AudioError, match=match):
        check_output(tmp_path / name, **{"sample_rate": 48000, **options})
    assert list(tmp_path.iterdir()) == []


def test_a_good_output_is_only_checked(tmp_path):
    assert check_output(tmp_path / "new" / "a.wav", 48000, bit_depth=16).subtype == "PCM_16"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder.wav").mkdir()
    refused(tmp_path / "folder.wav", "is a folder", check_output, sample_rate=48000)
    refused(tmp_path, "is a folder", check_output, sample_rate=48000)
    refused(tmp_path / f"{'a' * 300}.wav", "too long", check_output, sample_rate=48000)


@pytest.mark.parametrize("name", AUDIO_FORMATS)
def test_a_full_disk(tmp_path, monkeypatch, name):
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(AudioError, match="disk is full"):
        write_audio(path_for(tmp_path, name), noise(), 48000, metadata=METADATA)
    assert list(tmp_path.iterdir()) == []


# Reading what is no sound


def test_missing_empty_and_odd_files(tmp_path):
    refused(tmp_path / "none.wav", "No such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.wav").write_bytes(b"")
    refused(tmp_path / "empty.wav", "empty")
    (tmp_path / "text.wav").write_text("la la la " * 1000)
    refused(tmp_path / "text.wav", "cannot be read as audio.*FLAC")
    (tmp_path / "text.raw").write_bytes(b"RIFF\xff\xff")
    refused(tmp_path / "text.raw", "cannot be read as audio")
    with pytest.raises(AudioError, match="not a possible file name"):
        read_audio(f"{tmp_path}/a\0.wav")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.wav")
        refused(tmp_path / "pipe.wav", "device")


@pytest.mark.parametrize("part", [0.0003, 0.01, 0.5, 0.9])
@pytest.mark.parametrize(("name", "depth"), KINDS)
def test_truncated_files(tmp_path, name, depth, part):
    path = path_for(tmp_path, name)
    write_audio(path, noise(samples=96000), 48000, bit_depth=depth)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    refused(path, "cut short|cannot be read as audio")


@pytest.mark.parametrize("name", ["WAV", "FLAC", "AIFF", "OGG"])
def test_a_few_missing_bytes_are_noticed(tmp_path, name):
    path = path_for(tmp_path, name)
    write_audio(path, noise(samples=20001), 48000)
    path.write_bytes(path.read_bytes()[:-3])
    refused(path, "cut short|cannot be read as audio")


@pytest.mark.parametrize("name", ["AU", "CAF", "W64"])
def test_other_kinds_are_read(tmp_path, name):
    audio = noise()
    soundfile.write(tmp_path / "a.bin", audio.T, 48000, format=name, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.bin")[0], audio)
    assert probe_audio(tmp_path / "a.bin").format == name


def test_streamed_wav_files_of_unknown_length_are_read(tmp_path):
    """As programs write them into a pipe: both sizes are 0xFFFFFFFF."""
    path = tmp_path / "a.wav"
    write_audio(path, noise(), 48000, bit_depth=24)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff" * 4
    path.write_bytes(data)
    assert read_audio(path)[0].shape == noise().shape


def test_a_wav_without_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 2)), 48000)
    refused(tmp_path / "a.wav", "0 samples|empty|cannot be read")


def test_samples_that_are_not_finite(tmp_path):
    audio = noise()
    audio[0, 5] = np.nan
    soundfile.write(tmp_path / "a.wav", audio.T, 48000, subtype="FLOAT")
    refused(tmp_path / "a.wav", "NaN")


def test_long_files_are_refused_unread(tmp_path, monkeypatch):
    """An hour of silence, as a FLAC of a few kilobytes, is not unpacked."""
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC") as sound:
        for _ in range(60):
            sound.write(np.zeros(8000 * 60))
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    refused(path, "3600.0 s; at most 240 s", max_seconds=240)


def test_a_limit_that_is_kept(tmp_path):
    write_audio(tmp_path / "a.wav", noise(samples=8000), 8000)
    assert read_audio(tmp_path / "a.wav", max_seconds=1)[0].shape == (2, 8000)
    refused(tmp_path / "a.wav", r"1\.0 s; at most 0\.99 s", max_seconds=0.99)


def test_as_stereo():
    audio = noise()
    np.testing.assert_array_equal(as_stereo(audio), audio)
    np.testing.assert_array_equal(as_stereo(audio[:1]), audio[[0, 0]])
    for wrong in (noise(6), audio[0], audio[:0]):
        with pytest.raises(AudioError, match="mix it down"):
            as_stereo(wrong)


def test_more_channels_are_read(tmp_path):
    write_audio(tmp_path / "a.wav", noise(6), 48000)
    assert read_audio(tmp_path / "a.wav")[0].shape == (6, noise().shape[1])
