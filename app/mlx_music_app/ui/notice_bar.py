"""A line above the content for what went wrong, until it is read or over."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from mlx_music_app.ui.compose.look import button, icon_button, label
from mlx_music_app.ui.style.theme import Space, repolish

Action = tuple[str, str] | None


@dataclass(frozen=True)
class _Message:
    words: str
    action: Action


class NoticeBar(QFrame):
    """The last message. Errors stay until they are closed or over, news goes away by itself."""

    actionPressed = Signal(str)  # the word of the command that was offered

    NEWS_MS = 6000

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self._words = label("", "body")
        self._action: QPushButton = button("", "link")
        self._command = ""
        self._errors: dict[str, _Message] = {}  # by topic; the last one is shown
        self._waiting: _Message | None = None  # news
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

    def say(self, words: str, *, action: Action = None) -> None:
        """News. action: command and words of a button. While an error stands, it waits."""
        self._waiting = _Message(words, action)
        self._show_next()

    def complain(self, words: str, *, action: Action = None, topic: str = "") -> None:
        """An error, instead of the one before it on that topic. Others come back after it."""
        self._errors.pop(topic, None)  # it comes last, wherever the one before it was
        self._errors[topic] = _Message(words, action)
        self._show_next()

    def settle(self, topic: str) -> None:
        """What was complained of on that topic is over."""
        if self._errors.pop(topic, None) is not None:
            self._show_next()

    def _show_next(self) -> None:
        """The last error; without any, what is new; without that, nothing."""
        if self._errors:
            self._show(next(reversed(self._errors.values())), "danger")
        elif self._waiting is not None:
            self._show(self._waiting, "")
            self._waiting = None
            self._timer.start()
        else:
            self.hide()

    def _show(self, message: _Message, tone: str) -> None:
        self._timer.stop()
        self.setProperty("tone", tone)
        repolish(self)
        self._words.setText(message.words)
        self._command, text = message.action or ("", "")
        self._action.setText(text)
        self._action.setVisible(bool(text))
        self.setAccessibleName(message.words)
        self.show()

    def _on_close(self) -> None:
        if self._errors:
            self._errors.popitem()
        self._show_next()

    def _on_action(self) -> None:
        command = self._command
        self._on_close()
        self.actionPressed.emit(command)
