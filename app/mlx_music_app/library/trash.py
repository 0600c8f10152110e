"""To the system's trash and back. Nothing is ever deleted for good."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QFile

from mlx_music import AudioError
from mlx_music_app.library.errors import LibraryError, NoTrash
from mlx_music_app.library.files import free_name, move_to_new


def move_to_trash(path: Path) -> Path:
    """Move a file to the system's trash, and say where it lies there.

    Raises:
        NoTrash: The system has none for this disk, or refuses; the file stays where it is.
    """
    file = QFile(str(path))
    # Of the object and not the static function: only this one then knows its new name.
    if not file.moveToTrash():
        raise NoTrash(
            f"{path}: cannot be moved to the trash (its disk may have none), so it was kept; "
            "delete it in the file manager if you no longer want it"
        )
    return Path(file.fileName())


def bring_back(trashed: Path, target: Path) -> Path:
    """Move a file from the trash to `target`, or to a free name beside it; returns where it is.

    Raises:
        LibraryError: It is no longer in the trash, or cannot be moved.
    """
    while True:
        place = free_name(target)
        try:
            move_to_new(trashed, place)
        except FileExistsError:
            continue  # somebody was faster: the next name
        except FileNotFoundError as error:
            raise LibraryError(f"{target.name}: is no longer in the trash") from error
        except (OSError, AudioError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or error
            raise LibraryError(
                f"{target.name}: cannot be moved back from the trash ({reason}); "
                f"it lies in {trashed}"
            ) from error
        _forget_note(trashed)
        return place


def finish_bringing_back(trashed: Path, target: Path) -> bool:
    """Whether a file is under both names, as a crash leaves it; then it leaves the trash now."""
    # A Mac may forbid to look into the trash: for `os.path`, not for `Path`, that is a no.
    if not os.path.exists(trashed) or not target.exists() or not trashed.samefile(target):
        return False
    trashed.unlink()
    _forget_note(trashed)
    return True


def _forget_note(trashed: Path) -> None:
    """Remove what freedesktop.org's trash notes of a file beside it, now that it is out."""
    note = trashed.parent.parent / "info" / f"{trashed.name}.trashinfo"
    if trashed.parent.name == "files" and os.path.lexists(note):
        note.unlink(missing_ok=True)
