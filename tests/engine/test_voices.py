"""Voices on the disk: saved whole or not at all, found by name, and never mistaken."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile

from mlx_music.errors import AudioError, CheckpointError, InvalidRequest, MLXMusicError
from mlx_music.request import GenerationRequest, parse_lora
from mlx_music.voices import (
    EMBEDDING_SIZE,
    MAX_NAME_LENGTH,
    VARIABLE,
    delete_voice,
    find_voice,
    list_voices,
    save_voice,
    voices_folder,
)
from tests.engine.cli.recordings import listing, record, samples


@pytest.fixture(autouse=True)
def voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of voices, and another to work in."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "voices"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "voices"


@pytest.fixture
def song() -> Path:
    return record(Path("song.wav"), 44_100, 2, 3.0, subtype="PCM_24")


@pytest.fixture
def embedding() -> Path:
    np.save("speaker.npy", np.linspace(-1, 1, EMBEDDING_SIZE, dtype=np.float32))
    return Path("speaker.npy")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An adapter as PEFT saves it: weights, and beside them the scale."""
    folder = tmp_path / "my-adapter"
    folder.mkdir()
    tensors = {"layer.lora_A.weight": mx.ones((2, 4)), "layer.lora_B.weight": mx.ones((4, 2))}
    mx.save_safetensors(str(folder / "adapter_model.safetensors"), tensors)
    (folder / "adapter_config.json").write_text('{"r": 2, "lora_alpha": 4}')
    return folder


def test_a_voice_of_everything(voices: Path, song: Path, embedding: Path, adapter: Path) -> None:
    voice = save_voice(
        "Anna",
        reference=song,
        start=0.5,
        seconds=1.5,
        strength=0.3,
        lora=adapter,
        lora_weight=0.8,
        speaker_embedding=str(embedding),
        note="from the second take",
    )
    folder = voices / "Anna"
    assert voice == find_voice("Anna")
    assert (voice.name, voice.folder, voice.problem) == ("Anna", folder, None)
    assert voice.note == "from the second take"
    assert voice.request_fields() == {
        "reference": str(folder / "reference.flac"),
        "reference_strength": 0.3,
        "reference_loop": True,
        "lora": (f"{folder / 'lora.safetensors'}:0.8",),
        "speaker_embedding": str(folder / "speaker.npy"),
    }
    GenerationRequest(prompt="soul", **voice.request_fields()).validate()
    info = soundfile.info(folder / "reference.flac")
    assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_24", 44_100)
    first = round(0.5 * 44_100)
    excerpt = samples(song)[first : first + round(1.5 * 44_100)]
    np.testing.assert_array_equal(samples(folder / "reference.flac"), excerpt)
    copies = {
        "lora.safetensors": adapter / "adapter_model.safetensors",
        "adapter_config.json": adapter / "adapter_config.json",
        "speaker.npy": embedding,
    }
    for name, original in copies.items():
        assert (folder / name).read_bytes() == original.read_bytes()
    assert set(listing(voices)) == {
        f"Anna/{name}" for name in (*copies, "reference.flac", "voice.json")
    }
    assert json.loads((folder / "voice.json").read_text(encoding="utf-8"))["format"] == 1


def test_nothing_is_needed_of_the_originals(song: Path, embedding: Path, adapter: Path) -> None:
    save_voice("Anna", reference=song, lora=adapter, speaker_embedding=embedding)
    shutil.rmtree(adapter)
    song.unlink()
    embedding.unlink()
    voice = find_voice("anna")
    assert voice.problem is None
    for path in (voice.reference, voice.lora, voice.speaker_embedding):
        assert path is not None
        assert Path(path).is_absolute()
        assert Path(path).is_file()


def test_a_voice_may_have_one_part_alone(song: Path, embedding: Path) -> None:
    fields = [
        save_voice("a", reference=song, loop=False).request_fields(),
        save_voice("b", lora="org/some.voice", lora_weight=-1).request_fields(),
        save_voice("c", speaker_embedding=embedding).request_fields(),
    ]
    assert fields[0]["reference_loop"] is False
    assert list(fields[0]) == ["reference", "reference_strength", "reference_loop"]
    (entry,) = fields[1]["lora"]
    assert parse_lora(entry) == ("org/some.voice", -1.0)
    assert list(fields[2]) == ["speaker_embedding"]
    with pytest.raises(InvalidRequest, match="reference: is missing; a voice is"):
        save_voice("d")
    assert [voice.name for voice in list_voices()] == ["a", "b", "c"]


