"""Two programs for a drag between processes: `source FILE [START END]` and `target OUT`."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone
from pathlib import Path

from PySide6.QtCore import QPoint
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

from mlx_music import GenerationRequest
from mlx_music_app.library.export import drag_file
from mlx_music_app.library.peaks import compute_peaks
from mlx_music_app.library.take import Take
from mlx_music_app.preferences import Preferences
from mlx_music_app.ui.drag import start_drag
from mlx_music_app.ui.style.theme import theme
from mlx_music_app.ui.waveform import WaveformView


class Source(WaveformView):
    """A take's waveform, dragged out as the app does it."""

    def __init__(self, path: Path, region: tuple[float, float] | None) -> None:
        super().__init__()
        peaks = compute_peaks(path)
        self._shown = Take(
            1, path, "Song", 1, datetime.now(timezone.utc), peaks.duration, peaks.sample_rate,
            GenerationRequest(prompt="folk"), "sketch",
        )  # fmt: skip
        self._preferences = Preferences()
        self.setGeometry(20, 20, 400, 160)
        self.show()
        self.set_take(self._shown, peaks)
        self.set_region(region)
        self.dragRequested.connect(self._start)

    def where_to_press(self) -> QPoint:
        if self.region is None:
            return self.mapToGlobal(self.layout_().grip.center().toPoint())
        middle = self.axis.x(sum(self.region) / 2)
        return self.mapToGlobal(QPoint(round(middle), 110))

    def _start(self, region: object) -> None:
        chosen = region if isinstance(region, tuple) else None
        file = drag_file(self._shown, self._preferences, chosen)
        print(json.dumps({"taken": start_drag(self, [file]), "file": str(file)}), flush=True)


class Target(QWidget):
    """Another program: copies what is dropped on it, and says how it was offered."""

    def __init__(self, out: Path) -> None:
        super().__init__()
        self._out = out
        self.setAcceptDrops(True)
        self.setGeometry(520, 20, 300, 300)
        self.show()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        urls = event.mimeData().urls()
        path = Path(urls[0].toLocalFile())
        self._out.write_bytes(path.read_bytes())
        event.acceptProposedAction()
        offered = {
            "absolute": path.is_absolute(),
            "name": path.name,
            "count": len(urls),
            "actions": event.possibleActions().value,
        }
        print(json.dumps(offered), flush=True)


def main() -> int:
    app = QApplication([])
    theme().apply(app, "light")
    kind, file, *region = sys.argv[1:]
    if kind == "target":
        widget: QWidget = Target(Path(file))
        center = widget.mapToGlobal(widget.rect().center())
    else:
        start_end = (float(region[0]), float(region[1])) if region else None
        source = Source(Path(file), start_end)
        widget, center = source, source.where_to_press()
    app.processEvents()
    print(json.dumps([center.x(), center.y()]), flush=True)
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
