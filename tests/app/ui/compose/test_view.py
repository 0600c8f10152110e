"""Compose as a person uses it: type, click, generate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSlider,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest, InvalidRequest
from mlx_music_app.engine.jobs import Job
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.compose import ComposeView

from .conftest import SINGER, SKETCH

_KEYS = Qt.KeyboardModifier.ControlModifier


def _generate(qtbot: QtBot, view: ComposeView) -> Job:
    with qtbot.waitSignal(view.generateRequested) as heard:
        qtbot.mouseClick(view.bar.generate, Qt.MouseButton.LeftButton)
    job = heard.args[0]
    assert isinstance(job, Job)
    job.request.validate()
    return job


def test_what_is_typed_becomes_a_job(qtbot: QtBot, view: ComposeView) -> None:
    assert not view.bar.generate.isEnabled()
    assert "Style is empty" in view.bar.generate.toolTip()
    assert view.form.prompt.error.isHidden(), "an untouched form shows no errors"
    qtbot.keyClicks(view.form.tags.edit, "slow folk, warm")
    qtbot.keyClicks(view.form.lyrics.text, "[verse]")
    qtbot.keyClick(view.form.lyrics.text, Qt.Key.Key_Return)
    qtbot.keyClicks(view.form.lyrics.text, "Hello")
    edit = view.form.duration.control.field()
    assert isinstance(edit, QLineEdit)
    edit.selectAll()
    qtbot.keyClicks(edit, "1:30")
    qtbot.mouseClick(view.settings.takes_control.button("3"), Qt.MouseButton.LeftButton)
    assert view.bar.generate.text() == "Generate 3 takes"
    assert "3 takes of 1:30" in view.bar.summary.text()
    job = _generate(qtbot, view)
    assert job.request.prompt == "slow folk, warm"
    assert job.request.lyrics == "[verse]\nHello"
    assert job.request.duration == 90.0
    assert (job.takes, job.model, job.title) == (3, SINGER.value, "Slow folk, warm")
    assert job.parent is None


def test_each_job_has_a_new_seed_until_it_is_locked(qtbot: QtBot, view: ComposeView) -> None:
    qtbot.keyClicks(view.form.tags.edit, "folk")
    first, second = _generate(qtbot, view), _generate(qtbot, view)
    assert first.request.seed is not None
    assert first.request.seed != second.request.seed
    seed = view.form.seed_control
    qtbot.mouseClick(seed.lock, Qt.MouseButton.LeftButton)
    assert seed.value() == second.request.seed, "the lock keeps the last one"
    assert _generate(qtbot, view).request.seed == second.request.seed
    qtbot.mouseClick(seed.dice, Qt.MouseButton.LeftButton)
    rolled = seed.value()
    assert rolled != second.request.seed
    assert _generate(qtbot, view).request.seed == rolled
    qtbot.mouseClick(seed.lock, Qt.MouseButton.LeftButton)
    assert seed.value() is None


def test_command_return_generates_from_any_field(qtbot: QtBot, view: ComposeView) -> None:
    qtbot.keyClicks(view.form.tags.edit, "folk")
    for field in (view.form.tags.edit, view.form.lyrics.text, view.page.title_edit):
        field.setFocus()
        with qtbot.waitSignal(view.generateRequested, timeout=1000):
            qtbot.keyClick(field, Qt.Key.Key_Return, _KEYS)
    assert view.form.tags.value() == "folk"
    assert view.form.lyrics.value() == ""


def test_a_wrong_value_is_told_at_its_field_and_shown(qtbot: QtBot, view: ComposeView) -> None:
    qtbot.keyClicks(view.form.tags.edit, "folk")
    steps = view.form.rows["num_inference_steps"]
    field = steps.control.field()
    assert isinstance(field, QLineEdit)
    for text in ("5000", "abc", ""):
        field.selectAll()
        qtbot.keyClick(field, Qt.Key.Key_Delete)
        qtbot.keyClicks(field, text)
        assert "1 to 1000" in steps.error.text()
        assert not steps.error.isHidden()
        assert not view.bar.generate.isEnabled()
        assert view.bar.generate.toolTip().startswith("Steps")
    assert not view.form.advanced.is_open
    qtbot.mouseClick(view.bar.show_button, Qt.MouseButton.LeftButton)
    assert view.form.advanced.is_open
    assert view.focusWidget() is field
    qtbot.mouseClick(steps.reset_button, Qt.MouseButton.LeftButton)
    assert steps.error.isHidden()
    assert steps.reset_button.isHidden()
    assert view.bar.generate.isEnabled()


def test_fields_that_do_not_go_together_are_told(view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.form.rows["oss_steps"].set_value((9, 4))
    assert "must rise" in view.form.rows["oss_steps"].error.text()
    with pytest.raises(InvalidRequest):
        view.request().validate()


def test_generating_an_empty_form_shows_what_is_missing(qtbot: QtBot, view: ComposeView) -> None:
    with qtbot.assertNotEmitted(view.generateRequested):
        view.generate()
    assert not view.form.prompt.error.isHidden()
    assert view.focusWidget() is view.form.tags.edit


def test_a_preset_fills_in_and_undo_takes_it_back(qtbot: QtBot, view: ComposeView) -> None:
    qtbot.keyClicks(view.form.tags.edit, "my own")
    view.form.lyrics.text.set_text("my words")
    card = view.page.presets.cards[1]
    qtbot.mouseClick(card, Qt.MouseButton.LeftButton)
    assert view.form.tags.value() == card.preset.prompt
    assert view.request().duration == card.preset.duration
    assert view.form.lyrics.value() == "my words", "a preset never takes words away"
    assert card.isChecked()
    view.form.tags.edit.undo()
    assert view.form.tags.value() == "my own"
    assert not card.isChecked()
    outline = view.form.lyrics._outline_button
    assert not outline.isHidden()
    qtbot.mouseClick(outline, Qt.MouseButton.LeftButton)
    assert view.form.lyrics.value().startswith("my words\n\n[")


def test_a_model_brings_its_defaults_and_limits(view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.form.lyrics.text.set_text("words")
    view.settings.model.choose(SKETCH.value)
    request = view.request()
    assert (request.num_inference_steps, request.duration) == (20, 30.0)
    assert request.lyrics == "", "what is not sung is not sent"
    assert not view.form.lyrics.silent.isHidden()
    view.form.duration.set_value(91.0)
    assert "90 seconds" in view.form.duration.error.text()
    view.form.rows["num_inference_steps"].set_value(44)
    view.settings.model.choose(SINGER.value)
    request = view.request()
    assert (request.num_inference_steps, request.duration) == (44, 91.0), "changed ones stay"
    assert request.lyrics == "words"


def test_without_a_usable_model_it_says_what_to_do(qtbot: QtBot, view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.set_models([])
    assert "get one under Models" in view.bar.generate.toolTip()
    view.set_models([ModelChoice("Big", "big", installed=False)])
    assert "Big is not installed" in view.bar.reason.text()
    with qtbot.waitSignal(view.modelsRequested):
        qtbot.mouseClick(view.settings.model.get, Qt.MouseButton.LeftButton)
    view.set_models([SINGER])
    assert view.bar.generate.isEnabled()


def test_the_instrumental_switch_keeps_the_words(qtbot: QtBot, view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.form.lyrics.text.set_text("words")
    view.form.lyrics.instrumental.click()
    assert view.request().lyrics == ""
    assert "instrumental" in view.bar.summary.text()
    view.form.lyrics.instrumental.click()
    assert view.request().lyrics == "words"


def test_settings_replace_the_form_and_can_be_taken_back(qtbot: QtBot, view: ComposeView) -> None:
    view.form.tags.set_value("mine")
    other = GenerationRequest(prompt="theirs", seed=3, duration=77.25)
    view.set_request(other, title="Theirs", model=SKETCH.value)
    assert view.request() == other
    assert view.title() == "Theirs"
    assert not view.notice.isHidden()
    qtbot.mouseClick(view.notice.undo, Qt.MouseButton.LeftButton)
    assert view.form.tags.value() == "mine"
    assert view.request().seed is None
    assert view.settings.model.current() == SINGER


def test_start_anew_empties_the_form(view: ComposeView) -> None:
    view.form.tags.set_value("mine")
    view.form.advanced.rows["omega_scale"].set_value(3.0)
    view.start_anew()
    assert view.request() == GenerationRequest()
    view.notice.undo.click()
    assert view.request().omega_scale == 3.0


def test_undo_can_be_undone(qtbot: QtBot, view: ComposeView) -> None:
    view.form.tags.set_value("old")
    view.start_anew()
    view.form.tags.set_value("new")
    view.form.lyrics.text.set_text("new words")
    qtbot.mouseClick(view.notice.undo, Qt.MouseButton.LeftButton)
    assert view.form.tags.value() == "old"
    assert view.notice.words.text() == "Brought back."
    qtbot.mouseClick(view.notice.undo, Qt.MouseButton.LeftButton)
    assert (view.form.tags.value(), view.form.lyrics.value()) == ("new", "new words")
    qtbot.mouseClick(view.notice.undo, Qt.MouseButton.LeftButton)
    assert view.form.tags.value() == "old"


def test_what_changes_nothing_keeps_the_way_back(view: ComposeView) -> None:
    view.form.tags.set_value("mine")
    view.start_anew()
    view.start_anew()
    view.notice.undo.click()
    assert view.form.tags.value() == "mine"


def test_generating_keeps_the_way_back(qtbot: QtBot, view: ComposeView) -> None:
    view.form.tags.set_value("mine")
    view.set_request(GenerationRequest(prompt="theirs"), title="Theirs")
    _generate(qtbot, view)
    assert view.notice.isVisible()
    qtbot.mouseClick(view.notice.undo, Qt.MouseButton.LeftButton)
    assert view.form.tags.value() == "mine"
    view.notice.tell("Only news.")
    _generate(qtbot, view)
    assert not view.notice.isVisible()


def test_the_time_it_takes_is_estimated(view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.set_estimator(lambda model, request: {"sample": 60.0, "decode": 15.0})
    view.settings.set_takes(4)
    assert "ready in 5 min" in view.bar.summary.text()


def test_every_control_has_a_name_and_a_stop(view: ComposeView) -> None:
    view.form.advanced.open()
    kinds = (QAbstractButton, QLineEdit, QPlainTextEdit, QTextEdit, QComboBox, QSlider)
    nameless = [
        f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}"
        for kind in kinds
        for widget in view.findChildren(kind)
        if widget.isVisible()
        and not widget.accessibleName()
        and not (isinstance(widget, QAbstractButton) and widget.text())
    ]
    assert nameless == []


def test_tab_goes_from_the_style_to_the_button(qtbot: QtBot, view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.form.tags.edit.setFocus()
    seen = []
    for _ in range(40):
        focused = view.focusWidget()
        assert focused is not None
        seen.append(focused)
        if focused is view.bar.generate:
            break
        view.focusNextChild()
    assert seen[-1] is view.bar.generate
    order = [
        view.form.tags.edit,
        view.page.suggestions.chips[0],
        view.page.presets.cards[0],
        view.form.lyrics.text,
        view.form.duration.control.field(),
        view.form.seed.control.field(),
        view.settings.model.menu,
        view.form.advanced.header,
    ]
    places = [seen.index(widget) for widget in order]
    assert places == sorted(places)


def test_tab_into_the_page_leads_to_the_title_in_sight(qtbot: QtBot) -> None:
    window, before, view = QWidget(), QPushButton("Before"), ComposeView(Preferences())
    layout = QVBoxLayout(window)
    layout.addWidget(before)
    layout.addWidget(view)
    qtbot.addWidget(window)
    view.form.advanced.open()
    window.resize(700, 500)
    window.show()
    window.activateWindow()
    before.setFocus()
    qtbot.waitUntil(before.hasFocus)
    bar = view.page.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 500)
    bar.setValue(bar.maximum())
    qtbot.keyClick(before, Qt.Key.Key_Tab)
    assert window.focusWidget() is view.page.title_edit
    assert view.page.title_edit.visibleRegion().boundingRect() == view.page.title_edit.rect()
    qtbot.keyClick(view.page.title_edit, Qt.Key.Key_Tab)
    assert window.focusWidget() is view.form.tags.edit
    before.setFocus()
    view.setFocus()
    assert window.focusWidget() is view.form.tags.edit, "the view itself is about the style"


def test_a_click_does_not_move_the_page(qtbot: QtBot, view: ComposeView) -> None:
    view.form.advanced.open()
    view.resize(700, 500)
    view.activateWindow()
    view.page.title_edit.setFocus()
    qtbot.waitUntil(view.page.title_edit.hasFocus)
    bar, edit = view.page.verticalScrollBar(), view.form.tags.edit
    top = edit.mapTo(view.page.widget(), edit.rect().topLeft()).y()
    bar.setValue(top + 10)
    qtbot.mousePress(edit.viewport(), Qt.MouseButton.LeftButton, pos=edit.rect().center())
    assert edit.hasFocus()
    assert bar.value() == top + 10
    qtbot.mouseRelease(edit.viewport(), Qt.MouseButton.LeftButton, pos=edit.rect().center())


@pytest.mark.parametrize("width", [700, 1100])
def test_nothing_is_wider_than_the_window(
    qtbot: QtBot, make_view: Callable[[], ComposeView], width: int
) -> None:
    view = make_view()
    view.form.advanced.open()
    view.resize(width, 800)
    page, port = view.page.widget(), view.page.viewport()
    assert page is not None
    qtbot.waitUntil(lambda: page.width() <= port.width())
    assert page.minimumSizeHint().width() <= port.width()