def test_other_kinds_of_files(voices: Path, adapter: Path) -> None:
    record(Path("mono.mp3"), 22_050, 1, 2.0)
    numbers = mx.zeros((1, EMBEDDING_SIZE), dtype=mx.bfloat16)
    mx.save_safetensors("speaker.safetensors", {"embedding": numbers})
    shutil.copyfile(adapter / "adapter_model.safetensors", "single.safetensors")
    voice = save_voice(
        "m",
        reference="mono.mp3",
        speaker_embedding="speaker.safetensors",
        lora="single.safetensors",
    )
    assert voice.speaker_embedding == voices / "m" / "speaker.safetensors"
    info = soundfile.info(voices / "m" / "reference.flac")
    assert (info.samplerate, info.channels) == (22_050, 1)
    assert not (voices / "m" / "adapter_config.json").exists()


def test_all_there_is_of_a_short_recording(song: Path) -> None:
    voice = save_voice("short", reference=song, start=1.0)
    assert voice.reference is not None
    assert soundfile.info(voice.reference).duration == pytest.approx(2.0)


def test_what_is_louder_than_flac_can_be() -> None:
    loud = 3.0 * np.sin(np.linspace(0, 900, 48_000))
    soundfile.write("loud.wav", loud, 48_000, subtype="FLOAT")
    voice = save_voice("loud", reference="loud.wav")
    assert voice.reference is not None
    kept, _ = soundfile.read(voice.reference)
    np.testing.assert_allclose(kept, loud / abs(loud).max(), atol=1e-6)


class TestNames:
    @pytest.mark.parametrize(
        "name", ["Anna", "Zoë (live), take 2", "李 娜", "Дуэт_1.5", "x" * MAX_NAME_LENGTH, "50%"]
    )
    def test_readable_ones(self, name: str, voices: Path) -> None:
        voice = save_voice(f"  {name} ", lora="a/b")
        assert voice.name == name
        assert voice.folder == voices / name
        assert find_voice(name.upper()) == find_voice(name.swapcase()) == voice

    @pytest.mark.parametrize(
        "name",
        [
            *("", " ", ".anna", "..", "-anna", "anna.", "a/b", "a\\b", "a:b", "a\nb", 'a"b'),
            *("a\0b", "?!", "a*", "\udce9a", "x" * (MAX_NAME_LENGTH + 1)),
        ],
    )
    def test_others(self, name: str, voices: Path) -> None:
        with pytest.raises(InvalidRequest) as error:
            save_voice(name, lora="a/b")
        assert error.value.field == "name"
        assert not voices.exists()

    def test_the_same_name_to_a_person(self, voices: Path) -> None:
        composed, parts = unicodedata.normalize("NFC", "Zoë"), unicodedata.normalize("NFD", "Zoë")
        assert composed != parts
        first = save_voice(parts, lora="a/b")
        assert find_voice(composed) == find_voice(parts) == first
        with pytest.raises(MLXMusicError, match="the voice exists; use --force"):
            save_voice(composed.upper(), lora="a/c")
        save_voice(composed.upper(), lora="a/c", overwrite=True)
        assert [voice.name for voice in list_voices()] == ["ZOË"]
        assert find_voice(parts).lora == "a/c"
        assert [path.name for path in voices.iterdir()] == ["ZOË"]

    def test_unknown_ones_name_those_there_are(self) -> None:
        with pytest.raises(MLXMusicError, match=r"'anna'; there are none; `mlx-music voice save`"):
            find_voice("anna")
        save_voice("Bert", lora="a/b")
        save_voice("anna lee", lora="a/b")
        for act in (find_voice, delete_voice):
            with pytest.raises(MLXMusicError, match=r"'anna'; there are: anna lee, Bert$"):
                act("anna")


