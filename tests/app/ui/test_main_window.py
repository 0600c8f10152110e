"""The window as a whole: places, keys, messages, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QTimer, QUrl
from PySide6.QtGui import QAction, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from mlx_music import GenerationRequest
from mlx_music.metadata import Description
from mlx_music_app.application import Session
from mlx_music_app.engine.jobs import Job, JobState
from mlx_music_app.ui.main_window import MainWindow
from tests.app.engine.fakes import FakeEngine
from tests.app.making import add_take


def action(window: MainWindow, words: str) -> QAction:
    window.menus.update()
    return next(found for found in window.findChildren(QAction) if found.text() == words)


def job(prompt: str = "piano", title: str = "Evening", takes: int = 1) -> Job:
    request = GenerationRequest(prompt=prompt, duration=1.0, seed=3)
    return Job(request=request, model="sketch", title=title, takes=takes)


def test_the_first_start_welcomes_and_the_next_does_not(
    open_session: Callable[[], Session],
) -> None:
    window = open_session().window
    assert window.place == "welcome"
    assert not any(button.isChecked() for button in window.sidebar.buttons.values())
    window.welcome.startRequested.emit("sketch")
    assert window.place == "compose"
    again = open_session().window
    assert again.place == "compose"
    assert again.parts.preferences.get("model") == "sketch"


def test_places_are_a_press_away(window: MainWindow, qtbot: QtBot) -> None:
    for name, button in window.sidebar.buttons.items():
        button.click()
        assert window.place == name
        assert [n for n, b in window.sidebar.buttons.items() if b.isChecked()] == [name]
    action(window, "Compose").trigger()
    assert window.place == "compose"
    action(window, "Find take").trigger()
    assert window.place == "takes"


def test_a_job_becomes_a_take(window: MainWindow, qtbot: QtBot, fake_engine: FakeEngine) -> None:
    fake_engine.go.clear()
    window.compose.generateRequested.emit(job())
    assert window.queue_is_open
    assert window.is_busy
    assert "Evening" in window.sidebar._words.text()
    with qtbot.waitSignal(window.parts.library.takeAdded, timeout=5000):
        fake_engine.go.set()
    qtbot.waitUntil(lambda: not window.is_busy)
    assert "Evening" in window.notice.text
    window.notice.actionPressed.emit("play")
    assert window.place == "takes"
    assert window.takes.current().title == "Evening"
    assert window.is_playing
    assert window.transport.title.text() == "Evening"


def test_a_failed_job_is_seen(window: MainWindow, qtbot: QtBot, fake_engine: FakeEngine) -> None:
    window.toggle_queue()
    window.toggle_queue()
    fake_engine.open_error = OSError(5, "disk on fire")
    added = job()
    window.parts.controller.submit(added)
    qtbot.waitUntil(
        lambda: window.parts.controller.status(added.id).state is JobState.FAILED, timeout=5000
    )
    assert window.queue_is_open


def test_stop_generating(window: MainWindow, qtbot: QtBot, fake_engine: FakeEngine) -> None:
    assert not action(window, "Stop generating").isEnabled()
    fake_engine.go.clear()
    added = job()
    window.compose.generateRequested.emit(added)
    qtbot.waitUntil(fake_engine.inside.is_set, timeout=5000)
    action(window, "Stop generating").trigger()
    qtbot.waitUntil(
        lambda: window.parts.controller.status(added.id).state is JobState.CANCELLED, timeout=5000
    )


def test_work_and_settings_open_compose(window: MainWindow) -> None:
    take = add_take(window.parts.library, "Song", seconds=2.0, prompt="sea shanty")
    window.show_take(take)
    window.takes.do("work:extend")
    assert window.place == "compose"
    assert window.compose.request().task == "extend"
    assert window.compose.request().source == str(take.path)
    window.show_take(take)
    window.takes.do("settings")
    assert window.place == "compose"
    assert window.compose.request().task == "text2music"
    assert window.compose.request().prompt == "sea shanty"
    assert window.compose.request().seed == take.request.seed


def test_space_plays_unless_it_is_typed(window: MainWindow, qtbot: QtBot) -> None:
    take = add_take(window.parts.library, "Song")
    window.show_take(take)
    window.show_place("models")
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert window.is_playing
    assert window.parts.player.path == take.path
    window.show_place("compose")
    window.compose.page.title_edit.setFocus()
    qtbot.keyClicks(window.compose.page.title_edit, "A B")
    assert window.is_playing
    assert window.compose.page.title_edit.text() == "A B"
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert not window.is_playing


def test_space_on_a_waveform_plays_what_is_shown(window: MainWindow, qtbot: QtBot) -> None:
    heard, shown = (add_take(window.parts.library, name) for name in ("Heard", "Shown"))
    window.show_take(heard)
    window.takes.play(heard.id)
    window.parts.player.pause()
    window.show_take(shown)
    window.activateWindow()
    waveform = window.takes.inspector.waveform
    waveform.setFocus()
    qtbot.waitUntil(waveform.hasFocus)
    qtbot.keyClick(waveform, Qt.Key.Key_Space)
    assert window.is_playing
    assert window.takes.playback.take == shown
    qtbot.keyClick(waveform, Qt.Key.Key_Space)
    assert not window.is_playing


def test_the_first_window_fits_the_screen(window: MainWindow) -> None:
    room = window.screen().availableGeometry()
    assert room.height() > window.height()  # its title has to go somewhere too
    assert window.width() <= max(room.width(), window.minimumSizeHint().width())


def test_generate_has_its_keys_everywhere(window: MainWindow, qtbot: QtBot) -> None:
    pressed: list[str] = []
    window.compose.generateRequested.connect(lambda _: pressed.append(window.place))
    window.compose.set_request(GenerationRequest(prompt="piano", duration=1.0), title="Evening")
    window.activateWindow()
    for place in ("takes", "models", "compose"):
        window.show_place(place)
        qtbot.wait(10)  # the menus follow when there is time
        qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert pressed == ["compose"] * 3


def test_going_to_the_start_of_a_line_rewinds_nothing(window: MainWindow, qtbot: QtBot) -> None:
    take = add_take(window.parts.library, "Song")
    window.show_take(take)
    to_start = action(window, "Back to the start")
    assert not to_start.isEnabled()  # nothing is loaded
    window.takes.play(take.id)
    window.activateWindow()
    window.takes.focus_list()
    qtbot.waitUntil(to_start.isEnabled)
    window.takes.inspector.notes.setFocus()
    qtbot.waitUntil(lambda: not to_start.isEnabled())


def test_menu_commands_fit_what_is_chosen(window: MainWindow) -> None:
    library = window.parts.library
    takes = [add_take(library, name) for name in ("One", "Two")]
    window.show_take(takes[0])
    assert action(window, "Vary").isEnabled()
    assert not action(window, "Repaint").isEnabled()
    assert not action(window, "Compare A/B").isEnabled()
    action(window, "Add to favourites").trigger()
    assert library.take(takes[0].id).favourite
    window.takes.list.setFocus()
    action(window, "Select all").trigger()
    assert action(window, "Compare A/B").isEnabled()
    assert not action(window, "Vary").isEnabled()
    action(window, "Compare A/B").trigger()
    assert window.transport.compare_buttons[0].isVisible()
    window.transport.compare_buttons[1].click()
    assert window.takes.compare.current == 1
    window.takes.compare.close_comparison()
    assert not window.transport.compare_buttons[0].isVisible()
    window.show_place("compose")
    assert not action(window, "Delete").isEnabled()


def test_a_loop_is_of_what_is_heard(window: MainWindow) -> None:
    take = add_take(window.parts.library, "Song", seconds=2.0)
    window.show_take(take)
    window.takes.play(take.id)
    window.transport.loop.click()
    window.takes.inspector.waveform.regionChanged.emit((0.2, 0.8))
    assert window.parts.player.loop == (0.2, 0.8)
    other = add_take(window.parts.library, "Other")
    window.show_take(other)
    assert window.parts.player.loop == (0.0, window.parts.player.duration)


def drop(window: MainWindow, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    event = QDropEvent(
        QPoint(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(event)
    assert event.dropAction() == Qt.DropAction.CopyAction


def test_files_that_come_in(window: MainWindow, tmp_path: Path, qtbot: QtBot) -> None:
    library = window.parts.library
    take = add_take(library, "Ours", seconds=1.0)
    elsewhere = tmp_path / "copy.wav"
    elsewhere.write_bytes(take.path.read_bytes())
    window.show_place("models")
    drop(window, elsewhere)
    assert window.place == "takes"
    assert window.takes.current().title == "Ours"
    settings = tmp_path / "settings.json"
    request = GenerationRequest(prompt="sea shanty", duration=20.0)
    settings.write_text(Description(request, "sketch").to_json(), encoding="utf-8")
    window.open_files([settings])
    assert window.place == "compose"
    assert window.compose.request().prompt == "sea shanty"
    window.open_files([tmp_path / "nothing.wav", tmp_path])
    assert "nothing.wav is not there" in window.notice.text


def test_the_window_is_remembered(open_session: Callable[[], Session]) -> None:
    window = open_session().window
    window.resize(1100, 700)
    window.show_place("models")
    window.open_queue()
    again = open_session().window
    assert again.height() == 700
    assert again.place == "models"
    assert again.queue_is_open


@pytest.mark.parametrize("answer", ["Quit", "Keep making music"])
def test_quitting_asks_while_music_is_made(
    window: MainWindow, qtbot: QtBot, fake_engine: FakeEngine, answer: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked: list[str] = []

    def press(box: QMessageBox) -> int:
        asked.append(box.informativeText())
        next(button for button in box.buttons() if button.text() == answer).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", press)
    window.quit()
    assert asked == []
    window.show()
    window._may_close = False
    fake_engine.go.clear()
    window.compose.generateRequested.emit(job())
    window.compose.generateRequested.emit(job())
    window.quit()
    assert asked == [
        "2 jobs in the queue will be stopped. Takes that are done are kept, and they can go on "
        "when MLX Music is opened again."
    ]
    assert window.isVisible() == (answer == "Keep making music")


def test_the_system_need_not_wait_for_an_answer(
    window: MainWindow, qtbot: QtBot, fake_engine: FakeEngine
) -> None:
    fake_engine.go.clear()
    window.compose.generateRequested.emit(job())
    closed: list[bool] = []
    window.closing.connect(lambda: closed.append(True))

    def end() -> None:
        assert isinstance(QApplication.activeModalWidget(), QMessageBox)
        window.close_without_asking()

    def stay() -> None:  # nobody would, but the test must end
        box = QApplication.activeModalWidget()
        if isinstance(box, QMessageBox):
            box.reject()

    QTimer.singleShot(50, end)
    QTimer.singleShot(1500, stay)
    window.quit()
    assert closed == [True]
    assert not window.isVisible()


def test_every_control_has_a_name(window: MainWindow) -> None:
    """For those who cannot see it."""
    add_take(window.parts.library, "Song")
    nameless = []
    for place in ("compose", "takes", "models", "welcome"):
        window.show_place(place)
        for control in window.findChildren(QWidget):
            if isinstance(control, QAbstractButton | QLineEdit) and control.isVisible():
                words = control.accessibleName() or getattr(control, "text", str)()
                if not words and not control.objectName().startswith("qt_"):
                    nameless.append(f"{place}: {control} in {control.parent()}")
    assert nameless == []


def test_diagnostics_and_messages(window: MainWindow) -> None:
    action(window, "Copy diagnostics").trigger()
    text = QGuiApplication.clipboard().text()
    assert text.startswith("MLX Music: ")
    assert str(Path.home()) not in text
    assert window.notice.text.startswith("Copied")
    assert "names of songs" in window.notice.text  # as the log has them
    window.parts.library.problem.emit("The disk is full.")
    assert window.notice.text == "The disk is full."
    window.notice.say("“Rain” is done", action=("play", "Listen"))
    assert window.notice.text == "The disk is full."  # until it is read
    close = next(b for b in window.notice.findChildren(QAbstractButton) if not b.text())
    close.click()
    assert window.notice.text == "“Rain” is done"
    close.click()
    assert window.notice.text == ""


def test_deleting_a_word_deletes_no_take(window: MainWindow, qtbot: QtBot) -> None:
    take = add_take(window.parts.library, "Song")
    window.show_take(take)
    inspector = window.takes.inspector
    delete = action(window, "Delete")
    assert delete.isEnabled()
    for field in (inspector.notes, inspector.title, window.takes.filter.search):
        window.activateWindow()
        field.setFocus(Qt.FocusReason.OtherFocusReason)
        qtbot.waitUntil(lambda: not delete.isEnabled())
        qtbot.keyClick(field, Qt.Key.Key_Backspace, Qt.KeyboardModifier.ControlModifier)
        window.takes.focus_list()
        qtbot.waitUntil(delete.isEnabled)
    assert window.parts.library.take(take.id) is not None
    assert list(window.takes.model.ids()) == [take.id]


def test_a_damaged_window_state_is_no_hindrance(open_session: Callable[[], Session]) -> None:
    preferences = open_session().window.parts.preferences
    again = preferences.save_window

    def damaged(name: str, state: bytes) -> None:
        again(name, b"\xff\xfe\x00")

    preferences.save_window = damaged
    assert open_session().window.place == "compose"


def test_what_a_model_left_out_is_told(
    window: MainWindow, qtbot: QtBot, fake_engine: FakeEngine
) -> None:
    window.show_place("compose")
    made = job()
    fake_engine.notes = ("sketch does not sing; the lyrics are ignored", "song.wav is mono")
    with qtbot.waitSignal(window.parts.library.takeAdded, timeout=5000):
        window.parts.controller.submit(made)
    words = "Sketch does not sing; the lyrics are ignored"
    assert window.notice.text.endswith(f"is done. {words}")
    card = window.queue.card(made.id)
    assert card.notes.text() == f"{words}\nsong.wav is mono"
    assert not card.notes.isHidden()
