"""How the form is laid out, and what of it is in sight."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QBoxLayout,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QWidget,
)

from mlx_music_app.ui.compose.form import Form
from mlx_music_app.ui.compose.look import column, row
from mlx_music_app.ui.compose.modes import COMPOSE, Mode, Part
from mlx_music_app.ui.compose.notice import Notice
from mlx_music_app.ui.compose.presets import PresetRow, load_presets
from mlx_music_app.ui.compose.settings_card import SettingsCard
from mlx_music_app.ui.compose.suggestions import Suggestions
from mlx_music_app.ui.compose.tags import title_of

#: From this width on the settings stand beside the lyrics.
_WIDE = 800
_CONTENT_WIDTH, _CARD_WIDTH = 1080, 324
_ANY_WIDTH = 16_777_215


class ComposePage(QScrollArea):
    """The form's parts from top to bottom: what to make first."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form
        self._mode = COMPOSE
        self.title_edit = QLineEdit()
        self.title_edit.setProperty("role", "title")
        self.title_edit.setAccessibleName("Title")
        self.title_edit.setMaxLength(120)
        self.title_edit.setTextMargins(-5, 0, 0, 0)  # its words stand in line with all others
        self.title_edit.setAcceptDrops(False)
        self.notice = Notice()
        self.suggestions = Suggestions(form.tags.edit)
        self.presets = PresetRow(load_presets())
        self.settings = SettingsCard(form)
        self._body = row(form.lyrics, self.settings, gap=24)
        # From the outside in: whatever moves into another widget is styled again.
        content, page = QWidget(), QWidget()
        page.setProperty("role", "page")
        page.setLayout(row(content))
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(page)
        content.setMaximumWidth(_CONTENT_WIDTH)
        content.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        box = column(
            self.notice, form.strip, self.title_edit, column(form.prompt, self.suggestions),
            self.presets, self._body, form.advanced, gap=20,
        )  # fmt: skip
        box.addStretch(1)
        box.setContentsMargins(24, 16, 24, 24)
        content.setLayout(box)
        form.advanced.opened.connect(self.settle)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._follow_focus)
        self._arrange()

    @property
    def title(self) -> str:
        """What the takes will be called: what was typed, or else the first words of the style."""
        return self.title_edit.text().strip() or self.suggested_title

    @property
    def suggested_title(self) -> str:
        return title_of(self.form.tags.value()) or "Untitled"

    def show_mode(self, mode: Mode) -> None:
        """Show what matters for a use of the form; its own parts know by themselves."""
        self._mode = mode
        self.suggestions.setVisible(Part.STYLE in mode.parts)
        self.presets.setVisible(Part.PRESETS in mode.parts)
        self.settings.voice.set_mode(mode)
        self.settings.voice.refresh()
        self._arrange()
        self.settle()

    def shows(self, field: str) -> bool:
        """Whether there is something to reveal."""
        return field in self.form.rows or field in ("lyrics", "language")

    def reveal(self, field: str) -> None:
        """Bring a field into sight, with the keyboard in it."""
        if field in self.form.advanced.rows:
            self.form.advanced.open()
        made = self.form.rows.get(field)
        target: QWidget | None = made.control.field() if made is not None else None
        if field in ("lyrics", "language"):
            target = self.form.lyrics.field()
        if target is not None:
            self.ensureWidgetVisible(target, 24, 80)
            target.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def settle(self) -> None:
        """Let the page grow at once.

        Layouts within layouts pass their wishes up one at a time, and a picture that is due is
        painted in between, with everything squeezed.
        """
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        return QSize(480, 320)

    def _follow_focus(self, old: QWidget | None, now: QWidget | None) -> None:
        """Bring what the keyboard came to into sight, also from outside of the page.

        Not what is clicked, which would move away under the pointer, and not when the window
        comes back, in which nothing had the focus: the page stays where it was scrolled to.
        """
        if old is None or now is None or QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        page = self.widget()
        if page is not None and page.isAncestorOf(now):
            self.ensureWidgetVisible(now, 24, 24)

    def _arrange(self) -> None:
        beside = self.width() >= _WIDE and Part.LYRICS in self._mode.parts
        way = QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom
        if self._body.direction() != way:
            self._body.setDirection(way)
        self._body.setStretch(0, 1 if beside else 0)
        self.settings.setMinimumWidth(_CARD_WIDTH if beside else 0)
        self.settings.setMaximumWidth(_CARD_WIDTH if beside else _ANY_WIDTH)
