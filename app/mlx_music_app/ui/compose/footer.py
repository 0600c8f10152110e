"""The bar at the bottom: what will be made, why it cannot be, and the button."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame

from mlx_music_app.ui.compose.look import button, label, row
from mlx_music_app.ui.long_text import WrappedLabel

#: Command and Return on a Mac.
GENERATE_KEYS = QKeySequence("Ctrl+Return")


class GenerateBar(QFrame):
    """Always in sight."""

    generateClicked = Signal()
    showProblem = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.summary = label("", "caption")
        self.reason = WrappedLabel(role="caption")
        self.show_button = button("Show", "link")
        self.show_button.setAccessibleName("Show the field that is not right")
        self.show_button.clicked.connect(self.showProblem)
        self.generate = button("Generate", "primary")
        self.generate.clicked.connect(self.generateClicked)
        box = row(self.summary, self.reason, self.show_button, 1, self.generate, gap=8)
        box.setContentsMargins(24, 10, 24, 10)
        box.setStretch(0, 1)
        box.setStretch(1, 1)
        box.setStretch(3, 0)
        self.setLayout(box)

    def show_state(self, summary: str, takes: int, reason: str, *, has_field: bool) -> None:
        """reason: why nothing can be made; "" if it can. has_field: whether one can be shown."""
        self.summary.setText(summary)
        self.summary.setVisible(not reason)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self.show_button.setVisible(bool(reason) and has_field)
        self.generate.setEnabled(not reason)
        self.generate.setText("Generate" if takes == 1 else f"Generate {takes} takes")
        keys = GENERATE_KEYS.toString(QKeySequence.SequenceFormat.NativeText)
        self.generate.setToolTip(reason or f"Generate ({keys})")
        self.generate.setAccessibleDescription(reason or summary)
