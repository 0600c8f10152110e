"""The table of formats, and finding one by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlx_music.audio.formats import AUDIO_FORMATS, audio_format
from mlx_music.errors import AudioError


@pytest.mark.parametrize("entry", AUDIO_FORMATS.values(), ids=list(AUDIO_FORMATS))
def test_libsndfile_writes_every_entry(entry):
    import soundfile

    assert entry.bit_depth in entry.subtypes
    for depth in entry.subtypes:
        assert soundfile.check_format(entry.container, audio_format(entry.name, depth).subtype)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("song.wav", "WAV"),
        ("a.b/song.WAVE", "WAV"),
        (Path("x/y.flac"), "FLAC"),
        (".aif", "AIFF"),
        ("AIFF", "AIFF"),
        ("oga", "OGG"),
        ("نغمة.mp3", "MP3"),
    ],
)
def test_a_format_is_found_by_path_extension_or_name(name, expected):
    assert audio_format(name).name == expected


@pytest.mark.parametrize(
    ("name", "depth", "subtype"),
    [
        ("wav", None, "PCM_24"),
        ("wav", 16, "PCM_16"),
        ("wav", 32, "FLOAT"),
        ("flac", None, "PCM_24"),
        ("aiff", 16, "PCM_16"),
        ("ogg", None, "VORBIS"),
        ("mp3", None, "MPEG_LAYER_III"),
    ],
)
def test_the_bit_depth_picks_the_subtype(name, depth, subtype):
    chosen = audio_format(name, depth)
    assert chosen.subtype == subtype
    assert depth in (None, chosen.bit_depth)


@pytest.mark.parametrize("name", ["song", "song.m4a", "song.wav.txt", "", ".", "wav/", "mp4"])
def test_unknown_names_get_an_error_with_all_extensions(name):
    if name == "wav/":  # pathlib drops the slash, and what is left is a name
        assert audio_format(name).name == "WAV"
        return
    with pytest.raises(AudioError) as caught:
        audio_format(name)
    message = str(caught.value)
    assert "\n" not in message
    for entry in AUDIO_FORMATS.values():
        assert entry.name in message
        for extension in entry.extensions:
            assert extension in message


@pytest.mark.parametrize(
    ("name", "depth"), [("wav", 8), ("flac", 32), ("aiff", 32), ("mp3", 16), ("ogg", 24)]
)
def test_a_bit_depth_that_a_format_lacks(name, depth):
    with pytest.raises(AudioError, match=str(depth)):
        audio_format(name, depth)


@pytest.mark.parametrize(
    ("name", "channels", "rate", "match"),
    [
        ("mp3", 2, 96000, "48000"),
        ("mp3", 2, 44000, "44100"),
        ("mp3", 3, 44100, "channels"),
        ("wav", 2, 48, "8000 to 192000"),
        ("ogg", 2, 400000, "8000 to 192000"),
        ("flac", 0, 48000, "channels"),
        ("flac", 9, 48000, "channels"),
    ],
)
def test_channels_and_rates_out_of_range(name, channels, rate, match):
    with pytest.raises(AudioError, match=match):
        audio_format(name).check(channels, rate)