class TestFolders:
    def test_the_usual_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(VARIABLE)
        assert voices_folder().is_absolute()
        assert voices_folder().parts[-2:] == ("MLX Music", "voices")
        monkeypatch.setenv(VARIABLE, os.path.join("~", "my voices"))
        assert voices_folder() == Path.home() / "my voices"

    def test_copied_and_renamed_in_the_finder(self, voices: Path, song: Path) -> None:
        save_voice("Anna", reference=song)
        shutil.copytree(voices / "Anna", voices / "Anna copy")
        (voices / "Anna").rename(voices / "Berta")
        assert [voice.name for voice in list_voices()] == ["Anna copy", "Berta"]
        voice = find_voice("berta")
        assert voice.reference == voices / "Berta" / "reference.flac"

    def test_deleting(self, voices: Path, song: Path) -> None:
        save_voice("Anna", reference=song)
        save_voice("Bert", lora="a/b")
        assert delete_voice("anna").name == "Anna"
        assert list(voices.iterdir()) == [voices / "Bert"]

    def test_a_link_is_removed_and_not_what_it_leads_to(self, voices: Path, song: Path) -> None:
        elsewhere = voices.with_name("elsewhere")
        save_voice("Anna", reference=song).folder.rename(elsewhere)
        (voices / "Anna").symlink_to(elsewhere)
        assert find_voice("anna").reference == voices / "Anna" / "reference.flac"
        delete_voice("anna")
        assert list(voices.iterdir()) == []
        assert (elsewhere / "voice.json").is_file()

    def test_what_is_no_voice_is_left_alone(self, voices: Path) -> None:
        (voices / "Documents").mkdir(parents=True)
        (voices / "Documents" / "thesis.txt").write_text("years of work")
        (voices / ".hidden").mkdir()
        assert list_voices() == []
        with pytest.raises(MLXMusicError, match="no voice is called 'Documents'"):
            delete_voice("Documents")
        with pytest.raises(MLXMusicError, match="is no voice, and in the way"):
            save_voice("Documents", lora="a/b", overwrite=True)
        assert set(listing(voices)) == {"Documents/thesis.txt"}


