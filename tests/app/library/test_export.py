from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mlx_music import AudioError
from mlx_music.audio.files import probe_audio
from mlx_music.audio.tags import read_tags
from mlx_music.metadata import read_description
from mlx_music_app.library.export import (
    drag_file,
    dragged_file,
    export_audio,
    export_name,
    exports_folder,
)
from mlx_music_app.library.identity import read_facts
from mlx_music_app.library.take import Take
from tests.app.library.conftest import RATE, Home, sound


def read(path: Path) -> Any:
    return soundfile.read(path, dtype="float32")[0].T


@pytest.fixture
def take(home: Home) -> Take:
    return home.make(lyrics="la")


@pytest.mark.parametrize(
    ("kind", "depth", "subtype", "exact"),
    [
        ("wav", 16, "PCM_16", False),
        ("wav", 24, "PCM_24", True),
        ("wav", 32, "FLOAT", True),
        ("flac", 24, "PCM_24", True),
        ("flac", 32, "PCM_24", True),  # FLAC has no 32: its own depth
        ("aiff", 24, "PCM_24", True),
        ("ogg", 24, "VORBIS", False),
        ("mp3", 16, "MPEG_LAYER_III", False),
    ],
)
def test_every_format_with_its_tags(
    take: Take, tmp_path: Path, kind: str, depth: int, subtype: str, exact: bool
) -> None:
    path = export_audio(take.path, tmp_path / "out", format=kind, bit_depth=depth)
    assert path.suffix == f".{kind}"
    assert probe_audio(path).subtype == subtype
    if exact:
        np.testing.assert_array_equal(read(path), read(take.path))
    description = read_description(path)
    assert (description.request, description.model) == (take.request, take.model)
    tags, original = read_tags(path), read_tags(take.path)
    assert tags is not None
    assert original is not None
    assert tags.fields["title"] == original.fields["title"] == "Night"
    assert tags.fields["lyrics"] == "la"


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff"])
def test_a_region_is_exact_to_the_sample(take: Take, tmp_path: Path, kind: str) -> None:
    whole = read(take.path)
    for first, last in ((0, 1), (17, 4711), (4000, 4800)):
        path = export_audio(
            take.path,
            tmp_path / f"{first}.{kind}",
            format=kind,
            bit_depth=24,
            start=first / RATE,
            end=last / RATE,
        )
        np.testing.assert_array_equal(read(path), whole[:, first:last])
    open_end = export_audio(
        take.path, tmp_path / "end", format=kind, bit_depth=24, start=4000 / RATE
    )
    np.testing.assert_array_equal(read(open_end), whole[:, 4000:])


def test_a_region_of_a_lossy_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", sound(48_000).T, RATE, format="OGG", subtype="VORBIS")
    path = export_audio(
        tmp_path / "a.ogg", tmp_path / "b.wav", format="wav", bit_depth=32, start=0.5, end=0.75
    )
    np.testing.assert_array_equal(read(path), read(tmp_path / "a.ogg")[:, 24_000:36_000])
    assert read_tags(path) is None


def test_the_same_format_is_the_same_bytes(take: Take, tmp_path: Path) -> None:
    path = export_audio(take.path, tmp_path / "a.wav", format="wav", bit_depth=24)
    assert path.read_bytes() == take.path.read_bytes()


def test_nothing_is_replaced_unasked_and_the_take_never(take: Take, tmp_path: Path) -> None:
    target = tmp_path / "a.wav"
    target.write_text("mine")
    with pytest.raises(AudioError, match="exists"):
        export_audio(take.path, target, format="wav", bit_depth=16)
    assert target.read_text() == "mine"
    export_audio(take.path, target, format="wav", bit_depth=16, overwrite=True)
    assert probe_audio(target).subtype == "PCM_16"
    before = take.path.read_bytes()
    for depth in (16, 24):
        with pytest.raises(AudioError, match="the take itself"):
            export_audio(take.path, take.path, format="wav", bit_depth=depth, overwrite=True)
    assert take.path.read_bytes() == before


