"""How far and how long: bars never go back, and the time left comes true."""

from __future__ import annotations

import pytest

from mlx_music import GenerationRequest, ProgressEvent
from mlx_music_app.engine.estimate import Estimate, Paces, lasts_as_asked
from mlx_music_app.engine.jobs import JobStatus

REQUEST = GenerationRequest(prompt="funk", duration=60.0, num_inference_steps=60)

#: Seconds of each stage of a made-up machine, whose first step takes 5 seconds more.
LOAD, ENCODE, STEP, FIRST, DECODE, SAVE = 4.0, 0.5, 1.0, 5.0, 10.0, 1.0


def run(estimate: Estimate, takes: int, *, loads: bool) -> list[tuple[float, JobStatus]]:
    """Each status of a job, with the seconds since its start."""
    now, statuses = 0.0, []

    def tell(stage: str, step: int, total: int, elapsed: float) -> None:
        remaining = elapsed / step * (total - step) if step else None
        event = ProgressEvent(stage, step, total, elapsed, remaining)
        statuses.append((now, estimate.event(event)))

    tell("load", 0, 1, 0.0)
    if loads:
        now += LOAD
        estimate.took("load", LOAD)
        tell("load", 1, 1, LOAD)
    for take in range(takes):
        tell("encode", 0, 1, 0.0)
        now += ENCODE
        tell("encode", 1, 1, ENCODE)
        tell("sample", 0, 60, 0.0)
        first = FIRST if take == 0 and loads else 0.0
        now += first
        for step in range(1, 61):
            now += STEP
            tell("sample", step, 60, first + step * STEP)
        tell("decode", 0, 4, 0.0)
        for piece in range(1, 5):
            now += DECODE / 4
            tell("decode", piece, 4, piece * DECODE / 4)
        now += SAVE
        for stage, seconds in (("encode", ENCODE), ("sample", first + 60), ("decode", DECODE)):
            estimate.took(stage, seconds)
        estimate.took("save", SAVE)
        statuses.append((now, estimate.take_made()))
    return statuses


@pytest.mark.parametrize("takes", [1, 3])
@pytest.mark.parametrize("loads", [True, False])
def test_the_bar_never_goes_back_and_arrives(takes: int, loads: bool) -> None:
    statuses = run(Estimate(REQUEST, takes, loads=loads, expected=None), takes, loads=loads)
    fractions = [status.fraction for _, status in statuses]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.01
    assert fractions[-1] == 1.0
    assert statuses[-1][1].made == takes


@pytest.mark.parametrize("takes", [1, 3])
def test_time_left_comes_true(takes: int) -> None:
    statuses = run(Estimate(REQUEST, takes, loads=True, expected=None), takes, loads=True)
    end = statuses[-1][0]
    assert statuses[0][1].remaining is None  # nobody could know
    sampled = [(at, s) for at, s in statuses if s.stage == "sample" and s.step >= 3]
    for at, status in sampled:
        assert status.remaining == pytest.approx(end - at, rel=0.2, abs=5)  # the rest is a guess
    last_take = [(at, s) for at, s in statuses if s.made == takes - 1 and s.stage]
    for at, status in last_take[-30:] if takes > 1 else []:
        assert status.remaining == pytest.approx(end - at, rel=0.15, abs=2)
    assert statuses[-1][1].remaining == 0.0


def test_what_was_measured_is_expected_of_the_next() -> None:
    paces = Paces()
    measured = {"load": LOAD, "encode": ENCODE, "sample": 60.0, "decode": DECODE, "save": SAVE}
    paces.learn("model", REQUEST, measured)
    assert paces.expect("another", REQUEST) is None
    assert paces.expect("model", REQUEST.replace(task="repaint", source="a.wav")) is None
    longer = REQUEST.replace(duration=120.0, num_inference_steps=30, scheduler="heun")
    expected = paces.expect("model", longer)
    assert expected == {**measured, "sample": 120.0, "decode": 20.0, "save": 2.0}
    estimate = Estimate(longer, 1, loads=False, expected=expected)
    status = estimate.event(ProgressEvent("sample", 0, 60, 0.0, None))
    assert status.remaining == pytest.approx(142.0)


def test_stages_that_nobody_expected_do_no_harm() -> None:
    estimate = Estimate(REQUEST, 1, loads=True, expected=None)
    before = estimate.event(ProgressEvent("encode", 1, 1, 1.0, 0.0)).fraction
    status = estimate.event(ProgressEvent("download", 5, 10, 1.0, 1.0))
    assert status.fraction == before
    assert estimate.event(ProgressEvent("sample", 0, 0, 0.0, None)).fraction >= before


def test_music_lasts_as_asked_unless_a_recording_decides() -> None:
    assert lasts_as_asked(REQUEST)
    assert lasts_as_asked(REQUEST.replace(task="retake"))
    for fields in ({"reference": "a.wav"}, {"task": "repaint"}, {"task": "extend"}):
        assert not lasts_as_asked(REQUEST.replace(**fields))