class TestDamage:
    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ("{", "is not JSON"),
            ("[]", "holds no voice"),
            ({"format": None}, "holds no voice"),
            ({"format": 2}, "is of a newer version"),
            ({"strength": 2.0}, "strength: 2 is out of range; it must be 0 to 1"),
            ({"strength": "much"}, "strength: 'much' is not a number"),
            ({"strength": math.nan}, "strength: nan is not a number"),
            ({"loop": "yes"}, "reference_loop: 'yes' is not true or false"),
            ({"lora_weight": 9}, "lora_weight: 9 is out of range"),
            ({"note": 1}, "note is not text"),
            ({"reference": "gone.flac"}, "its reference 'gone.flac' is not in the folder"),
            ({"reference": "../../elsewhere/song.wav"}, "is not in the folder"),
            ({"reference": None}, "holds neither a recording nor"),
            ({"lora": "../lora.safetensors"}, "its lora '../lora.safetensors' is not in the f"),
        ],
        ids=str,
    )
    def test_is_told_and_can_be_removed(
        self, change: str | dict[str, Any], problem: str, voices: Path, song: Path
    ) -> None:
        settings = save_voice("Anna", reference=song).folder / "voice.json"
        save_voice("Bert", lora="a/b")
        values = json.loads(settings.read_text())
        text = change if isinstance(change, str) else json.dumps(values | change)
        settings.write_text(text)
        damaged, good = list_voices()
        assert (damaged.name, good.name, good.problem) == ("Anna", "Bert", None)
        assert str(settings) in str(damaged.problem)
        assert problem in str(damaged.problem)
        assert damaged.request_fields() == {}
        with pytest.raises(MLXMusicError, match=r"; replace or delete the voice Anna$"):
            find_voice("anna")
        delete_voice("anna")
        assert [voice.name for voice in list_voices()] == ["Bert"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("fields", "kind", "problem"),
        [
            ({"reference": "nosuch.wav"}, AudioError, "nosuch.wav cannot be read: No such file"),
            ({"reference": "words.txt"}, AudioError, "words.txt cannot be read as audio"),
            ({"reference": "silent.wav"}, AudioError, "silent.wav: is silent from 0 to 2 seconds"),
            (
                {"reference": "late.wav", "start": 0.2, "seconds": 1.5},
                AudioError,
                "late.wav: is silent from 0.2 to 1.7 seconds",
            ),
            ({"reference": "brief.wav"}, AudioError, "brief.wav: lasts 0.50 seconds; it takes 1"),
            ({"reference": "six.wav"}, AudioError, "six.wav: has 6 channels; mix it down to two"),
            (
                {"reference": "song.wav", "start": 3.5},
                InvalidRequest,
                r"start: 3.5 seconds is not 1 second before the end of song.wav, which lasts 3.00",
            ),
            ({"reference": "song.wav", "start": 2.5}, InvalidRequest, "start: 2.5 seconds is not"),
            ({"reference": "song.wav", "start": -1.0}, InvalidRequest, "start: -1 is out of range"),
            ({"reference": "song.wav", "start": math.nan}, InvalidRequest, "start: nan is not a"),
            (
                {"reference": "song.wav", "seconds": 0.5},
                InvalidRequest,
                "seconds: 0.5 is out of range; it must be 1 to 240 seconds",
            ),
            ({"reference": "song.wav", "strength": 1.5}, InvalidRequest, "strength: 1.5 is out of"),
            ({"lora": "a/b", "lora_weight": 4.0}, InvalidRequest, "lora_weight: 4 is out of range"),
            ({"lora": "a/b", "note": "\udce9"}, InvalidRequest, "note: is not valid Unicode"),
            ({"lora": "nosuch.safetensors"}, CheckpointError, "nosuch.safetensors"),
            ({"lora": "song.wav"}, CheckpointError, "song.wav: not a safetensors file"),
            ({"lora": "model.safetensors"}, CheckpointError, "not a LoRA adapter: tensor 'weight'"),
            ({"lora": "words"}, CheckpointError, "'words': neither a folder nor a hub id"),
            ({"lora": "."}, CheckpointError, "no pytorch_lora_weights.safetensors"),
            ({"speaker_embedding": "short.npy"}, CheckpointError, "short.npy: a speaker embedding"),
            ({"speaker_embedding": "words.txt"}, CheckpointError, "words.txt: is no .npy or"),
            ({"speaker_embedding": "nosuch.npy"}, CheckpointError, "nosuch.npy: cannot be read"),
        ],
        ids=str,
    )
    def test_nothing_is_saved(
        self, fields: dict[str, Any], kind: type[MLXMusicError], problem: str, voices: Path,
        song: Path,
    ) -> None:  # fmt: skip
        Path("words.txt").write_text("no sound")
        soundfile.write("silent.wav", np.zeros((32_000, 2)), 16_000)
        record(Path("brief.wav"), 16_000, 1, 0.5)
        late = np.concatenate([np.zeros(32_000), np.ones(16_000) / 2])
        soundfile.write("late.wav", late, 16_000)
        soundfile.write("six.wav", np.ones((16_000, 6)) / 2, 16_000)
        np.save("short.npy", np.zeros(EMBEDDING_SIZE - 1))
        for name in ("model", "other"):
            mx.save_safetensors(f"{name}.safetensors", {"weight": mx.zeros((2, 2))})
        save_voice("there", lora="a/b")
        before = listing(voices)
        for name, overwrite in (("Anna", False), ("there", True)):
            with pytest.raises(kind, match=problem) as error:
                save_voice(name, overwrite=overwrite, **fields)
            assert "\n" not in str(error.value)
        assert listing(voices) == before
        assert [path.name for path in voices.iterdir()] == ["there"]

    def test_too_long_a_recording(self) -> None:
        with soundfile.SoundFile("long.flac", "w", 8_000, 1) as file:
            for _ in range(11):
                file.write(np.full(60 * 8_000, 100, dtype=np.int16))
        with pytest.raises(AudioError, match=r"long\.flac lasts 660\.0 s; at most 600 s"):
            save_voice("Anna", reference="long.flac")

    def test_a_place_that_cannot_be_written(
        self, voices: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        voices.write_text("a file")
        assert list_voices() == []
        with pytest.raises(AudioError, match="Anna cannot be written: "):
            save_voice("Anna", lora="a/b")
        assert voices.read_text() == "a file"


class TestWholeOrNotAtAll:
    @pytest.mark.parametrize("step", ["os.fsync", "shutil.copyfile", "pathlib.Path.write_text"])
    @pytest.mark.parametrize("overwrite", [False, True])
    def test_a_full_disk(
        self,
        step: str,
        overwrite: bool,
        voices: Path,
        song: Path,
        embedding: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        if overwrite:
            save_voice("anna", lora="a/b")
        before = listing(voices)

        def full(*args: object, **more: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(step, full)
            with pytest.raises(AudioError, match="cannot be written: the disk is full"):
                save_voice("Anna", reference=song, speaker_embedding=embedding, overwrite=overwrite)
        assert listing(voices) == before
        assert len(list(voices.iterdir())) == overwrite

    @pytest.mark.parametrize("moment", [1, 2])
    def test_stopped_while_one_is_replaced(
        self, moment: int, voices: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_voice("anna", lora="a/b")
        before = listing(voices)
        rename, calls = Path.rename, 0

        def stopping(self: Path, target: Path) -> Path:
            nonlocal calls
            calls += 1
            if calls == moment:
                raise KeyboardInterrupt
            return rename(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", stopping)
            with pytest.raises(KeyboardInterrupt):
                save_voice("Anna", lora="a/c", overwrite=True)
        assert listing(voices) == before
        assert len(list(voices.iterdir())) == 1
