"""Things dragged onto Compose."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

from mlx_music import GenerationRequest
from mlx_music.metadata import Description
from mlx_music_app.ui.compose import ComposeView
from mlx_music_app.ui.drop import Dropped

_COPY, _LEFT = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
_PLAIN = Qt.KeyboardModifier.NoModifier


def _drag(view: QWidget, data: QMimeData) -> QDragEnterEvent:
    event = QDragEnterEvent(QPoint(20, 20), _COPY, data, _LEFT, _PLAIN)
    event.ignore()
    QApplication.sendEvent(view, event)
    return event


def _drop(view: ComposeView, data: QMimeData, zone: str) -> None:
    assert _drag(view, data).isAccepted()
    zones = view.drop_zones
    assert zones.isVisible()
    point = zones.area(zone).center()
    move = QDragMoveEvent(point.toPoint(), _COPY, data, _LEFT, _PLAIN)
    zones.dragMoveEvent(move)  # Qt sends these only while it drags itself
    assert move.isAccepted()
    event = QDropEvent(QPointF(point), _COPY, data, _LEFT, _PLAIN)
    zones.dropEvent(event)
    assert event.isAccepted()
    assert event.dropAction() == _COPY
    assert not zones.isVisible()


def _files(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    import numpy as np
    import soundfile

    path = tmp_path / "humming.wav"
    soundfile.write(path, np.zeros((4800, 2)), 4800)
    return path


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.json"
    request = GenerationRequest(prompt="from a file", seed=4, guidance_scale=7.0)
    path.write_text(Description(request, "sketch").to_json(), "utf-8")
    return path


def test_a_recording_becomes_what_its_zone_says(view: ComposeView, recording: Path) -> None:
    view.form.tags.set_value("strings")
    _drop(view, _files(recording), "reference")
    request = view.request()
    assert (request.reference, request.prompt) == (str(recording), "strings")
    assert "1 take of 0:01" in view.bar.summary.text()
    view.back()
    _drop(view, _files(recording), "work")
    assert (view.request().task, view.request().source) == ("repaint", str(recording))


def test_settings_are_restored(view: ComposeView, settings: Path) -> None:
    _drop(view, _files(settings), "settings")
    assert view.request() == GenerationRequest(prompt="from a file", seed=4, guidance_scale=7.0)
    current = view.settings.model.current()
    assert current is not None
    assert current.value == "sketch"


def test_our_own_file_is_everything(view: ComposeView, recording: Path) -> None:
    own = GenerationRequest(prompt="own", seed=2)
    assert view.accept(Dropped("own", recording, own, "", 1.0))
    assert view.request() == own
    assert view.accept(Dropped("own", recording, own, "", 1.0), "work")
    assert view.form.strip.modes.button("vary").isEnabled()


def test_an_adapter_is_added_once(view: ComposeView, tmp_path: Path) -> None:
    dropped = Dropped("lora", tmp_path / "rap.safetensors")
    assert view.accept(dropped)
    assert view.accept(dropped)
    assert view.form.loras.value() == (f"{tmp_path / 'rap.safetensors'}:1.0",)


def test_what_is_of_no_use_is_left_to_others(view: ComposeView, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert not _drag(view, _files(tmp_path / "notes.txt")).isAccepted()
    assert not view.drop_zones.isVisible()
    assert not view.accept(Dropped("model", tmp_path))


def test_files_do_not_fall_into_text_fields(view: ComposeView, recording: Path) -> None:
    for field in (view.form.tags.edit, view.form.lyrics.text):
        assert not field.canInsertFromMimeData(_files(recording))
        words = QMimeData()
        words.setText("words")
        assert field.canInsertFromMimeData(words)


def test_leaving_hides_the_zones(view: ComposeView, recording: Path) -> None:
    _drag(view, _files(recording))
    view.drop_zones.dragLeaveEvent(QDragLeaveEvent())
    assert not view.drop_zones.isVisible()
