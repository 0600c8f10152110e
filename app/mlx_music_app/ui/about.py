"""About: which version, and whose work is in it under which licence."""

from __future__ import annotations

import platform
import re
from importlib import metadata

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QPlainTextEdit, QWidget

from mlx_music import __version__
from mlx_music_app.ui.compose.look import button, column, label, row
from mlx_music_app.ui.style.icons import pixmap
from mlx_music_app.ui.style.theme import Space

_OURS = (
    ("MLX Music", "MIT", "this app and its engine"),
    ("ACE-Step v1 3.5B", "Apache-2.0", "the model, its weights and its lyric vocabulary"),
    ("Qt and PySide6", "LGPL-3.0", "windows; used as separate libraries that can be exchanged"),
)

#: What this distribution is itself, and what was named above.
_NAMED = re.compile(r"^(mlx[-_]music|pyside6|shiboken6)", re.IGNORECASE)


class AboutDialog(QDialog):
    """A small window; the long list can be scrolled and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About MLX Music")
        self.setMinimumSize(520, 480)
        picture = label("", "body")
        picture.setPixmap(pixmap("takes", "accent", 48, self.devicePixelRatioF()))
        words = column(
            label("MLX Music", "title", wrap=False),
            label(
                f"Version {__version__}, Python {platform.python_version()}", "caption", wrap=False
            ),
            gap=Space.XS,
        )
        head = row(picture, words, 1, gap=Space.L)
        self.licences = QPlainTextEdit(licences())
        self.licences.setReadOnly(True)
        self.licences.setProperty("readOnly", True)
        self.licences.setAccessibleName("Licences")
        close = button("Close", "primary")
        close.setDefault(True)
        close.clicked.connect(self.accept)
        self.setLayout(
            column(
                head,
                label("Music from a prompt and lyrics, on this machine and nowhere else.", "body"),
                label("Licences", "section"),
                self.licences,
                row(1, close),
                gap=Space.M,
                margin=Space.XL,
            )
        )
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)


def licences() -> str:
    """Name, licence and use of everything inside."""
    lines = [f"{name}\n    {licence}: {use}" for name, licence, use in _OURS]
    lines += ["", "Also inside, each under its own licence:", ""]
    lines += [f"{name} {version}: {licence}" for name, version, licence in _others()]
    return "\n".join(lines)


def _others() -> list[tuple[str, str, str]]:
    """What MLX Music needs, and what that needs in turn, as far as it is installed."""
    found: dict[str, tuple[str, str, str]] = {}
    waiting = ["mlx-music"]
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another system, or an extra that is not here
        found[key] = (package.metadata["Name"], package.version, licence_of(package.metadata))
        for requirement in package.requires or ():
            extra = re.search(r"extra\s*==\s*['\"](\w+)", requirement)
            if extra is None or (key == "mlx-music" and extra.group(1) == "app"):
                waiting.append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    rows = [entry for entry in found.values() if not _NAMED.match(entry[0])]
    return sorted(rows, key=lambda entry: entry[0].lower())


def licence_of(package: metadata.PackageMetadata) -> str:
    """In a few words, from wherever the package says it."""
    said = package.json
    if expression := said.get("license_expression"):
        return str(expression)
    names = [
        line.rpartition("::")[2].strip()
        for line in said.get("classifier", ())
        if line.startswith("License ::")
    ]
    names = [name for name in names if name != "OSI Approved"]
    if names:
        return ", ".join(names)
    first = str(said.get("license", "")).strip().split("\n")[0]
    return first[:80] or "see its package"
