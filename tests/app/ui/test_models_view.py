"""The Models page, driven as a person does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAction, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from mlx_music.ace_step.published import MODEL_ID, TRANSFORMER
from mlx_music.voices import list_voices, save_voice
from mlx_music_app.background import Background
from mlx_music_app.models import removal, space
from mlx_music_app.models.adapters import installed_adapters
from mlx_music_app.models.service import ModelService
from mlx_music_app.ui.models import ask
from mlx_music_app.ui.models.card import ModelCard
from mlx_music_app.ui.models.report_dialog import ReportDialog
from mlx_music_app.ui.models_view import ModelsView
from tests.app.models.conftest import (  # noqa: F401
    apart,
    background,
    client,
    engine,
    folder,
    hub,
    make_service,
    preferences,
    published,
    service,
    sketch,
)
from tests.app.models.files import write_adapter
from tests.engine.weights.fake_hub import Repo

# Fixtures are arguments by design.
# ruff: noqa: F811

DONE = {"timeout": 20_000}


@pytest.fixture(autouse=True)
def voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLX_MUSIC_VOICES", str(tmp_path / "voices"))


@pytest.fixture
def view(service: ModelService, background: Background, qtbot: QtBot) -> Iterator[ModelsView]:
    view = ModelsView(service, background)
    qtbot.addWidget(view)
    view.resize(900, 1000)
    view.show()
    yield view
    view.hide()
    background.wait()
    qtbot.wait(1)


def press(button: QAbstractButton, qtbot: QtBot) -> None:
    qtbot.waitUntil(button.isVisible)
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(card: ModelCard, words: str, menu: QMenu | None = None) -> None:
    """Pick an entry of a card's menu, by the beginning of its words."""
    card.menu.aboutToShow.emit()
    actions = (menu or card.menu).actions()
    action = next(action for action in actions if action.text().startswith(words))
    assert action.isEnabled()
    action.trigger()


def entries(card: ModelCard) -> list[str]:
    card.menu.aboutToShow.emit()
    actions: list[QAction] = card.menu.actions()
    return [action.text() for action in actions if action.text()]


