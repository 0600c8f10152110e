"""A request goes into the form and comes out as it was, for every use of the form."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mlx_music import GenerationRequest, InvalidRequest
from mlx_music.request import TASKS, WORKING_GROUP, limit_of
from mlx_music_app.ui.compose import ComposeView
from mlx_music_app.ui.compose.advanced import ADVANCED_FIELDS
from mlx_music_app.ui.compose.form import WORKING
from mlx_music_app.ui.compose.source_strip import WORK_FIELDS

FIELDS = {spec.name: spec for spec in dataclasses.fields(GenerationRequest)}


def _another(name: str) -> Any:
    """A value of a field that is not its default."""
    limit, default, kind = limit_of(name), FIELDS[name].default, str(FIELDS[name].type)
    if kind == "bool":
        return not default
    if limit.choices:
        return next(choice for choice in limit.choices[::-1] if choice != default)
    if kind == "tuple[int, ...]":
        return (2, 3, 5)
    if kind == "tuple[str, ...]":
        return ("me/rap:0.30000000000000004", "plain.safetensors")
    if kind == "float":
        low, high = limit.low or 0.0, limit.high or 1.0
        return low + (high - low) / 7.0
    if kind.startswith("int"):
        return int(((limit.low or 0) + (limit.high or 100)) // 3)
    return f"some {name}\nin two lines" if "lyrics" in name else f"some {name}"


def _base(task: str) -> GenerationRequest:
    own: dict[str, dict[str, Any]] = {
        "text2music": {},
        "retake": {"seed": 5},
        "repaint": {"source": "/s.wav", "repaint_start": 1.0, "repaint_end": 3.5},
        "extend": {"source": "/s.wav", "extend_right": 12.0},
        "edit": {"source": "/s.wav", "source_prompt": "folk"},
    }
    return GenerationRequest(prompt="folk", task=task, **own[task])


def _round_trip(view: ComposeView, request: GenerationRequest) -> GenerationRequest:
    view.set_request(request)
    return view.request()


def test_every_field_has_one_editor(view: ComposeView) -> None:
    elsewhere = {"lyrics", "language", "task", "source", "reference"}
    assert set(FIELDS) == set(view.form.rows) | elsewhere
    assert not set(ADVANCED_FIELDS) & set(WORK_FIELDS)
    assert set(WORK_FIELDS) | {"task", "source", "reference"} == set(WORKING)
    groups = {limit_of(name).group for name in ADVANCED_FIELDS}
    assert groups >= {"Sampling", "Guidance", "Sound", WORKING_GROUP}


@pytest.mark.parametrize("task", TASKS)
def test_each_field_alone_survives_the_form(view: ComposeView, task: str) -> None:
    for name in FIELDS:
        if name == "task":
            continue
        request = _base(task).replace(**{name: _another(name)})
        assert _round_trip(view, request) == request, name
    assert _round_trip(view, _base(task)) == _base(task)


def test_all_fields_together_survive_the_form(view: ComposeView) -> None:
    values = {name: _another(name) for name in FIELDS if name != "task"}
    for task in TASKS:
        request = GenerationRequest(**values, task=task)
        assert _round_trip(view, request) == request


@pytest.mark.parametrize(
    "text", ["a\u00a0b, c", "one\r\ntwo", "a,b ,, c", "  spaces  ", "\u2028", "tab\tbed", "𝄞 clef"]
)
def test_text_comes_back_to_the_letter(view: ComposeView, text: str) -> None:
    request = GenerationRequest(prompt=text, lyrics=text, source_prompt=text, source_lyrics=text)
    assert _round_trip(view, request) == request


@pytest.mark.parametrize("seconds", [1.0, 59.999, 60.0, 83.123456, 0.1 + 0.2, 239.9999999])
def test_durations_come_back_to_the_last_digit(view: ComposeView, seconds: float) -> None:
    request = GenerationRequest(prompt="x", duration=seconds)
    assert _round_trip(view, request).duration == seconds


def test_a_field_that_is_not_at_its_default_can_be_reset(view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.form.advanced.open()
    for name in ADVANCED_FIELDS:
        made = view.form.rows[name]
        assert made.reset_button.isHidden(), name
        made.set_value(_another(name))
        assert not made.reset_button.isHidden(), name
        made.reset_button.click()
        assert made.control.value() == FIELDS[name].default
    for name in ADVANCED_FIELDS:
        view.form.rows[name].set_value(_another(name))
    assert view.form.advanced.count.text() == f"{len(ADVANCED_FIELDS)} changed"
    view.form.advanced.reset_all.click()
    assert view.request() == GenerationRequest(prompt="folk")


def test_out_of_range_is_told_where_it_is_for_every_number(view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    for name in ADVANCED_FIELDS:
        limit = limit_of(name)
        if limit.high is None:
            continue
        made = view.form.rows[name]
        value = limit.high + 1
        made.set_value((int(value),) if "tuple" in str(FIELDS[name].type) else value)
        assert limit.range in made.error.text(), name
        with pytest.raises(InvalidRequest, match=name):
            view.request().validate()
        made.reset()
        assert made.error.isHidden()


def test_a_missing_recording_is_told(view: ComposeView, tmp_path: Path) -> None:
    request = _base("extend").replace(source=str(tmp_path / "gone.wav"))
    view.set_request(request)
    assert "gone.wav is not where it was" in view.bar.reason.text()
    assert not view.bar.generate.isEnabled()
    (tmp_path / "gone.wav").touch()
    view.set_request(request)
    assert view.bar.generate.isEnabled()
