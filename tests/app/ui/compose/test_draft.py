"""What stands in the form is there again at the next start."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music_app.ui.compose import ComposeView, draft

from .conftest import SKETCH


def test_typing_is_kept_by_itself(qtbot: QtBot, make_view: Callable[[], ComposeView]) -> None:
    view = make_view()
    qtbot.keyClicks(view.form.tags.edit, "folk, warm")
    assert not draft.draft_file().exists()
    qtbot.waitUntil(draft.draft_file().exists, timeout=3000)
    assert [path.name for path in draft.draft_file().parent.glob("*.partial")] == []
    assert make_view().form.tags.value() == "folk, warm"


def test_everything_survives(make_view: Callable[[], ComposeView]) -> None:
    view = make_view()
    view.settings.model.choose(SKETCH.value)
    request = GenerationRequest(
        prompt="a, b", lyrics="x\ny", language="ja", duration=33.25, seed=9, omega_scale=-3.5,
        oss_steps=(3, 9), use_erg_tag=False, lora=("me/a:0.25",), speaker_embedding="/e.npy",
    )  # fmt: skip
    view.form.set_request(request, view.form.mode, None)
    view.page.title_edit.setText("My song")
    view.settings.set_takes(5)
    view.form.lyrics.instrumental.setChecked(True)
    view.form.lyrics.set_outline("[verse]")
    view.form.advanced.open()
    field = view.form.rows["guidance_scale"].control.field()
    assert isinstance(field, QLineEdit)
    field.setText("loud")
    view.save_draft()

    again = make_view()
    assert again.state() == view.state()
    assert again.settings.model.current() == SKETCH
    assert again.settings.takes == 5
    assert again.title() == "My song"
    assert again.form.advanced.is_open
    assert not again.form.rows["guidance_scale"].error.isHidden()
    again.form.rows["guidance_scale"].reset()
    again.settings.model.choose("singer/model")
    again.form.lyrics.instrumental.setChecked(False)
    assert again.request() == request.replace(guidance_scale=15.0)


def test_a_default_of_the_model_is_no_change_after_a_restart(
    make_view: Callable[[], ComposeView],
) -> None:
    view = make_view()
    view.settings.model.choose(SKETCH.value)
    view.form.rows["num_inference_steps"].set_value(60)  # the engine's, but not the model's
    view.save_draft()
    again = make_view()
    assert again.request().num_inference_steps == 60
    assert again.request().duration == 30.0
    again.form.rows["num_inference_steps"].reset()
    assert again.request().num_inference_steps == 20


def test_a_draft_of_an_earlier_version_is_read(
    make_view: Callable[[], ComposeView],
) -> None:
    view = make_view()
    view.form.tags.set_value("mine")
    view.save_draft()
    old = json.loads(draft.draft_file().read_text("utf-8"))
    del old["form"]["left"]
    draft.draft_file().write_text(json.dumps(old), "utf-8")
    assert make_view().form.tags.value() == "mine"


def test_quitting_keeps_the_last_words(make_view: Callable[[], ComposeView]) -> None:
    view = make_view()
    view.form.tags.set_value("at the last moment")
    app = QCoreApplication.instance()
    assert app is not None
    app.aboutToQuit.emit()
    assert make_view().form.tags.value() == "at the last moment"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 99}',
        '{"format": 1}',
        '{"format": 1, "title": "x", "form": {"mode": "no such"}}',
        "\x00\xff",
        "[" * 100_000,
    ],
)
def test_a_damaged_draft_is_put_aside(make_view: Callable[[], ComposeView], text: str) -> None:
    file = draft.draft_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "latin-1")
    view = make_view()
    assert view.request() == GenerationRequest()
    assert "could not be read" in view.notice.words.text()
    aside = file.with_name("draft-damaged.json")
    assert aside.read_text("latin-1") == text
    view.form.tags.set_value("new")
    view.save_draft()
    assert make_view().form.tags.value() == "new"


def test_a_draft_with_one_wrong_value_is_put_aside(
    make_view: Callable[[], ComposeView],
) -> None:
    view = make_view()
    view.form.tags.set_value("mine")
    view.save_draft()
    good = json.loads(draft.draft_file().read_text("utf-8"))
    for name, wrong in (("prompt", 5), ("num_inference_steps", [1]), ("lora", 3), ("seed", {})):
        bad = json.loads(json.dumps(good))
        bad["form"]["fields"][name] = wrong
        draft.draft_file().write_text(json.dumps(bad), "utf-8")
        again = make_view()
        assert again.request() == GenerationRequest(), name
        assert again.form.strip.isHidden()


def test_a_draft_that_cannot_be_kept_is_told(
    make_view: Callable[[], ComposeView], monkeypatch: pytest.MonkeyPatch
) -> None:
    view = make_view()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(draft, "write_draft", full)
    view.save_draft()
    assert "No space left" in view.notice.words.text()
