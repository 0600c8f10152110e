"""The dictionary that Japanese is read with: UniDic, as the package `unidic_lite` has it.

It is 260 MB, so the built app holds it packed. Whoever sings in Japanese gets it unpacked into
their cache, once; that takes two seconds.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from mlx_music.errors import LyricsError
from mlx_music.resources import find_resource

#: The environment variable that names the folder to unpack into, in place of the person's cache.
VARIABLE = "MLX_MUSIC_DICTIONARY"

#: A resource: a zip file of what is in the package's `dicdir`.
PACKED = "unidic-lite.zip"

#: The largest file of a dictionary, which the built app's copy of the package is without.
_WORDS = "sys.dic"


def dictionary_folder() -> Path:
    """The folder for MeCab's option -d, unpacked if need be.

    Raises `LyricsError` if there is no dictionary, or no way to unpack it.
    """
    import unidic_lite

    folder = Path(unidic_lite.DICDIR)
    if (folder / _WORDS).is_file():
        return folder
    packed = find_resource(PACKED)
    if packed is None:
        raise LyricsError(
            f"{folder}: the Japanese dictionary is missing from this copy of MLX Music; "
            "install it again"
        )
    return _unpacked(packed, _cache() / f"unidic-lite-{unidic_lite.VERSION}")


def _cache() -> Path:
    import platformdirs

    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser()
    return Path(platformdirs.user_cache_dir("mlx-music", appauthor=False))


def _unpacked(packed: Path, folder: Path) -> Path:
    """`folder` with the content of `packed`; it is there as a whole or not at all."""
    if (folder / _WORDS).is_file():
        return folder
    hidden: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(hidden)
        _put_in_place(hidden, folder)
    except OSError as error:
        raise LyricsError(
            f"{folder}: the Japanese dictionary cannot be unpacked there ({error.strerror}); it "
            f"needs 300 MB and a folder that can be written to, which {VARIABLE} can name"
        ) from error
    except zipfile.BadZipFile as error:
        raise LyricsError(f"{packed}: is damaged ({error}); install MLX Music again") from error
    finally:  # also on Ctrl-C; after the renaming there is nothing left to remove
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)
    return folder


def _put_in_place(hidden: Path, folder: Path) -> None:
    try:
        hidden.rename(folder)
    except OSError:
        # Another process was faster, or somebody took the words out of it.
        if not (folder / _WORDS).is_file():
            shutil.rmtree(folder)
            hidden.rename(folder)
