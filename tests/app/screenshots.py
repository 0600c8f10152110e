"""Pictures of every view, light and dark: `python -m tests.app.screenshots FOLDER [SCALE]`.

The takes are made up (see `showcase`), and so is the song that takes shape in the queue; all else
is the app as it is. Works without a screen.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QWidget

from mlx_music import GenerationRequest, MusicOutput, Progress
from mlx_music.ace_step.published import MODEL_ID
from mlx_music_app.application import MusicApplication, Session
from mlx_music_app.engine.jobs import Job
from mlx_music_app.library.take import Take
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.parts import Parts
from mlx_music_app.ui.about import AboutDialog
from mlx_music_app.ui.preferences_dialog import PreferencesDialog
from mlx_music_app.ui.style.theme import theme
from tests.app import showcase
from tests.app.doubles import SilentPlayer

SIZE = (1280, 820)


@dataclass
class Stage:
    """An engine that stops in the middle, so that a picture can be taken."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def open(self, model: str, memory_limit: float | None, progress: Progress) -> Stage:
        return self

    def generate(self, request: GenerationRequest, *, progress: Progress) -> MusicOutput:
        steps = request.num_inference_steps
        progress.start("sample", steps)
        for step in range(1, steps + 1):
            if progress.on_picture is not None:
                progress.on_picture(spectrum(step / steps))
            progress.step(step)
            if step == int(steps * 0.7):
                self.reached.set()
                while not self.go.wait(0.05):
                    progress.check()
        raise AssertionError("the stage is only for pictures")


def spectrum(clarity: float) -> np.ndarray:
    """Something like the mel of a song that emerges from noise: uint8 (96, 300)."""
    random = np.random.default_rng(5)
    bins, columns = np.mgrid[0:96, 0:300]
    sound = 0.62 * np.exp(-bins / 55) * (0.6 + 0.4 * np.cos(2 * np.pi * columns / 18.75) ** 8)
    for note in range(60):
        start, pitch = random.integers(0, 285), random.integers(12, 60)
        length = random.integers(10, 40)
        inside = (columns >= start) & (columns < start + length)
        for overtone in (1.0, 1.45, 1.8):
            ridge = np.exp(-(((bins - pitch * overtone) / 1.1) ** 2))
            sound += inside * ridge * (0.55 / overtone) * (0.8 + 0.2 * np.sin(note))
    sound *= np.where((columns // 75) % 2 == 1, 1.0, 0.75)
    noise = random.random(sound.shape)
    return (np.clip(clarity * sound + (1 - clarity) * noise * 0.7, 0, 1) * 255).astype(np.uint8)


def main(folder: Path, scale: float) -> None:
    os.environ["QT_SCALE_FACTOR"] = f"{scale:g}"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["MLX_MUSIC_APP_HOME"] = home
        app = MusicApplication(["screenshots"])
        stage = Stage()
        session = Session(app, Parts(player=SilentPlayer(), opener=stage.open))
        session.preferences.save_window("place", b"compose")
        session.parts.open()
        takes = showcase.fill(session.parts.library)
        session.parts.library.close()
        session.start()
        assert session.window is not None
        session.window.resize(*SIZE)
        Pictures(session, takes, stage, folder).take_all()
        session.window.close_without_asking()
        session.end()


class Pictures:
    """Goes through the app, and takes a picture of each thing in both appearances."""

    def __init__(self, session: Session, takes: list[Take], stage: Stage, folder: Path) -> None:
        assert session.window is not None
        self.session, self.window = session, session.window
        self.takes, self.stage, self.folder = takes, stage, folder

    def take_all(self) -> None:
        window = self.window
        window.show_place("welcome")
        self.shoot("first-run")
        window.show_place("models")
        self.shoot("models")
        self.compose()
        self.shoot("compose")
        self.takes_view()
        self.shoot("takes")
        window.takes.list.select([self.takes[0].id, self.takes[-3].id])
        window.takes.do("compare")
        self.shoot("compare")
        window.takes.compare.close_comparison()
        self.work()
        self.shoot("repaint")
        self.running()
        self.shoot("running")
        self.dialogs()
        self.empty()

    def compose(self) -> None:
        root = next(take for take in self.takes if take.title == "Paper Trains")
        compose = self.window.compose
        self.window.show_place("compose")
        # As if the large model was installed.
        compose.set_models([ModelChoice("ACE-Step v1", MODEL_ID)])
        request = GenerationRequest(
            prompt=root.request.prompt, lyrics=showcase.LYRICS, duration=90.0
        )
        compose.set_request(request, title="Paper Trains")
        compose.notice.hide()
        compose.settings.set_takes(2)

    def takes_view(self) -> None:
        take = self.takes[-2]
        self.window.show_take(take)
        wait(1500)
        inspector = self.window.takes.inspector
        inspector.waveform.set_region((32.0, 40.0))
        self.window.takes.playback.toggle(take)
        player = self.session.parts.player
        assert isinstance(player, SilentPlayer)
        player._duration = take.duration
        player.loaded.emit(take.path)
        player.reach(36.5)

    def work(self) -> None:
        self.window.show_take(self.takes[-2])
        self.window.takes.inspector.waveform.set_region((32.0, 40.0))
        wait(300)
        self.window.takes.do("work:repaint")

    def running(self) -> None:
        self.compose()
        controller = self.session.parts.controller
        prompts = {take.title: take.request.prompt for take in self.takes}
        for title, count in (("Paper Trains", 2), ("Glasshouse", 1), ("Low Orbit", 4)):
            request = GenerationRequest(prompt=prompts[title], duration=90.0, seed=1)
            controller.submit(Job(request=request, model="sketch", title=title, takes=count))
        assert self.stage.reached.wait(10)
        self.window.open_queue()
        wait(300)

    def dialogs(self) -> None:
        for name, dialog in (
            ("preferences", PreferencesDialog(self.session.preferences)),
            ("about", AboutDialog()),
        ):
            dialog.show()
            self.shoot(name, dialog)
            dialog.close()

    def empty(self) -> None:
        window = self.window
        window.cancel_running()
        window.show_place("takes")
        window.takes.filter.search.setText("zebra")
        window.takes.filter.apply_now()
        self.shoot("nothing-found")
        window.takes.filter.clear()
        self.session.parts.library.delete(list(window.takes.model.ids()))
        self.shoot("no-takes")

    def shoot(self, name: str, widget: QWidget | None = None) -> None:
        app = MusicApplication.instance()
        assert isinstance(app, MusicApplication)
        for appearance in ("light", "dark"):
            theme().apply(app, appearance)
            wait(250)
            picture = (widget or self.window).grab()
            picture.save(str(self.folder / f"{name}-{appearance}.png"))


def wait(milliseconds: int) -> None:
    """Let the app go on. (`QTest.qWait` lets no other thread run.)"""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
