"""The seed: drawn anew for each job, or locked."""

from __future__ import annotations

import contextlib
from typing import Any

from PySide6.QtWidgets import QWidget

from mlx_music.errors import InvalidRequest
from mlx_music.request import limit_of, new_seed
from mlx_music_app.ui.compose.controls import Control
from mlx_music_app.ui.compose.look import icon_button, row
from mlx_music_app.ui.compose.number_control import NumberControl
from mlx_music_app.ui.style.icons import icon


class SeedControl(Control):
    """A number with a lock and a dice; None while it is not locked. Typing one locks it."""

    def __init__(self) -> None:
        super().__init__("seed")
        self._number = NumberControl(
            "seed", limit_of("seed"), whole=True, optional=True, placeholder="New for each job"
        )
        self._last: int | None = None
        self.edit = self._number.edit
        self.lock = icon_button("unlock", "Keep this seed", on="accent_text")
        self.lock.setCheckable(True)
        self.dice = icon_button("dice", "Draw another seed and keep it")
        self.setLayout(row(self._number, self.dice, self.lock, gap=4))
        self.lock.clicked.connect(self._lock_clicked)
        self.dice.clicked.connect(self._roll)
        self._number.changed.connect(self._edited)

    def value(self) -> Any:
        return self._number.value()

    def set_value(self, value: Any) -> None:
        self._number.set_value(value)

    def state(self) -> Any:
        return {"number": self._number.state(), "last": self._last}

    def set_state(self, state: Any) -> None:
        last = state["last"]
        if last is not None and not isinstance(last, int):
            raise TypeError(last)
        self._number.set_state(state["number"])
        self.note_used(last)

    def field(self) -> QWidget:
        return self.edit

    def note_used(self, seed: int | None) -> None:
        """Remember what the last job drew, for the lock."""
        self._last = seed
        last = "" if seed is None else f" (last: {seed})"
        self.edit.setPlaceholderText(f"New for each job{last}")

    def _lock_clicked(self) -> None:
        if self.edit.text():
            with contextlib.suppress(InvalidRequest):
                self._last = self._number.value()
            self.set_value(None)
        else:
            self.set_value(new_seed() if self._last is None else self._last)

    def _roll(self) -> None:
        self.set_value(new_seed())

    def _edited(self) -> None:
        locked = bool(self.edit.text())
        self.lock.setChecked(locked)
        self.lock.setIcon(icon("lock" if locked else "unlock", on="accent_text"))
        words = "Draw a new seed for each job" if locked else "Keep the last seed"
        self.lock.setToolTip(words)
        self.lock.setAccessibleName(words)
        self.changed.emit()
