"""What can go wrong in the library, said as everywhere: what, where, and what to do."""

from __future__ import annotations

from mlx_music import MLXMusicError


class LibraryError(MLXMusicError):
    """The library cannot do what was asked of it."""


class NewerLibrary(LibraryError):
    """The catalogue was written by a newer version of the app; it was left as it is."""


class DamagedLibrary(LibraryError):
    """The catalogue's file is damaged. What it held can be read again from the music files."""


class NoTrash(LibraryError):
    """A file lies on a disk that has no trash; it was left where it is."""
