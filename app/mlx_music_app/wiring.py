"""What happens between the parts: from a request to a take, from a take to the next request."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject

from mlx_music import MLXMusicError
from mlx_music_app.engine.jobs import Job, JobState, MadeTake
from mlx_music_app.library.take import Take
from mlx_music_app.models.words import time_in_words
from mlx_music_app.parts import Parts
from mlx_music_app.tokens import TokenCounter
from mlx_music_app.ui.drop import what_is
from mlx_music_app.ui.main_window import MainWindow
from mlx_music_app.ui.words import count, sentence

log = logging.getLogger(__name__)


class Wiring(QObject):
    """Connects the window with the services. All of it is on the main thread."""

    def __init__(self, parts: Parts, window: MainWindow) -> None:
        super().__init__(window)
        self._parts, self._window = parts, window
        self.last_made: Take | None = None
        self._counts = False
        self._made: dict[str, list[int]] = {}  # ids of takes by that of their job
        self._connect_places()
        self._connect_engine()
        self._connect_listening()
        self._connect_problems()
        self._show_models()
        self._show_status()

    def _connect_places(self) -> None:
        window, models = self._window, self._parts.models
        window.sidebar.chosen.connect(window.show_place)
        window.sidebar.queuePressed.connect(window.toggle_queue)
        window.compose.generateRequested.connect(self._on_generate)
        window.compose.modelsRequested.connect(self._on_models_wanted)
        window.compose.set_estimator(self._parts.controller.expect)
        window.welcome.startRequested.connect(self._on_start)
        window.welcome.modelsRequested.connect(self._on_models_wanted)
        window.takes.workRequested.connect(self._on_work)
        window.takes.useSettingsRequested.connect(self._on_settings)
        window.takes.composeRequested.connect(self._on_compose_wanted)
        window.notice.actionPressed.connect(self._on_notice_action)
        models.changed.connect(self._show_models)
        window.models.adapterChosen.connect(self._on_adapter)
        window.models.voiceChosen.connect(self._on_voice)
        window.models.voicesChanged.connect(window.compose.settings.voice.refresh)

    def _connect_engine(self) -> None:
        controller = self._parts.controller
        controller.takeMade.connect(self._on_made)
        controller.jobChanged.connect(self._on_job)
        controller.jobRemoved.connect(self._forget_takes)
        self._window.queue.takesAsked.connect(self._on_job_takes)
        for signal in (
            controller.jobAdded,
            controller.jobRemoved,
            controller.orderChanged,
            controller.busyChanged,
            self._parts.saved_queue.changed,
            self._window.queueToggled,
        ):
            signal.connect(self._show_status)

    def _connect_listening(self) -> None:
        window, takes = self._window, self._window.takes
        transport = window.transport
        takes.playback.changed.connect(self._show_listening)
        # After the transport's own, which knows only the file's name.
        self._parts.player.loaded.connect(self._on_loaded)
        takes.inspector.regionChanged.connect(self._show_region)
        takes.currentChanged.connect(self._show_region)
        takes.compare.picked.connect(self._show_comparison)
        takes.compare.closed.connect(self._show_comparison)
        transport.playPressed.connect(window.toggle_playing)
        for signal in (takes.model.modelReset, takes.model.rowsInserted, takes.model.rowsRemoved):
            signal.connect(self._show_can_choose)
        self._show_can_choose()
        transport.loopToggled.connect(takes.inspector.waveform.set_looping)
        transport.compareRequested.connect(takes.compare.pick)

    def _connect_problems(self) -> None:
        parts, takes = self._parts, self._window.takes
        for signal, topic in (
            (takes.failed, "takes"),
            (takes.playback.refused, "file"),
            (self._window.incoming.failed, "incoming"),
            (parts.player.failed, "sound"),
        ):
            signal.connect(partial(self._window.notice.complain, topic=topic))
        parts.library.problem.connect(self._on_library_problem)
        parts.saved_queue.problem.connect(self._on_queue_problem)
        if parts.saved_queue.opening_problem:
            self._on_queue_problem(parts.saved_queue.opening_problem)
        parts.player.deviceLost.connect(self._on_device_lost)
        parts.player.positionChanged.connect(self._on_position)
        parts.models.failed.connect(self._on_model_failed)
        parts.library.takeChanged.connect(self._on_take_changed)
        parts.library.takesRemoved.connect(self._on_takes_removed)

    # Compose.

    def _on_generate(self, job: Job) -> None:
        self._parts.controller.submit(job)
        self._window.open_queue()

    def _on_start(self, model: str) -> None:
        if model:
            self._parts.preferences.set("model", model)
        self._window.show_place("compose")

    def _on_models_wanted(self) -> None:
        self._window.show_place("models")

    def _on_adapter(self, path: str) -> None:
        """An adapter of the Models page is to be used."""
        if self._window.compose.accept(what_is(Path(path))):
            self._window.show_place("compose")

    def _on_voice(self, name: str) -> None:
        picker = self._window.compose.settings.voice
        picker.refresh()
        place = picker.menu.findData(name)
        if place >= 0:
            picker.menu.setCurrentIndex(place)
            picker.menu.activated.emit(place)
            self._window.show_place("compose")

    def _on_compose_wanted(self) -> None:
        self._window.show_place("compose")

    def _on_work(self, take: Take, task: str, region: object) -> None:
        chosen = region if isinstance(region, tuple) else None
        self._window.show_place("compose")
        self._window.compose.work_on(take, task, chosen)

    def _on_settings(self, take: Take) -> None:
        self._window.show_place("compose")
        self._window.compose.set_request(
            take.request, title=take.title, parent=take.parent, model=take.model
        )

    def _show_models(self) -> None:
        models, compose = self._parts.models, self._window.compose
        compose.set_models(models.choices())
        counts = not models.vocabulary_problem
        if counts != self._counts:
            self._counts = counts
            compose.set_token_counter(TokenCounter() if counts else None, self._parts.background)

    def _on_model_failed(self, model_id: str, line: str) -> None:
        # The models view shows it beside the model; elsewhere nobody would see it.
        if self._window.place != "models":
            self._window.notice.complain(line, action=("models", "Show models"), topic="models")

    # What the engine makes.

    def _on_made(self, made: MadeTake) -> None:
        try:
            take = self._parts.library.add(made)
        except MLXMusicError as error:
            words = f"{made.path.name} is made, but not listed: {error}"
            self._on_library_problem(words)
            return
        self.last_made = take
        self._made.setdefault(made.job.id, []).append(take.id)
        window, takes = self._window, self._window.takes
        window.takes.playback.prepare(take)
        if window.place != "takes":
            words = ". ".join((f"“{take.name}” is done", *map(sentence, made.notes[:1])))
            window.notice.say(words, action=("play", "Listen"))
        elif not (takes.current() or takes.list.selected_ids() or takes.model.query.narrows):
            takes.show_take(take.id)

    def _on_job_takes(self, job_id: str) -> None:
        """What a job has made is to be seen."""
        takes = self._parts.library.get_many(self._made.get(job_id, []))
        if takes:
            self._window.show_takes([take.id for take in takes])
        else:
            self._window.notice.say("What it made is not in the library any more.")

    def _forget_takes(self, job_id: str) -> None:
        self._made.pop(job_id, None)

    def _on_job(self, job_id: str) -> None:
        self._show_status()
        if self._parts.controller.status(job_id).state is JobState.FAILED:
            self._window.open_queue()

    def _show_status(self) -> None:
        controller, sidebar = self._parts.controller, self._window.sidebar
        running = controller.running()
        waiting = sum(
            controller.status(job.id).state is JobState.QUEUED for job in controller.jobs()
        )
        if running is None:
            words = "Ready" if not waiting else count(waiting, "job") + " waiting"
            left = len(self._parts.saved_queue.left)
            if left and not waiting and not self._window.queue_is_open:
                words = count(left, "job") + " unfinished"
            what = "Hide" if self._window.queue_is_open else "Show"
            sidebar.set_status(words, f"{what} the queue", None)
            return
        status = controller.status(running.id)
        parts = [f"{status.fraction:.0%}"]
        if status.remaining is not None:
            parts.append(f"{time_in_words(status.remaining)} left")
        sidebar.set_status(running.title, " · ".join(parts), status.fraction)

    # Listening.

    def _on_loaded(self, _path: object) -> None:
        self._show_listening()

    def _show_listening(self) -> None:
        self._window.transport.set_take(self._window.takes.playback.take)
        self._show_region()

    def _show_can_choose(self) -> None:
        self._window.transport.set_can_choose(bool(self._window.takes.model.ids()))

    def _show_region(self, _: object = None) -> None:
        """A loop is of what is heard, and the region of what is seen."""
        takes = self._window.takes
        heard, seen = takes.playback.take, takes.current()
        same = heard is not None and seen is not None and heard.id == seen.id
        self._window.transport.set_region(takes.inspector.region if same else None)

    def _show_comparison(self, _: object = None) -> None:
        compare = self._window.takes.compare
        names = [take.name for take in compare.takes()] if compare.active else None
        self._window.transport.set_comparison(names, compare.current)

    # Messages.

    def _on_library_problem(self, words: str) -> None:
        self._window.notice.complain(words, topic="library")

    def _on_queue_problem(self, words: str) -> None:
        self._window.notice.complain(words, topic="queue")

    def _on_device_lost(self, name: str) -> None:
        gone, notice = f"The output {name or 'device'} is gone", self._window.notice
        if self._parts.player.playing:
            notice.say(f"{gone}; another one is used.")
        else:
            notice.complain(f"{gone}; playback waits.", topic="sound")

    def _on_position(self, _: float) -> None:
        # To be told to play is not to be heard: that there is no output comes after it.
        if self._parts.player.playing:
            self._window.notice.settle("sound")

    def _on_take_changed(self, take_id: int) -> None:
        refused, take = self._window.takes.playback.refused_take, self._parts.library.take(take_id)
        if refused is not None and refused.id == take_id and take is not None and not take.missing:
            self._window.notice.settle("file")

    def _on_takes_removed(self, gone: Sequence[int]) -> None:
        refused = self._window.takes.playback.refused_take
        if refused is not None and refused.id in gone:
            self._window.notice.settle("file")

    def _on_notice_action(self, command: str) -> None:
        if command == "play" and self.last_made is not None:
            self._window.show_take(self.last_made)
            playback = self._window.takes.playback
            if not (playback.playing and playback.take == self.last_made):
                self._window.takes.play(self.last_made.id)
        elif command == "models":
            self._window.show_place("models")
        elif command == "diagnostics":
            self._window.copy_diagnostics()
