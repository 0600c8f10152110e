"""What the person has chosen once and for all, kept between starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QObject, QSettings, Signal

from mlx_music_app import paths

#: Name, default. The types of the defaults are the types of the values.
DEFAULTS: dict[str, Any] = {
    "music_folder": "",
    "export_format": "wav",
    "export_bit_depth": 24,  # 32 is float; where the format has it
    "output_device": "",  # name of the device; empty is the system's own
    "volume": 0.9,
    "model": "",  # folder, hub id or "sketch"; empty is the best that is installed
    "memory_limit": 0.0,  # GB; 0 is the engine's default
    "show_menu_bar_extra": True,
    "notify_when_done": True,
    "appearance": "system",
}

#: Where only some values make sense. Another version of the app, or a hand, may have left others.
CHOICES: dict[str, tuple[Any, ...]] = {
    "export_format": ("wav", "flac", "aiff", "ogg", "mp3"),
    "export_bit_depth": (16, 24, 32),
    "appearance": ("system", "light", "dark"),
}


class Preferences(QObject):
    """Typed settings over an INI file in the app's data folder; every change is announced."""

    changed = Signal(str)  # the name

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        file = paths.data_folder() / "preferences.ini"
        file.parent.mkdir(parents=True, exist_ok=True)
        self._settings = QSettings(str(file), QSettings.Format.IniFormat)

    def get(self, name: str) -> Any:
        """The value of `name`, of the type of its default. A KeyError is a programmer's mistake."""
        default = DEFAULTS[name]
        value = self._settings.value(name, default, type(default))
        return value if value in CHOICES.get(name, (value,)) else default

    def set(self, name: str, value: Any) -> None:
        default = DEFAULTS[name]
        if not isinstance(value, type(default)):
            raise TypeError(f"{name} is of type {type(default).__name__}, not {value!r}")
        if value != self.get(name):
            self._settings.setValue(name, value)
            self._settings.sync()
            self.changed.emit(name)

    def reset(self, name: str) -> None:
        self.set(name, DEFAULTS[name])

    @property
    def music_folder(self) -> Path:
        """Where takes are kept."""
        chosen = self.get("music_folder")
        return Path(chosen) if chosen else paths.default_music_folder()

    def sync(self) -> None:
        """Write what is not yet in the file."""
        self._settings.sync()

    def save_window(self, name: str, state: bytes) -> None:
        """Remember a window's geometry or a splitter's state."""
        self._settings.setValue(f"window/{name}", QByteArray(state))

    def window(self, name: str) -> bytes | None:
        """What was remembered; None if nothing was."""
        state = self._settings.value(f"window/{name}")
        return bytes(state.data()) if isinstance(state, QByteArray) else None
