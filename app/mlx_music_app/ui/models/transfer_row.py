"""How far something is: a bar, a line, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QProgressBar, QWidget

from mlx_music_app.models.activities import Activity
from mlx_music_app.ui.compose.look import button, column, label, row
from mlx_music_app.ui.style.theme import Space

#: The bar counts in thousandths: eight gigabytes do not fit its whole numbers.
_STEPS = 1000


class TransferRow(QWidget):
    """Hidden while nothing goes on. A paused download keeps its bar, and can go on."""

    pausePressed = Signal()
    resumePressed = Signal()
    stopPressed = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.words = label(wrap=False)
        self.pause = button("Pause", icon_name="pause")
        self.pause.clicked.connect(self.pausePressed)
        self.resume = button("Resume", icon_name="play")
        self.resume.clicked.connect(self.resumePressed)
        self.stop = button("Stop", icon_name="close")
        self.stop.clicked.connect(self.stopPressed)
        for made in (self.pause, self.resume, self.stop):
            made.setAccessibleName(f"{made.text()} {name}")
        controls = row(self.words, 1, self.pause, self.resume, self.stop)
        self.setLayout(column(self.bar, controls, gap=Space.S))
        self.hide()

    def show_activity(self, activity: Activity) -> None:
        """Something goes on."""
        self.show_progress(activity.fraction, activity.text)
        self.pause.setVisible(activity.fetches)
        self.resume.hide()
        # Deleting is a matter of a moment, and half a deletion is nothing anybody wants.
        self.stop.setVisible(activity.what != "delete")
        self.stop.setText("Stop…" if activity.fetches else "Stop")
        for made in (self.pause, self.stop):
            made.setEnabled(not activity.ending)
        self.show()

    def show_paused(self, fraction: float, text: str) -> None:
        """A download that can go on."""
        self.show_progress(fraction, text)
        self.pause.hide()
        self.resume.show()
        self.stop.setText("Discard…")
        self.stop.show()
        self.stop.setEnabled(True)
        self.show()

    def show_progress(self, fraction: float, text: str) -> None:
        self.bar.setValue(round(_STEPS * fraction))
        self.bar.setAccessibleName(f"{self._name}, {round(100 * fraction)} percent")
        self.words.setText(text)