def drop(view: QWidget, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(QPoint(10, 10)),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    view.dropEvent(event)
    assert event.isAccepted()


def test_without_models_it_says_what_can_be_had(view: ModelsView) -> None:
    (card,) = view.cards.values()
    assert card.badge.text() == "Not downloaded"
    assert card.primary.isVisible()
    assert "8.3 GB to download" in card.facts.text()
    assert card.licence.text() == "Apache License 2.0"
    assert "singing" in card.about.text()
    assert entries(card) == ["Open its page"]
    assert "free" in view.room.text()
    assert view.adapters.shelf.empty.isVisible()
    assert view.voices.shelf.empty.isVisible()


def test_everything_has_a_name_for_those_who_cannot_see(sketch: Path, view: ModelsView) -> None:
    for kind in (QAbstractButton, QLineEdit):
        for widget in view.findChildren(kind):
            if widget.isVisible() and not widget.objectName().startswith("qt_"):
                assert widget.accessibleName() or getattr(widget, "text", str)(), widget


def test_download_pause_and_go_on(
    published: Repo, view: ModelsView, service: ModelService, qtbot: QtBot
) -> None:
    service.refresh()
    card = view.cards[MODEL_ID]
    press(card.primary, qtbot)
    assert card.badge.text() == "Downloading"
    assert card.transfer.isVisible()
    assert not card.primary.isVisible()
    press(card.transfer.pause, qtbot)
    assert card.transfer.words.text() == "Pausing"
    qtbot.waitUntil(lambda: service.activity(MODEL_ID) is None, timeout=20_000)
    if not card.model.ready:  # it may have been quicker than the finger
        again = card.transfer.resume if card.transfer.resume.isVisible() else card.primary
        with qtbot.waitSignal(service.downloaded, **DONE):
            press(again, qtbot)
    assert card.badge.text() == "Ready"
    assert not card.transfer.isVisible()


def test_discarding_asks_first(
    published: Repo,
    view: ModelsView,
    service: ModelService,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import constants

    blob = Path(constants.HF_HUB_CACHE) / "models--ACE-Step--ACE-Step-v1-3.5B/blobs/x.partial"
    blob.parent.mkdir(parents=True)
    blob.write_bytes(b"half")
    card = view.cards[MODEL_ID]
    service.refresh()
    # A look at the disk from before may still be under way, and be told of first.
    qtbot.waitUntil(lambda: card.badge.text() == "Paused")
    answers: list[bool | None] = [None, True]
    monkeypatch.setattr(ask, "ask_to_discard", lambda *_: answers.pop(0))
    press(card.transfer.stop, qtbot)
    assert blob.is_file()
    press(card.transfer.stop, qtbot)
    qtbot.waitUntil(lambda: card.badge.text() == "Not downloaded")
    assert not blob.exists()


def test_errors_are_shown_at_the_model(view: ModelsView, qtbot: QtBot) -> None:
    card = view.cards[MODEL_ID]
    press(card.primary, qtbot)  # offline
    qtbot.waitUntil(card.notice.isVisible, timeout=20_000)
    assert "offline mode is on" in card.notice.words.text()
    assert card.notice.action.text() == "Try again"
    press(card.notice.close_button, qtbot)
    assert not card.notice.isVisible()


def test_no_room_is_shown_at_the_model(
    view: ModelsView, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda folder: 2_000_000_000)
    card = view.cards[MODEL_ID]
    press(card.primary, qtbot)
    assert "needs 8.3 GB" in card.notice.words.text()
    assert "2.0 GB free" in card.notice.words.text()


def test_a_folder_dropped_on_the_page_is_imported(
    view: ModelsView, service: ModelService, folder: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(service.imported):
        drop(view, folder)
    card = view.cards[str(folder)]
    assert card.badge.text() == "Ready"
    assert str(folder) in card.facts.text()
    qtbot.waitUntil(card.memory.isVisible, timeout=10_000)
    assert "this machine has" in card.memory.text()


def test_what_is_no_model_is_refused_where_it_was_added(
    view: ModelsView, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "holiday pictures").mkdir()
    drop(view, tmp_path / "holiday pictures")
    qtbot.waitUntil(view.add.notice.isVisible)
    assert "no whole ACE-Step v1 model" in view.add.notice.words.text()
    press(view.add.notice.close_button, qtbot)
    assert not view.add.notice.isVisible()


def test_an_id_is_typed(view: ModelsView, service: ModelService, qtbot: QtBot) -> None:
    assert not view.add.get.isEnabled()
    qtbot.keyClicks(view.add.hub_id, "not an id")
    qtbot.keyClick(view.add.hub_id, Qt.Key.Key_Return)
    assert "org/name" in view.add.notice.words.text()
    view.add.hub_id.clear()
    qtbot.keyClicks(view.add.hub_id, "someone/Folk")
    press(view.add.get, qtbot)
    qtbot.waitUntil(lambda: "someone/Folk" in view.cards)
    qtbot.waitUntil(view.cards["someone/Folk"].notice.isVisible, timeout=20_000)
    assert view.add.hub_id.text() == ""
    assert not view.add.notice.isVisible()


def test_checking_shows_each_file(
    view: ModelsView, service: ModelService, folder: Path, qtbot: QtBot
) -> None:
    weights = folder / TRANSFORMER / "diffusion_pytorch_model.safetensors"
    with qtbot.waitSignal(service.imported):
        view.import_folder(folder)
    card = view.cards[str(folder)]
    with qtbot.waitSignal(service.verified, **DONE):
        choose(card, "Check every file")
    assert "All 10 files are whole" in card.notice.words.text()
    weights.write_bytes(weights.read_bytes()[:-8])
    with qtbot.waitSignal(service.verified, **DONE):
        choose(card, "Check every file")
    assert f"1 of 10 files are damaged or missing: {TRANSFORMER}/" in card.notice.words.text()
    press(card.notice.action, qtbot)
    dialog = view.findChild(ReportDialog)
    assert dialog is not None
    first = dialog.tree.topLevelItem(0)
    assert first is not None
    assert first.text(0).startswith(TRANSFORMER)
    assert "truncated" in first.text(2) or "bytes" in first.text(2)
    dialog.close()


def test_a_smaller_copy_is_made(
    view: ModelsView, service: ModelService, folder: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(service.imported):
        view.import_folder(folder)
    card = view.cards[str(folder)]
    with qtbot.waitSignal(service.quantized, **DONE) as made:
        assert "Make a smaller copy" in entries(card)
        choose(card, "Speed", card.presets)
        assert card.badge.text() == "Making a smaller copy"
    assert made.args is not None
    copy = view.cards[made.args[0]]
    assert copy.name.text() == "My model speed"
    assert "4 bits" in copy.facts.text()
    assert not any(words.startswith("Make a smaller") for words in entries(copy))


def test_deleting_asks_first_and_says_what_it_frees(
    view: ModelsView,
    service: ModelService,
    folder: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(removal, "move_to_trash", shutil.rmtree)
    with qtbot.waitSignal(service.imported) as made:
        service.import_folder(folder, copy=True)
    assert made.args is not None
    card = view.cards[made.args[0]]
    freed: list[int] = []
    answers = [False, True]

    def answer(parent: QWidget, model: object, nbytes: int) -> bool:
        freed.append(nbytes)
        return answers.pop(0)

    monkeypatch.setattr(ask, "ask_to_delete", answer)
    nbytes = card.model.nbytes
    choose(card, "Delete")
    assert made.args[0] in view.cards
    choose(card, "Delete")
    qtbot.waitUntil(lambda: made.args is not None and made.args[0] not in view.cards)
    assert freed == [nbytes, nbytes]
    assert not Path(made.args[0]).exists()


def test_adapters(
    view: ModelsView, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(view, write_adapter(tmp_path / "Rap.safetensors"))
    shelf = view.adapters.shelf
    qtbot.waitUntil(lambda: len(shelf.rows) == 1, timeout=10_000)
    assert shelf.notice.words.text() == "Rap is installed."
    assert not shelf.empty.isVisible()
    use = shelf.rows[0].findChildren(QAbstractButton)[0]
    with qtbot.waitSignal(view.adapterChosen) as chosen:
        press(use, qtbot)
    assert chosen.args == [str(installed_adapters()[0].path)]
    bad = tmp_path / "song.safetensors"
    bad.write_bytes(b"no")
    drop(view, bad)
    qtbot.waitUntil(lambda: str(bad) in shelf.notice.words.text())
    assert len(shelf.rows) == 1


def test_voices(
    view: ModelsView, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = tmp_path / "hum.wav"
    soundfile.write(recording, np.sin(np.arange(96_000) / 30) * 0.3, 48_000)
    save_voice("Anna", reference=recording)
    view.voices.refresh()
    (shown,) = view.voices.shelf.rows
    assert (shown.name.text(), shown.text.text()) == ("Anna", "Recording, strength 0.5")
    with qtbot.waitSignal(view.voicesChanged):
        view.voices.save(recording, "Ben")
    assert [voice.name for voice in list_voices()] == ["Anna", "Ben"]
    monkeypatch.setattr(ask, "ask_to_remove", lambda *_: True)
    remove = view.voices.shelf.rows[0].findChildren(QAbstractButton)[-1]
    press(remove, qtbot)
    assert [row.name.text() for row in view.voices.shelf.rows] == ["Ben"]
    view.voices.save(recording, "Ben")
    qtbot.waitUntil(lambda: "exists" in view.voices.shelf.notice.words.text())


def test_the_built_in_model(sketch: Path, view: ModelsView) -> None:
    card = view.cards["sketch"]
    assert card.badge.text() == "Built in"
    assert "MIT License" in card.facts.text()
    assert not any(words.startswith("Delete") for words in entries(card))
