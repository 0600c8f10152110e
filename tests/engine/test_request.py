"""The request: every field, default and limit, and its way to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_music.errors import InvalidRequest
from mlx_music.request import GenerationRequest, limit_of

FIELDS = [spec.name for spec in dataclasses.fields(GenerationRequest)]
GOOD = GenerationRequest(prompt="warm lo-fi hip hop, 80 bpm")


def test_defaults_are_those_of_the_reference_library() -> None:
    GOOD.validate()
    assert (GOOD.num_inference_steps, GOOD.guidance_scale, GOOD.duration) == (60, 15.0, 60.0)
    assert (GOOD.scheduler, GOOD.cfg_type, GOOD.omega_scale) == ("euler", "apg", 10.0)
    assert (GOOD.guidance_interval, GOOD.guidance_interval_decay) == (0.5, 0.0)
    assert (GOOD.min_guidance_scale, GOOD.retake_variance) == (3.0, 0.5)
    assert GOOD.use_erg_tag
    assert GOOD.use_erg_lyric
    assert GOOD.use_erg_diffusion


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_says_what_it_is_and_accepts_its_default(name: str) -> None:
    limit = limit_of(name)
    assert limit.help
    assert limit.group
    default = getattr(GOOD, name)
    if limit.choices and default is not None:
        assert default in limit.choices


@pytest.mark.parametrize("name", [n for n in FIELDS if limit_of(n).low is not None])
def test_numbers_out_of_range_or_not_finite_name_the_field_and_the_range(name: str) -> None:
    limit = limit_of(name)
    assert limit.high is not None
    is_list = isinstance(getattr(GOOD, name), tuple)
    whole = is_list or "int" in str(FIELD_TYPES[name])
    bad: list[Any] = [limit.low - 1, limit.high + 1]
    if not whole:
        bad += [float("nan"), float("inf"), -float("inf")]
    for value in bad:
        number = int(value) if whole else value
        with pytest.raises(InvalidRequest, match=f"^{name}: ") as caught:
            GOOD.replace(**{name: (number,) if is_list else number}).validate()
        assert caught.value.field == name
        assert f"{limit.low:g}" in str(caught.value)
        assert "\n" not in str(caught.value)


FIELD_TYPES = {spec.name: spec.type for spec in dataclasses.fields(GenerationRequest)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", "  \n"),
        ("prompt", 3),
        ("scheduler", "ddim"),
        ("cfg_type", "none"),
        ("language", "xx"),
        ("duration", "60"),
        ("duration", True),
        ("num_inference_steps", 3.0),
        ("use_erg_tag", 1),
        ("seed", 1.5),
        ("oss_steps", (3, 2)),
        ("oss_steps", (2, 2)),
        ("oss_steps", (1.5,)),
        ("task", "remix"),
    ],
)
def test_bad_values_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: "):
        GOOD.replace(**{field: value}).validate()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"task": "repaint", "repaint_start": 3.0, "repaint_end": 3.0}, "repaint_end"),
        ({"task": "extend"}, "extend_right"),
        ({"task": "edit"}, "source_prompt"),
        (
            {"task": "edit", "source_prompt": "x", "edit_n_min": 0.5, "edit_n_max": 0.5},
            "edit_n_max",
        ),
        ({"task": "retake", "reference": "a.wav"}, "reference"),
        ({"reference": "a.wav", "oss_steps": (1, 2)}, "oss_steps"),
    ],
)
def test_what_a_task_needs(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^{field}: "):
        GOOD.replace(**changes).validate()


def seeds_of(takes: list[GenerationRequest]) -> list[tuple[int | None, int | None]]:
    return [(take.seed, take.retake_seed) for take in takes]


@pytest.mark.parametrize("task", ["repaint", "extend"])
def test_all_noise_of_a_take_follows_from_its_seed(task: str) -> None:
    request = GOOD.replace(task=task)
    assert seeds_of(request.takes([9, 4])) == [(9, 9), (4, 4)]
    counted = request.replace(seed=5).takes(2)
    assert seeds_of(counted) == [(5, 5), (6, 6)]
    assert counted[1] == request.replace(seed=6).takes(1)[0]
    assert [take.takes(1) for take in counted] == [[take] for take in counted]
    (drawn,) = request.takes(1)
    assert drawn.seed == drawn.retake_seed is not None
    both = request.replace(seed=5, retake_seed=2**32 - 1)
    assert seeds_of(both.takes(2)) == [(5, 2**32 - 1), (6, 0)]


def test_takes_of_a_retake_have_one_seed() -> None:
    request = GOOD.replace(task="retake", seed=3)
    assert seeds_of(request.takes([9, 4])) == [(3, 9), (3, 4)]
    assert seeds_of(request.replace(retake_seed=7).takes(2)) == [(3, 7), (3, 8)]
    first, second = seeds_of(request.takes(2))
    assert first[0] == second[0] == 3
    assert first != second
    with pytest.raises(InvalidRequest, match=r"^seed: is missing"):
        request.replace(seed=None).takes([9])


def test_unknown_fields_are_never_dropped() -> None:
    with pytest.raises(InvalidRequest, match=r"^tempo: .*prompt"):
        GenerationRequest.from_dict({"prompt": "x", "tempo": 80})
    with pytest.raises(InvalidRequest, match=r"^tempo: "):
        GOOD.replace(tempo=80)


@settings(max_examples=50, deadline=None)
@given(
    prompt=st.text(min_size=1),
    lyrics=st.text(),
    seed=st.none() | st.integers(0, 2**32 - 1),
    duration=st.floats(1, 240),
    steps=st.lists(st.integers(1, 1000), max_size=5).map(tuple),
    erg=st.booleans(),
)
def test_json_round_trip(
    prompt: str,
    lyrics: str,
    seed: int | None,
    duration: float,
    steps: tuple[int, ...],
    erg: bool,
) -> None:
    request = GenerationRequest(
        prompt=prompt,
        lyrics=lyrics,
        seed=seed,
        duration=duration,
        oss_steps=steps,
        use_erg_tag=erg,
    )
    assert GenerationRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request


def test_lists_are_kept_as_tuples() -> None:
    made = GenerationRequest(lora=["rap.safetensors"], oss_steps=[1, 2])  # type: ignore[arg-type]
    same = GenerationRequest(lora=("rap.safetensors",), oss_steps=(1, 2))
    assert made == same == GenerationRequest().replace(lora=["rap.safetensors"], oss_steps=[1, 2])
    assert hash(made) == hash(same)
