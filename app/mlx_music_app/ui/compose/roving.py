"""One tab stop for a row of buttons, with the arrow keys inside it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

_STEPS = {
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Up: -1,
}


class Roving(QObject):
    """Makes Tab go past a row of widgets in one step; arrows, Home and End move in it."""

    def __init__(self, widgets: Sequence[QWidget], parent: QObject) -> None:
        super().__init__(parent)
        self._widgets = list(widgets)
        for widget in self._widgets:
            widget.installEventFilter(self)
        self.start()

    def start(self) -> None:
        """Let Tab lead to the first one that can be used."""
        usable = self._usable()
        self._stop_at(usable[0] if usable else None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.FocusIn and isinstance(watched, QWidget):
            self._stop_at(watched)
        elif kind == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._move(watched, Qt.Key(event.key()))
        return False

    def _usable(self) -> list[QWidget]:
        return [widget for widget in self._widgets if not widget.isHidden()]

    def _stop_at(self, stop: QWidget | None) -> None:
        for widget in self._widgets:
            is_stop = widget is stop
            widget.setFocusPolicy(
                Qt.FocusPolicy.StrongFocus if is_stop else Qt.FocusPolicy.ClickFocus
            )

    def _move(self, watched: QObject, key: Qt.Key) -> bool:
        usable = self._usable()
        if watched not in usable:
            return False
        place = usable.index(watched)
        if key in _STEPS:
            target = usable[(place + _STEPS[key]) % len(usable)]
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            target = usable[0 if key == Qt.Key.Key_Home else -1]
        else:
            return False
        target.setFocus(Qt.FocusReason.TabFocusReason)
        return True
