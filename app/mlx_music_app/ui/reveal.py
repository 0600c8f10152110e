"""Show a file in the system's file manager, or put it on the clipboard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData, QProcess, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication


def reveal_words() -> str:
    """What the command is called on this system."""
    return "Reveal in Finder" if sys.platform == "darwin" else "Show in folder"


def reveal(path: Path) -> bool:
    """Select the file in the Finder; elsewhere open its folder."""
    if sys.platform == "darwin":
        return bool(QProcess.startDetached("open", ["-R", str(path)])[0])
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def copy_files(paths: Sequence[Path]) -> None:
    """Put files on the clipboard, to be pasted into a folder or a program."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path.absolute())) for path in paths])
    data.setText("\n".join(str(path) for path in paths))
    QGuiApplication.clipboard().setMimeData(data)
