"""Where the app keeps what, on each system: music, its catalogue, caches and logs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP_NAME = "MLX Music"

#: Moves everything the app keeps below one folder: for tests, and for a stick to carry around.
HOME_VARIABLE = "MLX_MUSIC_APP_HOME"


def _own_home() -> Path | None:
    folder = os.environ.get(HOME_VARIABLE)
    return Path(folder).expanduser() if folder else None


def data_folder() -> Path:
    """Catalogue, drafts and preferences; on a Mac ~/Library/Application Support/MLX Music."""
    own = _own_home()
    return own / "data" if own else Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))


def cache_folder() -> Path:
    """What can be made again: peaks, files that were dragged out as regions."""
    own = _own_home()
    return own / "cache" if own else Path(platformdirs.user_cache_dir(APP_NAME, appauthor=False))


def log_folder() -> Path:
    own = _own_home()
    return own / "logs" if own else Path(platformdirs.user_log_dir(APP_NAME, appauthor=False))


def default_music_folder() -> Path:
    """~/Music/MLX Music, until the person chooses another."""
    own = _own_home()
    return own / APP_NAME if own else Path(platformdirs.user_music_dir()) / APP_NAME
