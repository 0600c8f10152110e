"""A line above the content for what went wrong, until it is read."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from mlx_music_app.ui.compose.look import button, icon_button, label
from mlx_music_app.ui.style.theme import Space, repolish


class NoticeBar(QFrame):
    """The last message. Errors stay until they are closed, news goes away by itself."""

    actionPressed = Signal(str)  # the word of the command that was offered

    NEWS_MS = 6000

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self._words = label("", "body")
        self._action: QPushButton = button("", "link")
        self._command = ""
        self._waiting: tuple[str, tuple[str, str] | None] | None = None
        self._action.clicked.connect(self._on_action)
        close = icon_button("close", "Close this message")
        close.clicked.connect(self._on_close)
        layout = QHBoxLayout(self)
        # It stands off from the window's edge by the margin that the style sheet gives it.
        self.setProperty("place", "top")
        layout.setContentsMargins(Space.L, Space.S, Space.S, Space.S)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._action)
        layout.addWidget(close)
        self._timer = QTimer(self, singleShot=True, interval=self.NEWS_MS)
        self._timer.timeout.connect(self.hide)
        self.hide()

    @property
    def text(self) -> str:
        return self._words.text() if not self.isHidden() else ""

    def say(self, words: str, *, action: tuple[str, str] | None = None) -> None:
        """News. action: command and words of a button. While an error stands, it waits."""
        if self._complains:
            self._waiting = words, action
            return
        self._show(words, "", action)
        self._timer.start()

    def complain(self, words: str, *, action: tuple[str, str] | None = None) -> None:
        """An error."""
        self._show(words, "danger", action)

    @property
    def _complains(self) -> bool:
        return not self.isHidden() and self.property("tone") == "danger"

    def _show(self, words: str, tone: str, action: tuple[str, str] | None) -> None:
        self._timer.stop()
        self.setProperty("tone", tone)
        repolish(self)
        self._words.setText(words)
        self._command, text = action or ("", "")
        self._action.setText(text)
        self._action.setVisible(bool(text))
        self.setAccessibleName(words)
        self.show()

    def _on_close(self) -> None:
        self.hide()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self.say(waiting[0], action=waiting[1])

    def _on_action(self) -> None:
        command = self._command
        self._on_close()
        self.actionPressed.emit(command)
