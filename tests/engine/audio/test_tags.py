"""Tags: any text comes back from every kind of file, and damage is noticed."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlx_music.audio.encode import encode
from mlx_music.audio.formats import AUDIO_FORMATS, audio_format
from mlx_music.audio.tags import FIELDS, Tags, add_tags, check_tags, read_tags, write_tags
from mlx_music.errors import AudioError, MLXMusicError

KINDS = [(name, depth) for name, entry in AUDIO_FORMATS.items() for depth in entry.subtypes]
NAMES = list(AUDIO_FORMATS)

LYRICS = '[verse]\nنعم، أغني\r\n\tЯ пою 🎵👩‍👩‍👧\n歌う "quoted" \\ back/slash; a=b\n\n' * 120
REQUEST = json.dumps({"prompt": "bass", "lyrics": LYRICS, "seed": 2**63}, ensure_ascii=False)
TEXTS = {name: f"{name}: Zoë, نعم 🎵 / {name}=1" for name in FIELDS} | {"lyrics": LYRICS}


def sound(samples: int = 4801) -> np.ndarray:
    source = np.random.default_rng(3)
    return (source.standard_normal((1, samples)) * 0.1).astype(np.float32)


def write_file(folder: Path, name: str, depth: int | None = None) -> Path:
    path = folder / f"song{AUDIO_FORMATS[name].extensions[0]}"
    path.write_bytes(encode(sound(), 48000, audio_format(name, depth)).getvalue())
    return path


@pytest.mark.parametrize(("name", "depth"), KINDS)
def test_round_trip(tmp_path, name, depth):
    path = write_file(tmp_path, name, depth)
    before = soundfile.read(path)[0]
    assert read_tags(path) is None
    assert len(REQUEST) > 8000
    write_tags(path, request_json=REQUEST, fields=TEXTS)
    assert read_tags(path) == Tags(REQUEST, TEXTS)
    np.testing.assert_array_equal(soundfile.read(path)[0], before)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", NAMES)
def test_a_second_call_replaces_the_first(tmp_path, name):
    path = write_file(tmp_path, name)
    once = path.read_bytes()
    write_tags(path, request_json=REQUEST, fields=TEXTS)
    write_tags(path, request_json='{"a": 1}', fields={"title": "Two", "comment": ""})
    assert read_tags(path) == Tags('{"a": 1}', {"title": "Two"})
    np.testing.assert_array_equal(soundfile.read(path)[0], soundfile.read(io.BytesIO(once))[0])


@pytest.mark.parametrize("name", NAMES)
def test_equal_tags_give_equal_bytes(name):
    streams = [encode(sound(), 48000, audio_format(name)) for _ in range(2)]
    for stream, order in zip(streams, (1, -1), strict=True):
        add_tags(stream, request_json=REQUEST, fields=dict(list(TEXTS.items())[::order]))
    assert streams[0].getvalue() == streams[1].getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_tags_of_other_programs_stay(tmp_path, name):
    path = write_file(tmp_path, name)
    file = mutagen.File(path)
    if file.tags is None:
        file.add_tags()
    if name in ("FLAC", "OGG"):
        file.tags["DATE"] = ["1999"]
    else:
        file.tags.add(mutagen.id3.TDRC(encoding=3, text=["1999"]))
        file.tags.add(mutagen.id3.COMM(encoding=3, lang="eng", desc="theirs", text=["x"]))
    file.save()
    assert read_tags(path) is None, "tags of others are not ours"
    write_tags(path, request_json="{}", fields={"comment": "ours"})
    assert read_tags(path) == Tags("{}", {"comment": "ours"})
    left = mutagen.File(path).tags
    if name in ("FLAC", "OGG"):
        assert left["DATE"] == ["1999"]
    else:
        assert str(left["TDRC"]) == "1999"
        assert left["COMM:theirs:eng"].text == ["x"]


@pytest.mark.parametrize("name", ["WAV", "AIFF"])
def test_chunks_are_even_and_the_container_counts_them(name):
    """Mono, 24 bits and an odd number of samples leave an odd chunk before ours."""
    for fields in ({}, {"title": "x"}, {"title": "xx"}):
        stream = encode(sound(4801), 48000, audio_format(name, 24))
        add_tags(stream, request_json="{}", fields=fields)
        data, order = stream.getvalue(), "little" if name == "WAV" else "big"
        assert int.from_bytes(data[4:8], order) == len(data) - 8
        position, chunks = 12, []
        while position < len(data):
            assert position % 2 == 0
            chunks.append(data[position : position + 4])
            size = int.from_bytes(data[position + 4 : position + 8], order)
            position += 8 + size + size % 2
        assert position == len(data)
        assert chunks[-1] in (b"id3 ", b"ID3 ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("name", NAMES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    request=st.dictionaries(st.text(), json_values, max_size=4),
    ascii_only=st.booleans(),
    indent=st.none() | st.just(2),
    fields=st.dictionaries(st.sampled_from(FIELDS), st.text(), max_size=4),
)
def test_any_text_comes_back(tmp_path, name, request, ascii_only, indent, fields):
    text = json.dumps(request, ensure_ascii=ascii_only, indent=indent)
    path = write_file(tmp_path, name)
    write_tags(path, request_json=text, fields=fields)
    tags = read_tags(path)
    assert tags is not None
    assert json.loads(tags.request_json) == request
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert tags.request_json == text
    storable = {
        key: value.replace("\0", "").encode("utf-8", "replace").decode()
        for key, value in fields.items()
    }
    assert tags.fields == {key: value for key, value in storable.items() if value}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("genre", ["0", "808", "(17)", "RX", "a/b", "a; b"])
def test_genres_that_look_like_numbers(tmp_path, name, genre):
    path = write_file(tmp_path, name)
    write_tags(path, request_json="{}", fields={"genre": genre})
    assert read_tags(path) == Tags("{}", {"genre": genre})


@pytest.mark.parametrize("name", NAMES)
def test_lone_surrogates(tmp_path, name):
    path = write_file(tmp_path, name)
    write_tags(path, request_json='{"a": "x\ud83cy"}', fields={"title": "t\udcffü\0"})
    tags = read_tags(path)
    assert tags is not None
    assert json.loads(tags.request_json) == {"a": "x\ud83cy"}
    assert tags.fields == {"title": "t?ü"}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["[1]", "{", "no"])
def test_a_damaged_request_is_an_error(tmp_path, name, text):
    path = write_file(tmp_path, name)
    write_tags(path, request_json=json.dumps({"k": "MARK" * 10}), fields={})
    file = mutagen.File(path)
    if name in ("FLAC", "OGG"):
        file.tags["MLX_MUSIC"] = text
    else:
        file.tags["TXXX:MLX_MUSIC"].text = [text]
    file.save()
    with pytest.raises(AudioError, match=r"song.*MLX_MUSIC tag is damaged"):
        read_tags(path)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_files_give_our_errors_only(tmp_path, name):
    """Random bytes and cuts, always the same ones; whatever else is raised fails the test."""
    path = write_file(tmp_path, name)
    write_tags(path, request_json=REQUEST, fields=TEXTS)
    whole, source, errors = path.read_bytes(), random.Random(1), []
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(source.choice([1, 3, 10])):
            reach = source.choice([64, 300, len(data)])
            data[source.randrange(reach)] = source.choice([0, 127, 255, source.randrange(256)])
        if source.random() < 0.2:
            del data[source.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            read_tags(path)
        except MLXMusicError as error:
            errors.append(str(error))
    assert errors
    assert not any("\n" in error for error in errors)


@pytest.mark.parametrize(
    ("request_json", "fields", "match"),
    [
        ("", {}, "not a JSON object"),
        ("[]", {}, "not a JSON object"),
        ("{" * 100_000, {}, "not a JSON object"),
        ("{}", {"colour": "red"}, "'colour'.*title"),
    ],
)
def test_what_is_refused(tmp_path, request_json, fields, match):
    path = write_file(tmp_path, "WAV")
    before = path.read_bytes()
    with pytest.raises(AudioError, match=match):
        check_tags(request_json, fields)
    with pytest.raises(AudioError, match=match):
        write_tags(path, request_json=request_json, fields=fields)
    assert path.read_bytes() == before


def test_files_of_other_kinds(tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("la la la")
    assert read_tags(text) is None
    with pytest.raises(AudioError, match=r"text\.wav cannot be tagged"):
        write_tags(text, request_json="{}", fields={})
    assert text.read_text() == "la la la"
    with pytest.raises(AudioError, match=r"none\.wav cannot be read: No such file"):
        read_tags(tmp_path / "none.wav")
    with pytest.raises(AudioError, match="folder"):
        read_tags(tmp_path)
    with pytest.raises(AudioError, match=r"none\.wav cannot be read"):
        write_tags(tmp_path / "none.wav", request_json="{}", fields={})


def test_the_kind_is_told_by_content(tmp_path):
    for name in NAMES:
        path = write_file(tmp_path, name)
        write_tags(path, request_json="{}", fields={"title": name})
        os.replace(path, tmp_path / "song.bin")
        assert read_tags(tmp_path / "song.bin") == Tags("{}", {"title": name})


def test_mutagen_and_soundfile_are_imported_late():
    code = (
        "import sys, mlx_music.audio.files, mlx_music.audio.tags;"
        "sys.exit(bool({'mutagen', 'soundfile'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
