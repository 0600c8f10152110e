"""A person at the window: the real engine thread and library, and a small synthetic model.

Only the loudspeaker is missing: the player does what it is told without a device.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from mlx_music_app.application import Session
from mlx_music_app.engine.jobs import JobState
from mlx_music_app.library.take import Take
from mlx_music_app.parts import Parts
from mlx_music_app.ui.main_window import MainWindow
from tests.app.doubles import SilentPlayer

_PATIENCE = 60_000  # milliseconds
_LEFT = Qt.MouseButton.LeftButton


class Person:
    """What somebody does with the mouse and the keys."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window, self.qtbot = window, qtbot
        self.parts = window.parts

    def click(self, control: QPushButton) -> None:
        assert control.isVisible()
        assert control.isEnabled(), control.toolTip()
        self.qtbot.mouseClick(control, _LEFT)

    def type_into(self, field: QLineEdit, text: str) -> None:
        field.setFocus()
        field.selectAll()
        self.qtbot.keyClicks(field, text)
        self.qtbot.keyClick(field, Qt.Key.Key_Tab)

    def type_number(self, name: str, text: str) -> None:
        """Into a field of Compose."""
        self.type_into(self.window.compose.form.rows[name].control.field(), text)

    def drag(self, widget: QWidget, start: float, end: float) -> None:
        """Across the middle of it."""
        for kind, share in (
            (QEvent.Type.MouseButtonPress, 0.0),
            *((QEvent.Type.MouseMove, share) for share in (0.1, 0.5, 1.0)),
            (QEvent.Type.MouseButtonRelease, 1.0),
        ):
            point = QPointF(start + (end - start) * share, widget.height() * 0.6)
            button = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseMove else _LEFT
            held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else _LEFT
            event = QMouseEvent(
                kind, point, widget.mapToGlobal(point), button, held,
                Qt.KeyboardModifier.NoModifier,
            )  # fmt: skip
            QApplication.sendEvent(widget, event)

    def go_to(self, place: str) -> None:
        self.click(self.window.sidebar.buttons[place])

    def generate(self) -> str:
        """Press the button; the job's id."""
        compose = self.window.compose
        with self.qtbot.waitSignal(self.parts.controller.jobAdded) as added:
            self.click(compose.bar.generate)
        return str(added.args[0])

    def wait_for(self, job: str, state: JobState) -> None:
        status = self.parts.controller.status
        self.qtbot.waitUntil(lambda: status(job).state is state, timeout=_PATIENCE)

    def newest(self) -> Take:
        library = self.parts.library
        self.qtbot.waitUntil(lambda: bool(library.takes()), timeout=_PATIENCE)
        take = library.take(library.takes()[0])
        assert take is not None
        return take


@pytest.fixture
def session(qtbot: QtBot, qapp: QApplication) -> Iterator[Session]:
    session = Session(qapp, Parts(player=SilentPlayer()))
    session.start()
    yield session
    if session.window is not None:
        session.window.close_without_asking()
    assert session.end()


@pytest.fixture
def person(session: Session, qtbot: QtBot, checkpoint: Path) -> Person:
    """With the model imported and chosen, and a short song described."""
    window = session.window
    assert window is not None
    window.resize(1200, 800)
    person = Person(window, qtbot)
    person.go_to("models")
    with qtbot.waitSignal(person.parts.models.imported, timeout=_PATIENCE):
        window.models.import_folder(checkpoint)
    person.parts.preferences.set("model", str(checkpoint))
    person.go_to("compose")
    compose = window.compose
    compose.form.advanced.open(True)
    qtbot.keyClicks(compose.form.tags.edit, "sea shanty, accordion")
    person.type_into(compose.page.title_edit, "Salt")
    person.type_number("duration", "0:02")
    person.type_number("num_inference_steps", "2")
    return person


def test_compose_listen_repaint(person: Person, qtbot: QtBot) -> None:
    window, library = person.window, person.parts.library
    job = person.generate()
    assert window.queue_is_open
    person.wait_for(job, JobState.DONE)
    take = person.newest()
    assert take.title == "Salt"
    assert take.request.prompt == "sea shanty, accordion"
    assert take.path.exists()
    assert take.duration == pytest.approx(2.0, abs=0.2)
    assert person.parts.controller.picture(job) is not None

    # Listen.
    window.notice.actionPressed.emit("play")
    assert window.place == "takes"
    assert window.takes.current() == take
    assert person.parts.player.playing
    qtbot.keyClick(window.takes.list, Qt.Key.Key_Space)
    assert not person.parts.player.playing

    # Select the second half of the waveform, and repaint it.
    inspector = window.takes.inspector
    waveform = inspector.waveform
    qtbot.waitUntil(lambda: waveform.accessibleDescription().startswith("Position"))
    person.drag(waveform, waveform.width() / 2, waveform.width() * 3 / 4)
    region = inspector.region
    assert region is not None
    assert 0.7 < region[0] < region[1] < 1.8
    person.click(inspector.work["repaint"])
    assert window.place == "compose"
    request = window.compose.request()
    assert (request.task, request.source) == ("repaint", str(take.path))
    person.type_number("num_inference_steps", "2")
    job = person.generate()
    person.wait_for(job, JobState.DONE)
    child = person.newest()
    assert child.id != take.id
    assert child.parent == take.id
    assert [each.id for each in library.family(take.id)] == [take.id, child.id]
    before, rate = soundfile.read(take.path)
    after, _ = soundfile.read(child.path)
    kept = int((child.request.repaint_start - 0.3) * rate)
    assert np.array_equal(before[:kept], after[:kept])
    assert not np.array_equal(before, after[: len(before)])

    # Its settings make the same again.
    person.go_to("takes")
    window.takes.show_take(take.id)
    person.click(inspector.use_settings)
    job = person.generate()
    person.wait_for(job, JobState.DONE)
    again, _ = soundfile.read(person.newest().path)
    assert np.array_equal(before, again)


def test_cancel_in_the_middle_and_go_on(person: Person) -> None:
    person.type_number("num_inference_steps", "900")
    long = person.generate()
    controller = person.parts.controller
    person.qtbot.waitUntil(lambda: controller.status(long).step > 1, timeout=_PATIENCE)
    person.type_number("num_inference_steps", "2")
    short = person.generate()
    assert controller.status(short).state is JobState.QUEUED
    person.window.menus.cancel.trigger()
    person.wait_for(long, JobState.CANCELLED)
    person.wait_for(short, JobState.DONE)
    assert len(person.parts.library.takes()) == 1


def test_quit_in_the_middle(
    person: Person, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.type_number("num_inference_steps", "900")
    job = person.generate()
    controller = person.parts.controller
    person.qtbot.waitUntil(lambda: controller.status(job).step > 1, timeout=_PATIENCE)
    asked: list[str] = []

    def quit_anyway(box: QMessageBox) -> int:
        asked.append(box.text())
        next(button for button in box.buttons() if button.text() == "Quit").click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", quit_anyway)
    person.window.quit()
    assert asked == ["Music is still being made."]
    assert not person.window.isVisible()
    music = person.parts.library.files.folder
    assert session.end()
    assert list(music.glob("*")) == []  # no half file
    assert controller.status(job).state is JobState.CANCELLED
