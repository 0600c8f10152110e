"""Work on a take: each task fills the form in, and gives a request that validates."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music.request import EDIT_PRESETS
from mlx_music_app.engine.jobs import Job
from mlx_music_app.library.take import Take
from mlx_music_app.ui.compose import ComposeView


def _generate(qtbot: QtBot, view: ComposeView) -> Job:
    assert view.bar.generate.isEnabled(), view.bar.reason.text()
    with qtbot.waitSignal(view.generateRequested) as heard:
        qtbot.mouseClick(view.bar.generate, Qt.MouseButton.LeftButton)
    job = heard.args[0]
    assert isinstance(job, Job)
    job.request.validate()
    return job


#: Name of the task, and what its request must say.
TASKS: list[tuple[str, dict[str, object]]] = [
    ("repaint", {"task": "repaint", "repaint_start": 4.0, "repaint_end": 9.5}),
    ("extend", {"task": "extend", "extend_left": 0.0, "extend_right": 30.0}),
    ("extend_left", {"task": "extend", "extend_left": 30.0, "extend_right": 0.0}),
    ("extend_right", {"task": "extend", "extend_right": 30.0, "retake_variance": 1.0}),
    ("continue", {"task": "extend", "extend_right": 30.0}),
    ("retake", {"task": "retake", "seed": 7, "duration": 42.0, "source": None}),
    ("vary", {"task": "retake", "seed": 7, "retake_variance": 0.5}),
    ("edit", {"task": "edit", "edit_n_min": EDIT_PRESETS["only_lyrics"][0]}),
    ("edit_lyrics", {"task": "edit", "source_prompt": "folk, warm", "prompt": "folk, warm"}),
    ("restyle", {"task": "edit", "edit_n_max": EDIT_PRESETS["remix"][1]}),
    ("reference", {"task": "text2music", "source": None}),
]


@pytest.mark.parametrize(("task", "expected"), TASKS)
def test_each_task_gives_a_request(
    qtbot: QtBot, view: ComposeView, take: Take, task: str, expected: dict[str, object]
) -> None:
    view.work_on(take, task, (4.0, 9.5))
    assert view.form.strip.isVisible()
    assert view.form.strip.name.text() == take.name
    job = _generate(qtbot, view)
    request = job.request
    assert {name: getattr(request, name) for name in expected} == expected
    assert (job.parent, job.title, job.model) == (take.id, take.title, take.model)
    assert request.num_inference_steps == 33, "settings are the take's own"
    assert request.lora == take.request.lora, "or somebody else would sing"
    path = request.reference if task == "reference" else request.source
    assert path == (None if request.task == "retake" else str(take.path))
    if request.task in ("repaint", "extend"):
        assert request.seed is not None
        assert request.retake_seed is not None
    if request.task == "retake":
        assert request.retake_seed is not None


def test_only_what_matters_is_shown(view: ComposeView, take: Take) -> None:
    def shown(name: str) -> bool:
        return view.form.rows[name].isVisible()

    view.work_on(take, "repaint", (1.0, 2.0))
    assert shown("repaint_start")
    assert not shown("extend_left")
    assert not shown("duration")
    assert not view.page.presets.isVisible()
    view.work_on(take, "vary")
    assert shown("retake_variance")
    assert not view.form.lyrics.isVisible()
    assert not shown("prompt")
    view.work_on(take, "reference")
    assert not shown("duration"), "the music is as long as the recording"
    view.form.rows["reference_loop"].set_value(True)
    assert shown("duration")


def test_other_words_need_a_model_that_sings(view: ComposeView, take: Take) -> None:
    view.work_on(dataclasses.replace(take, model="sketch"), "edit")
    assert not view.bar.generate.isEnabled()
    assert "Sketch does not sing" in view.bar.reason.text()
    view.form.strip.modeChosen.emit("restyle")
    assert view.bar.generate.isEnabled()
    view.form.strip.modeChosen.emit("lyrics")
    view.settings.model.choose("singer/model")
    assert view.bar.generate.isEnabled()


def test_changed_lines_are_shown(qtbot: QtBot, view: ComposeView, take: Take) -> None:
    view.work_on(take, "edit")
    diff = view.form.lyrics.diff
    assert diff.isVisible()
    assert diff.title.text() == "No line is changed yet"
    text = view.form.lyrics.text
    text.set_text("[verse]\nThe boats are gone\nThe night is thin")
    assert diff.title.text() == "1 line changes"
    shown = diff.view.toPlainText()
    assert "The boats are in gone" in shown
    job = _generate(qtbot, view)
    assert job.request.source_lyrics == take.request.lyrics
    assert job.request.lyrics.endswith("gone\nThe night is thin")


def test_switching_keeps_what_was_typed(qtbot: QtBot, view: ComposeView, take: Take) -> None:
    view.work_on(take, "repaint", (4.0, 9.5))
    view.form.tags.edit.toggle("choir")
    end = view.form.rows["repaint_end"].control.field()
    assert isinstance(end, QLineEdit)
    end.selectAll()
    qtbot.keyClicks(end, "0:12")
    modes = view.form.strip.modes
    qtbot.mouseClick(modes.button("vary"), Qt.MouseButton.LeftButton)
    assert _generate(qtbot, view).request.prompt == take.request.prompt, "what is hidden is its own"
    qtbot.mouseClick(modes.button("repaint"), Qt.MouseButton.LeftButton)
    request = _generate(qtbot, view).request
    assert request.prompt == "folk, warm, choir"
    assert (request.repaint_start, request.repaint_end) == (4.0, 12.0)
    for key in ("extend", "lyrics", "restyle", "reference", "repaint", "vary"):
        qtbot.mouseClick(modes.button(key), Qt.MouseButton.LeftButton)
        assert _generate(qtbot, view).parent == take.id


def test_back_brings_what_was_composed_before(qtbot: QtBot, view: ComposeView, take: Take) -> None:
    view.form.tags.set_value("my draft")
    view.form.lyrics.text.set_text("my words")
    view.form.rows["num_inference_steps"].set_value(12)
    before = view.request()
    view.work_on(take, "repaint", (1.0, 2.0))
    view.work_on(take, "extend")
    assert view.request() != before
    qtbot.mouseClick(view.form.strip.back, Qt.MouseButton.LeftButton)
    assert view.request() == before
    assert not view.form.strip.isVisible()
    assert _generate(qtbot, view).parent is None


def test_back_can_be_undone_if_something_was_typed(
    qtbot: QtBot, view: ComposeView, take: Take
) -> None:
    view.form.tags.set_value("my draft")
    view.work_on(take, "extend")
    qtbot.mouseClick(view.form.strip.back, Qt.MouseButton.LeftButton)
    assert not view.notice.isVisible(), "nothing is lost"
    view.work_on(take, "extend")
    view.form.tags.edit.toggle("choir")
    qtbot.mouseClick(view.form.strip.modes.button("vary"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(view.form.strip.back, Qt.MouseButton.LeftButton)
    assert view.form.tags.value() == "my draft"
    qtbot.mouseClick(view.notice.undo, Qt.MouseButton.LeftButton)
    assert view.form.strip.name.text() == take.name
    qtbot.mouseClick(view.form.strip.modes.button("extend"), Qt.MouseButton.LeftButton)
    assert view.form.tags.value() == "folk, warm, choir", "also what another use had"
    view.back()
    assert view.form.tags.value() == "my draft"


@pytest.mark.parametrize("task", ["extend", "edit"])
def test_other_work_can_be_undone_if_something_was_typed(
    view: ComposeView, take: Take, tmp_path: Path, task: str
) -> None:
    other = tmp_path / "Humming.wav"
    other.touch()
    view.form.tags.set_value("my draft")
    view.work_on(take, task)
    view.work_on(take, "vary")
    assert not view.notice.isVisible(), "nothing is lost"
    view.work_on(take, task)
    view.form.lyrics.text.set_text("other words")
    view.work_on_file(other, "repaint", duration=20.0)
    assert "Humming" in view.notice.words.text()
    view.notice.undo.click()
    assert view.form.strip.name.text() == take.name
    assert view.form.lyrics.text.text() == "other words"
    view.work_on(take, "vary")
    view.notice.undo.click()
    assert view.form.lyrics.text.text() == "other words"
    view.back()
    assert view.form.tags.value() == "my draft"


def test_work_keeps_the_way_back_from_settings(view: ComposeView, take: Take) -> None:
    view.form.tags.set_value("mine")
    view.set_request(GenerationRequest(prompt="theirs"), title="Theirs")
    view.work_on(take, "extend")
    view.back()
    assert view.form.tags.value() == "theirs"
    assert view.notice.isVisible()
    view.notice.undo.click()
    assert view.form.tags.value() == "mine"


def test_a_region_the_wrong_way_round_is_told(view: ComposeView, take: Take) -> None:
    view.work_on(take, "repaint", (4.0, 9.5))
    view.form.rows["repaint_start"].set_value(20.0)
    assert "is not after the start" in view.form.rows["repaint_end"].error.text()
    assert not view.bar.generate.isEnabled()


def test_what_does_not_fit_the_recording_is_told(view: ComposeView, take: Take) -> None:
    view.work_on(take, "repaint", (4.0, 9.5))
    view.form.rows["repaint_end"].set_value(take.duration + 0.05)
    assert view.bar.generate.isEnabled(), "a frame beyond the end is the end"
    view.form.rows["repaint_end"].set_value(take.duration + 5)
    assert "which lasts 0:42" in view.form.rows["repaint_end"].error.text()
    long = dataclasses.replace(take, duration=300.0)
    view.work_on(long, "edit")
    assert view.bar.reason.text() == "The recording lasts 5:00; this model hears 4:00"
    assert not view.bar.show_button.isVisible()
    view.work_on(long, "extend")
    assert view.bar.generate.isEnabled()


def test_a_recording_must_have_a_length_that_the_engine_takes(
    view: ComposeView, take: Take
) -> None:
    short = dataclasses.replace(take, duration=0.09)
    for task in ("repaint", "extend", "restyle", "reference"):
        view.work_on(short, task)
        assert view.bar.reason.text() == (
            "The recording lasts 0.09 seconds, which is too short; it must last at least "
            "0.5 seconds"
        )
        assert not view.bar.generate.isEnabled()
    view.work_on(short, "vary")
    assert view.bar.generate.isEnabled(), "the recording itself is not read"
    view.work_on(dataclasses.replace(take, duration=601.0), "extend")
    assert "too long; it must last at most 10:00" in view.bar.reason.text()


@pytest.mark.parametrize(
    "name",
    [
        "Harbour Lights rough mix 3 (no vox, 92 bpm, with click) 2026-11-28.mp3",
        "Harbour_Lights_rough_mix_3_no_vox_92_bpm_with_click_and_count_in_2026-11-28.mp3",
    ],
)
def test_a_long_file_name_does_not_widen_the_page(
    qtbot: QtBot, view: ComposeView, tmp_path: Path, name: str
) -> None:
    page, port = view.page.widget(), view.page.viewport()
    assert page is not None
    view.resize(640, 800)
    path = tmp_path / name
    path.touch()
    view.work_on_file(path, "extend", duration=20.0)
    title = view.form.strip.name
    qtbot.waitUntil(lambda: "\N{HORIZONTAL ELLIPSIS}" in title.shown())
    assert title.shown().endswith(path.stem[-4:]), "the ends are what tells files apart"
    assert title.toolTip() == path.stem
    assert page.minimumSizeHint().width() <= port.width()
    path.unlink()
    view.form.tags.set_value("folk")
    view.work_on_file(path, "repaint", duration=20.0)
    assert path.stem in view.notice.words.text()
    assert name in view.bar.reason.text()
    assert page.minimumSizeHint().width() <= port.width()
    assert view.bar.minimumSizeHint().width() <= view.width()
    view.resize(1100, 800)
    view.form.strip.name.setText("Short")
    assert title.shown() == "Short"


def test_a_recording_that_comes_back_can_be_worked_on_at_once(
    qtbot: QtBot, view: ComposeView, take: Take
) -> None:
    view.work_on(take, "extend")
    away = take.path.rename(take.path.with_name("away.wav"))
    QApplication.sendEvent(view.window(), QEvent(QEvent.Type.WindowActivate))
    assert not view.bar.generate.isEnabled()
    away.rename(take.path)
    QApplication.sendEvent(view.window(), QEvent(QEvent.Type.WindowActivate))
    assert view.bar.generate.isEnabled()
    view.hide()
    take.path.unlink()
    view.show()
    assert not view.bar.generate.isEnabled()


def test_what_cannot_be_varied_is_not_offered(view: ComposeView, take: Take) -> None:
    made = dataclasses.replace(
        take, request=GenerationRequest(prompt="x", reference="/r.wav", seed=1)
    )
    view.work_on(made, "vary")
    assert not view.form.strip.isVisible()
    assert "cannot be used for that" in view.notice.words.text()
    view.work_on(made, "repaint")
    button = view.form.strip.modes.button("vary")
    assert not button.isEnabled()
    assert button.toolTip()


def test_a_recording_that_says_nothing_of_itself(
    qtbot: QtBot, view: ComposeView, take: Take
) -> None:
    view.form.tags.set_value("humming")
    view.work_on_file(take.path, "restyle", duration=12.0)
    assert not view.bar.generate.isEnabled(), "an edit has to know what there was"
    now = view.form.rows["source_prompt"]
    assert now.isVisible()
    assert not now.error.isHidden()
    now.set_value("a voice that hums")
    request = _generate(qtbot, view).request
    assert (request.prompt, request.source_prompt) == ("humming", "a voice that hums")
    qtbot.mouseClick(view.form.strip.modes.button("lyrics"), Qt.MouseButton.LeftButton)
    view.form.rows["source_prompt"].set_value("humming, dry")
    assert _generate(qtbot, view).request.prompt == "humming, dry", "only the words change"


def test_work_survives_a_restart(
    qtbot: QtBot, make_view: Callable[[], ComposeView], take: Take
) -> None:
    first = make_view()
    first.form.tags.set_value("before")
    first.work_on(take, "vary")
    first.save_draft()
    second = make_view()
    assert second.form.strip.name.text() == take.name
    job = _generate(qtbot, second)
    assert (job.request.task, job.request.seed, job.parent) == ("retake", 7, take.id)
    second.back()
    assert second.form.tags.value() == "before"
