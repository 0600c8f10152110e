"""Requests in files: our own, and those that the reference program saves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlx_music.errors import AudioError, InvalidRequest, MLXMusicError
from mlx_music.metadata import Description, read_description
from mlx_music.request import GenerationRequest

REQUEST = GenerationRequest(prompt="warm lo-fi", lyrics="[verse]\nça va? 好", seed=3)

#: As the reference's `__call__` writes it, shortened to what differs in kind.
REFERENCE_PARAMETERS = {
    "format": "wav",
    "lora_name_or_path": "none",
    "lora_weight": 1.0,
    "task": "text2music",
    "prompt": "funk, slap bass",
    "lyrics": "[verse]\nhello",
    "audio_duration": 42.5,
    "infer_step": 27,
    "guidance_scale": 7.0,
    "scheduler_type": "heun",
    "cfg_type": "cfg",
    "omega_scale": 5.0,
    "guidance_interval": 0.7,
    "guidance_interval_decay": 0.2,
    "min_guidance_scale": 2.0,
    "use_erg_tag": False,
    "use_erg_lyric": True,
    "use_erg_diffusion": False,
    "oss_steps": [],
    "timecosts": {"preprocess": 1.0},
    "actual_seeds": [4294967295],
    "retake_seeds": [5],
    "retake_variance": 0.5,
    "guidance_scale_text": 5.0,
    "guidance_scale_lyric": 1.5,
    "src_audio_path": None,
    "audio_path": "/somewhere/output.wav",
}


def test_own_json_round_trip() -> None:
    text = Description(REQUEST, "some/model").to_json()
    read = Description.from_json(text, "here")
    assert (read.request, read.model) == (REQUEST, "some/model")


def test_reference_parameters(tmp_path: Path) -> None:
    path = tmp_path / "output_input_params.json"
    path.write_text(json.dumps(REFERENCE_PARAMETERS))
    request = read_description(path).request
    assert request == GenerationRequest(
        prompt="funk, slap bass",
        lyrics="[verse]\nhello",
        duration=42.5,
        num_inference_steps=27,
        guidance_scale=7.0,
        scheduler="heun",
        cfg_type="cfg",
        omega_scale=5.0,
        guidance_interval=0.7,
        guidance_interval_decay=0.2,
        min_guidance_scale=2.0,
        use_erg_tag=False,
        use_erg_diffusion=False,
        guidance_scale_text=5.0,
        guidance_scale_lyric=1.5,
        seed=4294967295,
    )
    request.validate()


def test_tags_show_what_players_show() -> None:
    tags = Description(REQUEST, "some/model").to_tags()
    assert tags["title"] == "warm lo-fi"
    assert tags["lyrics"] == REQUEST.lyrics
    assert "some/model" in tags["comment"]
    assert "seed 3" in tags["comment"]
    assert json.loads(tags["request_json"])["request"]["prompt"] == "warm lo-fi"


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"request": 3}', '{"a": {}}'])
def test_other_json_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(MLXMusicError, match=r"settings\.json: "):
        read_description(path)


def test_a_field_of_the_wrong_kind_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"^duration: "):
        Description.from_json(json.dumps({**REFERENCE_PARAMETERS, "audio_duration": "x"}), "f")


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"request": {"prompt": "x"}}', encoding="utf-8-sig")
    assert read_description(path).request.prompt == "x"


def test_missing_files_and_files_without_settings(tmp_path: Path) -> None:
    with pytest.raises(MLXMusicError, match=r"nowhere\.json"):
        read_description(tmp_path / "nowhere.json")
    with pytest.raises(AudioError, match=r"nowhere\.wav"):
        read_description(tmp_path / "nowhere.wav")


@pytest.mark.parametrize("seed", ["abc", 1.5, None, True, float("inf")])
def test_seeds_that_are_no_whole_numbers_are_refused(seed: object) -> None:
    text = json.dumps({**REFERENCE_PARAMETERS, "actual_seeds": [seed]})
    if seed is None:
        assert Description.from_json(text, "f").request.seed is None
        return
    with pytest.raises(InvalidRequest, match=r"^seed: "):
        Description.from_json(text, "f")


def test_settings_of_other_tasks_of_the_reference_are_not_taken_for_new_music() -> None:
    text = json.dumps({**REFERENCE_PARAMETERS, "task": "repaint"})
    with pytest.raises(MLXMusicError, match="repaint"):
        Description.from_json(text, "f")


def test_text_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"^prompt: is not valid Unicode"):
        Description.from_json('{"request": {"prompt": "\\ud800"}}', "f")


def test_json_without_end_is_refused() -> None:
    with pytest.raises(MLXMusicError, match="is not JSON"):
        Description.from_json("[" * 100_000, "f")


def test_the_adapter_of_the_reference_is_not_dropped() -> None:
    values = {**REFERENCE_PARAMETERS, "lora_name_or_path": "org/rap", "lora_weight": 0.8}
    assert Description.from_json(json.dumps(values), "f").request.lora == ("org/rap:0.8",)
