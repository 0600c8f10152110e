"""The models on this machine, and all that is done with them. For the main thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from mlx_music.ace_step.published import MODEL_ID
from mlx_music.weights.hub_cache import cache_folder
from mlx_music_app import paths
from mlx_music_app.background import Background
from mlx_music_app.engine.jobs import JobState
from mlx_music_app.models import removal, space, work
from mlx_music_app.models.activities import Activities, Activity, Controller
from mlx_music_app.models.catalogue import Catalogue, scan
from mlx_music_app.models.choice import ModelChoice
from mlx_music_app.models.choosing import best_of, choices_of
from mlx_music_app.models.info import Kind, ModelInfo
from mlx_music_app.models.memory import MemoryNeed, machine_memory, memory_needs
from mlx_music_app.models.registry import Registry, Remembered, hub_id_of
from mlx_music_app.models.tasks import Report
from mlx_music_app.preferences import Preferences

if TYPE_CHECKING:
    from mlx_music.weights.verify import VerifyReport

#: What importing a folder goes by, which is no model yet.
IMPORT = "import"


class ModelService(QObject):
    """Lists models, and downloads, verifies, imports, quantizes and deletes them.

    Nothing waits: what takes time runs elsewhere and tells by signals how it ends. The network is
    used by `download` and `repair` only. `id` is that of a `ModelInfo`.
    """

    changed = Signal()  # the list, a model in it, or what goes on with one
    progress = Signal(str, float, str)  # id, fraction, a line for a person
    failed = Signal(str, str)  # id (or IMPORT), a line for a person
    verified = Signal(str, object)  # id, VerifyReport
    downloaded = Signal(str)  # id
    imported = Signal(str)  # id of the folder
    quantized = Signal(str)  # id of the new folder

    def __init__(
        self,
        controller: Controller,
        background: Background,
        preferences: Preferences,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._background = background
        self._preferences = preferences
        self._registry = Registry(paths.data_folder() / "models.json")
        self._own_folder = paths.data_folder() / "models"
        self._errors: dict[str, str] = {}
        self._reports: dict[str, VerifyReport] = {}
        self._needs: dict[str, MemoryNeed | None] = {}
        self._measuring = False
        #: What to do when a download has stopped: go on with it after all, or discard it.
        self._then: dict[str, Callable[[str], None]] = {}
        self._activities = Activities(controller, self)
        self._activities.changed.connect(self._on_activity)
        self._activities.progress.connect(self.progress)
        self._activities.total.connect(self._on_total)
        self._activities.finished.connect(self._on_finished)
        self._activities.stopped.connect(self._on_stopped)
        self._activities.failed.connect(self._on_failed)
        self._scans = 0
        work.clear_left_behind(self._own_folder)
        self._catalogue = scan(self._registry.known, self._own_folder)
        preferences.changed.connect(self._on_preference)

    # What there is

    def models(self) -> list[ModelInfo]:
        """Built in first, then the published one, then others."""
        return list(self._catalogue.models)

    def model(self, model_id: str) -> ModelInfo | None:
        return next((model for model in self._catalogue.models if model.id == model_id), None)

    def choices(self) -> list[ModelChoice]:
        """What can be picked when composing, the best first."""
        return choices_of(self._catalogue.models)

    def best(self) -> str:
        """The id of the model to use when the person has not chosen; empty if there is none."""
        return best_of(self._catalogue.models)

    @property
    def vocabulary_problem(self) -> str:
        """Why lyrics cannot be read, in a line; empty if they can."""
        return self._catalogue.vocabulary_problem

    def activity(self, model_id: str) -> Activity | None:
        return self._activities.of(model_id)

    def error(self, model_id: str) -> str:
        """What went wrong last with a model, until something else is done with it."""
        return self._errors.get(model_id, "")

    def report(self, model_id: str) -> VerifyReport | None:
        """What the last check found, since the app was started."""
        return self._reports.get(model_id)

    def refresh(self) -> None:
        """Look again, beside the main thread; `changed` follows."""
        self._scans += 1
        known, number = self._registry.known, self._scans
        self._background.run(partial(_numbered_scan, number, known, self._own_folder), self._found)

    def dismiss(self, model_id: str) -> None:
        """The person has read the error and the report."""
        self._errors.pop(model_id, None)
        self._reports.pop(model_id, None)
        self.changed.emit()

    # Room

    def free_space(self, folder: Path | None = None) -> int:
        """Bytes free on the disk that models are downloaded to, or of another folder."""
        return space.free_bytes(folder or cache_folder())

    def memory(self) -> int:
        """Bytes of memory in this machine."""
        return machine_memory()

    def memory_need(self, model_id: str) -> MemoryNeed | None:
        """What a model works in; None until `measure` has found out."""
        return self._needs.get(model_id)

    def measure(self) -> None:
        """Find out what models need that were not looked at yet; `changed` follows."""
        wanted = {
            model.id: model.folder if model.ready else None
            for model in self._catalogue.models
            if model.id not in self._needs and (model.ready or model.id == MODEL_ID)
        }
        if wanted and not self._measuring:
            self._measuring = True
            limit = self._preferences.get("memory_limit")
            self._background.run(partial(memory_needs, wanted, limit), self._measured)

    def space_problem(self, model_id: str) -> str:
        """Why a model cannot be downloaded for want of space; empty if it can, or if its size is
        known to the hub only, which then says so."""
        model = self.model(model_id)
        if model is None or not model.total or model.ready:
            return ""
        return space.lack(model.total - model.nbytes, cache_folder(), f"{model.name}, to download,")

    # Downloads

    def add_hub_id(self, text: str) -> str:
        """Download a model by what a person typed: "org/name" or the address of its page. Its
        id; empty if it is none, which `failed` tells."""
        hub_id = hub_id_of(text)
        if not hub_id:
            self._fail(IMPORT, f'"{text.strip()}" is no id of the hub; it looks like org/name')
            return ""
        self._errors.pop(IMPORT, None)
        self.download(hub_id)
        return hub_id

    def download(self, model_id: str) -> None:
        """Begin or go on; progress, `downloaded` or `failed` follow. It also gets a missing lyric
        vocabulary, and only that for a model that is no download."""
        activity = self._activities.of(model_id)
        if activity is not None:
            if activity.ending:  # it is being paused: go on when it has stopped
                self._then[model_id] = self.download
            return
        model = self.model(model_id)
        if model is not None and model.kind is not Kind.HUB:
            self._start(model_id, "download", work.fetch_vocabulary, "Asking for the vocabulary")
            return
        if model_id != MODEL_ID:
            self._remember(model_id, partial(self._registry.add_hub_id, model_id))
        if problem := self.space_problem(model_id):
            self._fail(model_id, problem)
            self.refresh()
            return
        self._start(model_id, "download", partial(work.fetch, model_id), "Asking the hub")

    resume = download

    def pause(self, model_id: str) -> None:
        """Stop a download; what is there stays, also over a restart of the app."""
        self.stop(model_id)

    def cancel(self, model_id: str, *, discard: bool = False) -> None:
        """Stop a download for good. discard: remove what is there of it; else it is kept, and
        the next download goes on from there."""
        if discard and self._activities.of(model_id) is None:
            self._discard(model_id)
            return
        if discard:
            self._then[model_id] = self._discard
        self.stop(model_id)

    def stop(self, model_id: str) -> None:
        """Ask whatever goes on with a model to end."""
        self._activities.stop(model_id)

    # Checks

    def verify(self, model_id: str) -> None:
        """Read every file; `verified` follows."""
        model = self.model(model_id)
        if model is not None and self._activities.of(model_id) is None:
            self._reports.pop(model_id, None)
            self._start(model_id, "verify", partial(work.verify, model), "Checking every file")

    def repair(self, model_id: str) -> None:
        """Fetch what of a download is damaged or missing, as the last check found it or, without
        one, after reading every file; `downloaded` follows."""
        model = self.model(model_id)
        if model is None or model.kind is not Kind.HUB or self._activities.of(model_id) is not None:
            return
        function = partial(work.repair, model_id, self._reports.pop(model_id, None))
        self._start(model_id, "repair", function, "Asking the hub")

    # Folders

    def import_folder(self, folder: Path, *, copy: bool = False) -> None:
        """Add a checkpoint that lies on this machine: used where it is, or copied into the app's
        own folder. `imported`, or `failed` with the reason, follows."""
        self._errors.pop(IMPORT, None)
        folder = folder.expanduser().absolute()
        if not copy:
            self._background.run(
                partial(work.checked, folder), self._add_folder, self._import_failed
            )
            return
        if self._activities.of(IMPORT) is not None:
            return
        target = work.free_target(self._own_folder, folder.name)
        function = partial(work.copy_model, folder, target)
        self._start(IMPORT, "copy", function, f"Copying {folder.name}")

    def quantize(self, model_id: str, preset: str) -> None:
        """Write a smaller copy with a preset, "quality", "balanced" or "speed", into the app's
        folder. Waits its turn on the engine's thread; `quantized` follows."""
        model = self.model(model_id)
        if model is None or model.folder is None or self._activities.of(model_id) is not None:
            return
        self._errors.pop(model_id, None)
        needed = space.quantized_bytes(model.folder, preset, self._own_folder)
        if problem := space.lack(needed, self._own_folder, f"A smaller copy of {model.name}"):
            self._fail(model_id, problem)
            return
        target = work.free_target(self._own_folder, f"{model.name} {preset}")
        function = partial(work.quantize, model.folder, target, preset)
        self._activities.start_on_engine(model_id, "quantize", function, "Waiting for the engine")

    # Away with it

    def freed_by(self, model_id: str) -> int:
        """Bytes that deleting a model frees."""
        model = self.model(model_id)
        if model is None or model.kind in (Kind.BUILT_IN, Kind.LINKED):
            return 0
        if model.kind is Kind.HUB:
            return removal.freed_by_cache_removal(model_id)
        assert model.folder is not None
        return removal.freed_by_folder_removal(model.folder)

    def in_use(self, model_id: str) -> bool:
        """Whether music is made with a model, or waits to be."""
        live = (JobState.QUEUED, JobState.RUNNING)
        return any(
            job.model == model_id and self._controller.status(job.id).state in live
            for job in self._controller.jobs()
        )

    def delete(self, model_id: str) -> None:
        """Remove a download from the cache, move an own folder to the trash, forget a linked
        one, which stays where it is."""
        model = self.model(model_id)
        if (
            model is None
            or model.kind is Kind.BUILT_IN
            or self._activities.of(model_id) is not None
        ):
            return
        self._errors.pop(model_id, None)
        if model.kind is Kind.LINKED:
            self._remember(model_id, partial(self._registry.forget_folder, Path(model_id)))
            self.refresh()
        elif self.in_use(model_id):
            line = f"{model.name} is making music; wait until the queue is done, or cancel its jobs"
            self._fail(model_id, line)
        else:
            self._discard(model_id)

    def shutdown(self, seconds: float = 2.0) -> bool:
        """Pause everything. False if something has not stopped in time, which does no harm."""
        return self._activities.shutdown(seconds)

    # What comes back

    def _start(
        self, model_id: str, what: str, function: Callable[[Report], Any], text: str
    ) -> None:
        self._errors.pop(model_id, None)
        self._activities.start(model_id, what, function, text)

    def _on_activity(self, model_id: str) -> None:
        self.changed.emit()

    def _on_total(self, model_id: str, nbytes: int) -> None:
        if model_id != MODEL_ID:
            self._remember(model_id, partial(self._registry.set_total, model_id, nbytes))

    def _on_finished(self, model_id: str, what: str, result: Any) -> None:
        self._then.pop(model_id, None)
        if what == "verify":
            self._reports[model_id] = result
            self.changed.emit()
            self.verified.emit(model_id, result)
            return
        self._look_now()
        if what == "copy":
            self.imported.emit(str(result))
        elif what == "quantize":
            self.quantized.emit(str(result))
        elif what in ("download", "repair"):
            self.downloaded.emit(model_id)

    def _on_stopped(self, model_id: str, what: str) -> None:
        self._look_now()
        if then := self._then.pop(model_id, None):
            then(model_id)

    def _on_failed(self, model_id: str, what: str, error: Exception) -> None:
        self._look_now()
        if then := self._then.pop(model_id, None):
            then(model_id)
        else:
            self._fail(model_id, str(error))

    def _discard(self, model_id: str) -> None:
        """Remove a model's files, and forget that it was asked for."""
        model = self.model(model_id)
        if model is None:
            return
        self._reports.pop(model_id, None)
        self._needs.pop(model_id, None)
        if model.kind is Kind.HUB:
            self._remember(model_id, partial(self._registry.forget_hub_id, model_id))
        self._errors.pop(model_id, None)
        self._activities.remove(model_id, partial(work.remove, model))

    def _add_folder(self, folder: Path) -> None:
        if folder.parent != self._own_folder:
            self._remember(str(folder), partial(self._registry.add_folder, folder))
        self._look_now()
        self.imported.emit(str(folder))

    def _import_failed(self, error: Exception) -> None:
        self._fail(IMPORT, str(error))

    def _remember(self, model_id: str, change: Callable[[], None]) -> None:
        """Change what is known at the next start too; it works until then without."""
        try:
            change()
        except OSError as error:
            self._fail(
                model_id,
                f"The list of models cannot be kept in {self._registry.file} ({error.strerror}); "
                "make room or the folder writable, else the change is forgotten at the next start",
            )

    def _fail(self, model_id: str, line: str) -> None:
        self._errors[model_id] = line
        self.changed.emit()
        self.failed.emit(model_id, line)

    def _look_now(self) -> None:
        """What has just changed has to show at once; a scan takes a few milliseconds."""
        self._scans += 1  # one that is under way began before the change
        self._found((self._scans, scan(self._registry.known, self._own_folder)))

    def _found(self, found: tuple[int, Catalogue]) -> None:
        number, catalogue = found
        if number == self._scans:  # else a later look is under way, which knows more
            self._catalogue = catalogue
            self.changed.emit()

    def _measured(self, needs: dict[str, MemoryNeed | None]) -> None:
        self._measuring = False
        self._needs.update(needs)
        self.changed.emit()

    def _on_preference(self, name: str) -> None:
        if name == "memory_limit":
            self._needs.clear()
            self.changed.emit()


def _numbered_scan(number: int, known: Remembered, own_folder: Path) -> tuple[int, Catalogue]:
    return number, scan(known, own_folder)
