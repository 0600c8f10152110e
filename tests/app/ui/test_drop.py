"""What people drop: recordings, our own files, settings, adapters, models, and anything else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from PySide6.QtCore import QMimeData, QUrl
from safetensors.numpy import save_file

from mlx_music import GenerationRequest
from mlx_music.audio.files import write_audio
from mlx_music.metadata import Description
from mlx_music_app.ui.drop import what_is, what_was_dropped, what_were_dropped

REQUEST = GenerationRequest(prompt="folk, guitar", duration=12.0, seed=7)


def _dropped(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def _recording(path: Path) -> Path:
    sf.write(path, np.zeros((4800, 2), np.float32), 48_000)
    return path


def _own(path: Path) -> Path:
    sound = np.zeros((2, 4800), np.float32)
    write_audio(path, sound, 48_000, metadata=Description(REQUEST, "some/model").to_tags())
    return path


def test_a_recording(tmp_path: Path) -> None:
    dropped = what_was_dropped(_dropped(_recording(tmp_path / "hum.WAV")))
    assert dropped.kind == "audio"
    assert dropped.duration == pytest.approx(0.1)
    assert dropped.request is None


@pytest.mark.parametrize("ending", ["wav", "flac", "mp3"])
def test_our_own_file_brings_its_request(tmp_path: Path, ending: str) -> None:
    dropped = what_is(_own(tmp_path / f"song.{ending}"))
    assert dropped.kind == "own"
    assert dropped.request == REQUEST
    assert dropped.model == "some/model"


def test_settings_of_ours_and_of_the_reference(tmp_path: Path) -> None:
    ours = tmp_path / "ours.json"
    ours.write_text(Description(REQUEST, "m").to_json(), encoding="utf-8")
    theirs = tmp_path / "output_input_params.json"
    values = {"infer_step": 27, "prompt": "jazz", "task": "text2music", "actual_seeds": [3]}
    theirs.write_text(json.dumps(values), encoding="utf-8")
    assert what_is(ours).request == REQUEST
    request = what_is(theirs).request
    assert request is not None
    assert (request.prompt, request.num_inference_steps, request.seed) == ("jazz", 27, 3)


def _lora(path: Path) -> Path:
    save_file(
        {
            "transformer.blocks.0.to_q.lora_A.weight": np.zeros((4, 8), np.float32),
            "transformer.blocks.0.to_q.lora_B.weight": np.zeros((8, 4), np.float32),
        },
        path,
    )
    return path


def test_adapters_as_files_and_folders(tmp_path: Path) -> None:
    assert what_is(_lora(tmp_path / "rap.safetensors")).kind == "lora"
    folder = tmp_path / "adapter"
    folder.mkdir()
    file = _lora(folder / "pytorch_lora_weights.safetensors")
    dropped = what_is(folder)
    assert (dropped.kind, dropped.path) == ("lora", file)


def test_the_folder_of_a_model(checkpoint: Path) -> None:
    assert what_is(checkpoint).kind == "model"


def test_what_is_of_no_use_says_why(tmp_path: Path) -> None:
    save_file({"weight": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    (tmp_path / "notes.txt").write_text("la la la")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "song.m4a").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    names = ["other.safetensors", "notes.txt", "broken.wav", "list.json", "song.m4a", "folder", "x"]
    for name in names:
        dropped = what_is(tmp_path / name)
        assert not dropped, name
        assert name in dropped.problem


def test_of_several_the_first_that_is_of_use_counts(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("la la la")
    data = _dropped(
        tmp_path / "notes.txt", _recording(tmp_path / "a.wav"), _own(tmp_path / "b.wav")
    )
    assert what_was_dropped(data).path.name == "a.wav"
    assert [dropped.kind for dropped in what_were_dropped(data)] == ["", "audio", "own"]


def test_words_from_a_browser_are_of_no_use() -> None:
    data = QMimeData()
    data.setText("hello")
    data.setUrls([QUrl("https://example.org/song.wav")])
    assert not what_was_dropped(data)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    assert not what_is(path)
    path.unlink()
    _recording(path)
    assert what_is(path).kind == "audio"
