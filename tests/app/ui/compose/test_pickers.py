"""Adapters and voices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music.voices import save_voice
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.compose import ComposeView

from .conftest import SKETCH


@pytest.fixture
def voices(tmp_path: Path) -> None:
    """Two voices: of an adapter on the hub, and of a recording."""
    import numpy as np
    import soundfile

    path = tmp_path / "aunt.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, (16_000, 1)), 8_000)
    save_voice("Aunt", reference=path, strength=0.25)
    save_voice("Rapper", lora="some/rap", lora_weight=0.5)


def _pick(view: ComposeView, name: str) -> None:
    voice = view.settings.voice
    voice.refresh()
    voice.menu.setCurrentIndex(voice.menu.findText(name))
    voice.menu.activated.emit(voice.menu.currentIndex())


def test_adapters_are_added_weighed_and_removed(
    qtbot: QtBot, view: ComposeView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "rap.safetensors")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (path, ""))
    view.form.tags.set_value("folk")
    loras = view.form.loras
    qtbot.mouseClick(loras.add_button, Qt.MouseButton.LeftButton)
    assert view.request().lora == (f"{path}:1.0",)
    (entry,) = loras.entries
    assert entry.weight.slider is not None
    entry.weight.slider.setValue(entry.weight.slider.maximum())
    assert view.request().lora == (f"{path}:3.0",)
    entry.weight.edit.setText("-0,5")
    assert view.request().lora == (f"{path}:-0.5",)
    entry.weight.edit.setText("9")
    assert "-3 to 3" in view.form.lora.error.text()
    assert not view.bar.generate.isEnabled()
    qtbot.mouseClick(entry.remove, Qt.MouseButton.LeftButton)
    assert view.request().lora == ()
    assert view.bar.generate.isEnabled()


def test_a_voice_fills_in_what_it_holds(view: ComposeView, voices: None) -> None:
    view.form.tags.set_value("folk")
    view.form.loras.add("my/own")
    _pick(view, "Rapper")
    assert view.request().lora == ("my/own:1.0", "some/rap:0.5")
    _pick(view, "Aunt")
    request = view.request()
    assert request.lora == ("my/own:1.0",), "one voice takes the place of another"
    assert request.reference is not None
    assert (request.reference_strength, request.prompt) == (0.25, "folk")
    assert view.form.strip.name.text() == "Voice Aunt"
    _pick(view, "None")
    assert view.request() == GenerationRequest(prompt="folk", lora=("my/own:1.0",))


def test_the_voice_of_a_request_is_shown(view: ComposeView, voices: None) -> None:
    view.settings.voice.refresh()
    view.set_request(GenerationRequest(prompt="x", lora=("some/rap:0.5",)))
    current = view.settings.voice.current()
    assert current is not None
    assert current.name == "Rapper"
    view.form.loras.entries[0].weight.set_value(0.75)
    assert view.settings.voice.current() is None


def test_a_voice_that_is_of_no_use_to_a_task_is_not_offered(
    view: ComposeView, take: Take, voices: None
) -> None:
    view.work_on(take, "repaint", (1.0, 2.0))
    menu = view.settings.voice.menu
    model = menu.model()
    assert isinstance(model, QStandardItemModel)
    assert not model.item(menu.findText("Aunt")).isEnabled()
    assert model.item(menu.findText("Rapper")).isEnabled()
    _pick(view, "Rapper")
    request = view.request()
    assert (request.task, request.lora[-1]) == ("repaint", "some/rap:0.5")


def test_the_model_of_the_preferences_is_the_first_choice(
    make_view: Callable[[], ComposeView],
) -> None:
    preferences = Preferences()
    preferences.set("model", SKETCH.value)
    view = make_view()
    assert view.settings.model.current() == SKETCH


def test_a_model_that_is_gone_is_told(view: ComposeView) -> None:
    view.form.tags.set_value("folk")
    view.settings.model.choose("gone/model")
    assert "gone/model is not here" in view.bar.reason.text()
    assert view.settings.model.wanted == "gone/model", "it may come back"
