"""`model.json`: what is read from it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlx_music.ace_step.about import ABOUT_FILE, PUBLISHED, AboutModel, read_about
from mlx_music.errors import CheckpointError, InvalidRequest
from mlx_music.request import GenerationRequest
from tests.doubles import SKETCH


def read(folder: Path, **changes: Any) -> AboutModel:
    values = {name: value for name, value in {**SKETCH, **changes}.items() if value != "LEFT OUT"}
    (folder / ABOUT_FILE).write_text(json.dumps(values))
    return read_about(folder)


def test_without_a_file_it_is_the_published_model(tmp_path: Path) -> None:
    about = read_about(tmp_path)
    assert about is PUBLISHED
    assert (about.max_duration, about.sings, about.erg) == (240.0, True, True)
    assert about.defaults == GenerationRequest()
    assert about.own_defaults() == {}


def test_what_the_file_says(tmp_path: Path) -> None:
    about = read(tmp_path)
    assert (about.name, about.licence) == ("Sketch", "MIT License")
    assert (about.max_duration, about.sings, about.erg) == (30.0, False, False)
    assert about.summary == "Sketch: instrumental, up to 30 seconds; MIT License"
    assert about.own_defaults() == SKETCH["defaults"]
    assert about.to_dict() == SKETCH
    request = about.request(prompt="funk", num_inference_steps=9)
    assert request == GenerationRequest(
        prompt="funk",
        duration=2.5,
        num_inference_steps=9,
        guidance_scale=4.0,
        use_erg_tag=False,
        use_erg_lyric=False,
        use_erg_diffusion=False,
    )


def test_lists_in_defaults(tmp_path: Path) -> None:
    defaults = {"duration": 5, "oss_steps": [1, 4, 9]}
    assert read(tmp_path, defaults=defaults).defaults.oss_steps == (1, 4, 9)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"colour": "red"}, "'colour' is unknown; there are name, licence, max_duration, sings"),
        ({"erg": "LEFT OUT"}, "'erg' is missing"),
        ({"defaults": "LEFT OUT"}, "'defaults' is missing"),
        ({"name": " "}, "'name' is ' ', not a text"),
        ({"licence": 1}, "'licence' is 1, not a text"),
        ({"sings": 0}, "'sings' is 0, not true or false"),
        ({"erg": None}, "'erg' is None, not true or false"),
        ({"max_duration": 0.5}, "'max_duration' is 0.5, not 1 to 240 seconds"),
        ({"max_duration": 241}, "'max_duration' is 241, not 1 to 240 seconds"),
        ({"max_duration": True}, "'max_duration' is True, not 1 to"),
        ({"max_duration": "30"}, "'max_duration' is '30', not 1 to"),
        ({"max_duration": float("nan")}, "'max_duration' is nan, not 1 to"),
        ({"defaults": [1]}, "'defaults' is [1], not an object"),
        ({"defaults": {"tempo": 90}}, "'defaults': tempo: is no field of a request"),
        ({"defaults": {"duration": "9"}}, "'defaults': duration: '9' is not a number"),
        ({"defaults": {"duration": 999}}, "'defaults': duration: 999 is out of range"),
        ({"defaults": {"oss_steps": [2, 1]}}, "'defaults': oss_steps: must rise"),
        ({"defaults": {"prompt": "x"}}, "'defaults': prompt is not for a model to decide"),
        ({"defaults": {"task": "edit"}}, "'defaults': task is not for a model to decide"),
        ({"defaults": {"duration": 31}}, "'defaults': duration is 31, over 'max_duration' 30"),
        # The request's own default is too long for it.
        ({"defaults": {}}, "'defaults': duration is 60, over 'max_duration' 30"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        read(tmp_path, **changes)
    assert str(caught.value).startswith(f"{tmp_path / ABOUT_FILE}: {problem}")
    assert "\n" not in str(caught.value)


def test_no_json(tmp_path: Path) -> None:
    (tmp_path / ABOUT_FILE).write_text("{")
    with pytest.raises(CheckpointError, match=r"model\.json, line 1: not valid JSON"):
        read_about(tmp_path)


def test_the_length_of_new_music(tmp_path: Path) -> None:
    about = read(tmp_path)
    about.check(about.request(duration=30.0), has_start=False)
    long = about.request(duration=30.5)
    with pytest.raises(InvalidRequest, match=r"^duration: 30.5 .* Sketch makes 1 to 30 seconds$"):
        about.check(long, has_start=False)
    # A source is as long as it is, and so is a reference unless it is repeated.
    about.check(long, has_start=True)
    about.check(long.replace(task="repaint", reference_loop=True), has_start=True)
    with pytest.raises(InvalidRequest, match="duration"):
        about.check(long.replace(reference_loop=True), has_start=True)


def test_what_is_understood(tmp_path: Path) -> None:
    about = read(tmp_path)
    assert about.understood(about.defaults) == (about.defaults, ())
    asked = about.request(lyrics="la", use_erg_tag=True, use_erg_diffusion=True)
    heard, notes = about.understood(asked)
    assert heard == about.defaults
    assert notes == (
        "Sketch does not sing; the lyrics are ignored",
        "Sketch has no entropy rectifying guidance (ERG); it is left out",
    )
    everything = GenerationRequest(lyrics="la")
    assert PUBLISHED.understood(everything) == (everything, ())


def test_defaults_that_cannot_be_heeded_are_no_ones_mistake(tmp_path: Path) -> None:
    about = read(tmp_path, defaults={"duration": 5})
    assert about.defaults.use_erg_tag
    heard, notes = about.understood(about.defaults)
    assert notes == ()
    assert not heard.use_erg_tag
