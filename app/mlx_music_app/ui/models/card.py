"""One model: what it is, how it is, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QMenu, QWidget

from mlx_music.weights.verify import VerifyReport
from mlx_music_app.models.activities import Activity
from mlx_music_app.models.info import Kind, ModelInfo, State
from mlx_music_app.models.service import ModelService
from mlx_music_app.models.words import size_in_words
from mlx_music_app.ui.compose.look import button, column, icon_button, label, row
from mlx_music_app.ui.models import ask
from mlx_music_app.ui.models.notice import Notice
from mlx_music_app.ui.models.transfer_row import TransferRow
from mlx_music_app.ui.reveal import reveal, reveal_words
from mlx_music_app.ui.style import icons
from mlx_music_app.ui.style.theme import Space, repolish, theme

#: Preset: what it is called, and what it costs and gives.
PRESETS = {
    "quality": ("Quality", "8 bits; half the size, nearest to the original"),
    "balanced": ("Balanced", "4 and 8 bits; two fifths of the size"),
    "speed": ("Speed", "4 bits; under a third of the size, furthest from the original"),
}

_BADGES = {
    State.ABSENT: ("Not downloaded", ""),
    State.PARTIAL: ("Paused", "warning"),
    State.READY: ("Ready", "accent"),
    State.DAMAGED: ("Damaged", "danger"),
}
#: What stands below a name begins where the name does: a picture and a gap to the right.
_INDENT = 22 + Space.S

_GOING_ON = {
    "download": "Downloading",
    "repair": "Repairing",
    "verify": "Checking",
    "quantize": "Making a smaller copy",
    "delete": "Removing",
}


class ModelCard(QFrame):
    """Shows a `ModelInfo` and asks the service for what is pressed."""

    reportRequested = Signal(str)  # id: every file of the last check

    def __init__(self, service: ModelService, model: ModelInfo, parent: QWidget | None = None):
        super().__init__(parent)
        self._service = service
        self._model = model
        self.setProperty("role", "card")
        self._picture = label(wrap=False)
        self._picture.setFixedSize(22, 22)
        self.name = label(role="heading", wrap=False)
        self.badge = label(role="badge", wrap=False)
        self.primary = button("Download", "primary")
        self.primary.clicked.connect(self._download)
        self.more = icon_button("more", "More")
        self.menu = QMenu(self)
        self.presets = QMenu("Make a smaller copy", self)
        self.presets.setIcon(icons.icon("chip"))
        for preset, (name, words) in PRESETS.items():
            self.presets.addAction(f"{name}: {words}", partial(self._quantize, preset))
        self.more.setMenu(self.menu)
        self.more.setPopupMode(self.more.ToolButtonPopupMode.InstantPopup)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.about = label(role="body")
        self.facts = label(wrap=False)
        self.licence = button("", "link")
        self.licence.clicked.connect(self._open_link)
        self.memory = label()
        self.transfer = TransferRow(model.name)
        self.transfer.pausePressed.connect(self._pause)
        self.transfer.resumePressed.connect(self._download)
        self.transfer.stopPressed.connect(self._stop)
        self.notice = Notice()
        self.notice.pressed.connect(self._mend)
        self.notice.dismissed.connect(self._dismiss)
        self._mending = ""
        head = row(self._picture, self.name, self.badge, 1, self.primary, self.more)
        head.setAlignment(self.badge, Qt.AlignmentFlag.AlignVCenter)
        facts = row(self.facts, self.licence, 1, gap=Space.XS)
        text = column(self.about, facts, self.memory, gap=2)
        below = column(text, self.transfer, self.notice, gap=Space.M)
        below.setContentsMargins(_INDENT, 0, 0, 0)
        self.setLayout(column(head, below, gap=Space.XS, margin=Space.L))
        theme().changed.connect(self._draw)
        self.show_model(model)

    @property
    def model(self) -> ModelInfo:
        return self._model

    def show_model(self, model: ModelInfo) -> None:
        """Show a model as it is now."""
        self._model = model
        activity = self._service.activity(model.id)
        self.name.setText(model.name)
        self.setAccessibleName(model.name)
        self._show_badge(activity)
        self.about.setText(model.about)
        self.about.setVisible(bool(model.about))
        self._show_facts()
        idle = activity is None
        self.primary.setVisible(idle and model.state is State.ABSENT)
        self.primary.setAccessibleName(f"Download {model.name}")
        self.more.setAccessibleName(f"More about {model.name}")
        if activity is not None:
            self.transfer.show_activity(activity)
        elif model.state is State.PARTIAL:
            self.transfer.show_paused(model.fraction, f"{model.size} here")
        else:
            self.transfer.hide()
        self._show_notice()
        self._draw()

    def show_progress(self, fraction: float, text: str) -> None:
        self.transfer.show_progress(fraction, text)

    def _show_badge(self, activity: Activity | None) -> None:
        text, tone = _BADGES[self._model.state]
        if self._model.kind is Kind.BUILT_IN and self._model.ready:
            text = "Built in"
        if activity is not None:
            text, tone = _GOING_ON.get(activity.what, ""), "accent"
        self.badge.setText(text)
        if self.badge.property("tone") != tone:
            self.badge.setProperty("tone", tone)
            repolish(self.badge)

    def _show_facts(self) -> None:
        model = self._model
        size = model.size if model.nbytes or model.state is State.ABSENT else ""
        facts = [size if model.state is not State.PARTIAL else "", model.precision]
        facts.append("Hugging Face hub" if model.link else model.licence)
        if model.kind is Kind.LINKED:
            facts.append(str(model.folder))
        self.facts.setText("  ·  ".join(fact for fact in facts if fact))
        self.facts.setVisible(bool(self.facts.text()))
        words = model.licence or "Licence: see its page"
        self.licence.setText(words)
        self.licence.setVisible(bool(model.link))
        self.licence.setAccessibleName(f"Licence of {model.name}: {words}")
        need = self._service.memory_need(model.id)
        warn = need is not None and not need.fits
        self.memory.setText("" if need is None else need.text)
        self.memory.setProperty("role", "warning" if warn else "caption")
        repolish(self.memory)
        worth_saying = model.kind is not Kind.BUILT_IN or warn
        self.memory.setVisible(need is not None and worth_saying)

    def _show_notice(self) -> None:
        model, service = self._model, self._service
        report = service.report(model.id)
        if error := service.error(model.id):
            again = model.kind is Kind.HUB and not model.ready
            self._tell("download" if again else "", error, "danger", "Try again" if again else "")
        elif model.state is State.DAMAGED:
            mend = "repair" if model.kind is Kind.HUB else "delete"
            words = "Repair" if mend == "repair" else "Remove from the list…"
            if model.kind is Kind.OWN:
                words = "Delete…"
            if model.kind is Kind.BUILT_IN:
                mend = words = ""
            self._tell(mend, model.problem, "danger", words, dismissable=False)
        elif report is not None:
            self._tell_report(report)
        elif model.ready and model.sings and service.vocabulary_problem:
            line = "It cannot sing yet: the lyric vocabulary (0.4 MB) is not here."
            self._tell("download", line, "warning", "Get it", dismissable=False)
        else:
            self.notice.tell("")

    def _tell_report(self, report: VerifyReport) -> None:
        bad = [file for file in report.files if not file.ok]
        if not bad:
            compared = all(file.digest_compared for file in report.files)
            how = "whole, and what was published" if compared else "whole"
            line = f"All {len(report.files)} files are {how} ({size_in_words(report.nbytes)})."
            self._tell("report", line, "success", "Details")
            return
        names = ", ".join(file.name for file in bad[:2])
        more = f" and {len(bad) - 2} more" if len(bad) > 2 else ""
        line = f"{len(bad)} of {len(report.files)} files are damaged or missing: {names}{more}."
        if self._model.kind is Kind.HUB:
            self._tell("repair", line, "danger", "Repair")
        else:
            self._tell("report", f"{line} Get the model again from where you had it.", "danger",
                       "Details")  # fmt: skip

    def _tell(
        self, mend: str, line: str, tone: str, action: str, *, dismissable: bool = True
    ) -> None:
        self._mending = mend
        idle = self._service.activity(self._model.id) is None
        self.notice.tell(line, tone, action if idle else "", dismissable=dismissable)

    def _fill_menu(self) -> None:
        """What can be done now."""
        model, menu = self._model, self.menu
        idle = self._service.activity(model.id) is None
        menu.clear()
        add = menu.addAction
        if model.state in (State.READY, State.DAMAGED):
            add(icons.icon("verify"), "Check every file", self._verify).setEnabled(idle)
        if model.ready and not model.smaller:
            menu.addMenu(self.presets)
            self.presets.setEnabled(idle)
        if self._service.report(model.id) is not None:
            add(icons.icon("file"), "Show each file of the last check", self._show_report)
        if model.folder is not None:
            add(icons.icon("reveal"), reveal_words(), self._reveal)
        if model.link:
            add(icons.icon("globe"), "Open its page", self._open_link)
        if model.kind is not Kind.BUILT_IN and (
            model.state is not State.ABSENT or model.about == ""
        ):
            menu.addSeparator()
            listed_only = model.kind is Kind.LINKED or model.state is State.ABSENT
            words = "Remove from the list…" if listed_only else "Delete…"
            add(icons.icon("trash"), words, self._delete).setEnabled(idle)

    def _download(self) -> None:
        self._service.download(self._model.id)

    def _pause(self) -> None:
        self._service.pause(self._model.id)

    def _stop(self) -> None:
        """Stop what goes on; of a download, ask what becomes of what is here."""
        model_id, activity = self._model.id, self._service.activity(self._model.id)
        if activity is not None and not activity.fetches:
            self._service.stop(model_id)
            return
        discard = ask.ask_to_discard(self, self._model, self._service.freed_by(model_id))
        if discard is not None:
            self._service.cancel(model_id, discard=discard)

    def _verify(self) -> None:
        self._service.verify(self._model.id)

    def _quantize(self, preset: str) -> None:
        self._service.quantize(self._model.id, preset)

    def _reveal(self) -> None:
        if self._model.folder is not None:
            reveal(self._model.folder)

    def _delete(self) -> None:
        if ask.ask_to_delete(self, self._model, self._service.freed_by(self._model.id)):
            self._service.delete(self._model.id)

    def _show_report(self) -> None:
        self.reportRequested.emit(self._model.id)

    def _open_link(self) -> None:
        QDesktopServices.openUrl(QUrl(self._model.link))

    def _dismiss(self) -> None:
        self._service.dismiss(self._model.id)

    def _mend(self) -> None:
        """The button in the notice."""
        actions: dict[str, Callable[[], None]] = {
            "download": self._download,
            "repair": partial(self._service.repair, self._model.id),
            "report": self._show_report,
            "delete": self._delete,
        }
        if self._mending in actions:
            actions[self._mending]()

    def _draw(self) -> None:
        name = "music" if self._model.kind is Kind.BUILT_IN else "models"
        color = "accent" if self._model.ready else "text_tertiary"
        self._picture.setPixmap(icons.pixmap(name, color, 22, self.devicePixelRatioF()))