@pytest.mark.parametrize(("start", "end"), [(0.05, 0.05), (0.08, 0.02), (5.0, 6.0), (None, 0.0)])
def test_an_empty_part_is_refused(
    take: Take, tmp_path: Path, start: float | None, end: float | None
) -> None:
    with pytest.raises(AudioError, match="select a longer part"):
        export_audio(
            take.path, tmp_path / "a.wav", format="wav", bit_depth=24, start=start, end=end
        )
    assert not list(tmp_path.glob("*.wav"))


def test_a_missing_take_is_said(take: Take, tmp_path: Path, home: Home) -> None:
    take.path.unlink()
    with pytest.raises(AudioError, match=r"take 1\.wav"):
        export_audio(take.path, tmp_path / "a.mp3", format="mp3", bit_depth=None)
    with pytest.raises(AudioError, match=r"take 1\.wav"):
        drag_file(take, home.preferences)


def test_names(take: Take) -> None:
    assert export_name(take) == "Night - 120bpm - take 1"
    assert export_name(take, (12.0, 20.0)) == "Night - 120bpm - take 1 (0m12.00-0m20.00)"


def test_a_whole_take_in_the_wanted_format_is_dragged_itself(take: Take, home: Home) -> None:
    assert drag_file(take, home.preferences) == take.path
    home.preferences.set("export_format", "flac")
    path = drag_file(take, home.preferences)
    assert path == exports_folder(home.preferences) / "Night - 120bpm - take 1.flac"
    np.testing.assert_array_equal(read(path), read(take.path))


def test_a_region_is_dragged_as_the_same_file_each_time(take: Take, home: Home) -> None:
    region = (0.02, 0.06)
    assert dragged_file(take, home.preferences, region) is None
    path = drag_file(take, home.preferences, region)
    assert path.name == "Night - 120bpm - take 1 (0m00.02-0m00.06).wav"
    assert path.is_absolute()
    np.testing.assert_array_equal(read(path), read(take.path)[:, 960:2880])
    before = path.stat()
    assert drag_file(take, home.preferences, region) == path
    assert dragged_file(take, home.preferences, region) == path
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_was_dragged_never_becomes_another_sound(take: Take, home: Home) -> None:
    region = (0.02, 0.06)
    first = drag_file(take, home.preferences, region)
    data = first.read_bytes()
    home.preferences.set("export_bit_depth", 16)
    second = drag_file(take, home.preferences, region)
    third = drag_file(take, home.preferences, (0.0201, 0.06))
    other = home.make()
    home.library.rename(take.id, "Day")
    home.library.rename(other.id, "Night")
    again = home.library.take(other.id)
    assert again is not None
    fourth = drag_file(again, home.preferences, region)
    assert len({first, second, third, fourth}) == 4
    assert first.read_bytes() == data
    assert drag_file(take, home.preferences, region) == second
    assert drag_file(take, home.preferences, (0.0201, 0.06)) == third


def test_an_export_that_somebody_has_damaged_is_made_again_beside_it(
    take: Take, home: Home
) -> None:
    region = (0.02, 0.06)
    first = drag_file(take, home.preferences, region)
    first.write_bytes(b"no sound")
    second = drag_file(take, home.preferences, region)
    assert second != first
    assert first.read_bytes() == b"no sound"
    np.testing.assert_array_equal(read(second), read(take.path)[:, 960:2880])
    assert drag_file(take, home.preferences, region) == second


def test_an_export_is_no_take(take: Take, home: Home) -> None:
    path = drag_file(take, home.preferences, (0.02, 0.06))
    facts, own = read_facts(path), read_facts(take.path)
    assert facts is not None
    assert own is not None
    assert facts.identity.uid != own.identity.uid
    home.reopen()
    assert home.names() == ["Night"]
