"""How a file becomes a take: what its row says, where it is copied to."""

from __future__ import annotations

import logging
import uuid
from datetime import datetime, timezone
from pathlib import Path

from mlx_music import AudioError
from mlx_music.audio.atomic import write_whole
from mlx_music_app.engine.jobs import MadeTake
from mlx_music_app.library import journal
from mlx_music_app.library.files import EXPORTS, TakeFiles
from mlx_music_app.library.identity import FileFacts, read_facts, read_uid
from mlx_music_app.library.naming import FALLBACK, parse_stem, suggest_title
from mlx_music_app.library.rows import NewTake
from mlx_music_app.library.take import Take

log = logging.getLogger(__name__)

#: Seconds by which the length of a file may differ from what is known of it.
_SAME_LENGTH = 0.05


def row_of_made(made: MadeTake, files: TakeFiles) -> NewTake:
    """The row of a take that was just made."""
    name = parse_stem(made.path.stem)
    return NewTake(
        uid=files.uid_of(made.path) or _uid_of(made.path) or uuid.uuid4().hex,
        path=made.path,
        title=made.job.title.strip() or suggest_title(made.request),
        number=name.number if name else 1,
        created=datetime.now(timezone.utc),
        duration=made.duration,
        sample_rate=made.sample_rate,
        request=made.request,
        model=made.model,
    )


def row_of_file(facts: FileFacts, entry: journal.Entry | None = None) -> NewTake:
    """The row of a file: by the journal where that knows it, by its tags, by its name."""
    identity = facts.identity
    name = parse_stem(facts.path.stem)
    title = identity.title or (name.title if name else facts.path.stem) or FALLBACK
    number = identity.number if identity.title or name is None else name.number
    created = identity.created or facts.modified
    return NewTake(
        uid=identity.uid,
        path=facts.path,
        title=entry.title if entry else title,
        number=entry.number if entry else number,
        created=entry.created if entry else created,
        duration=facts.audio.duration,
        sample_rate=facts.audio.sample_rate,
        request=facts.request,
        model=facts.model,
        favourite=entry.favourite if entry else False,
        notes=entry.notes if entry else "",
        tags=entry.tags if entry else (),
    )


def facts_of_ours(path: Path) -> FileFacts:
    """What a file of ours says. Raises `AudioError` for one that MLX Music did not make."""
    facts = read_facts(path)
    if facts is None:
        raise AudioError(
            f"{path}: has no settings of MLX Music in its tags; use it as a source or as a "
            "reference instead"
        )
    return facts


def bring_in(facts: FileFacts, files: TakeFiles) -> Path:
    """Where the file lies in the music folder; it is copied there, byte by byte, if it does not.

    Raises:
        AudioError: It cannot be read or copied.
    """
    path, folder = facts.path, files.folder
    if path.is_relative_to(folder) and not path.is_relative_to(folder / EXPORTS):
        return path
    row = row_of_file(facts)
    place = files.reserve(row.title, facts.request, row.number, suffix=path.suffix.lower())
    try:
        write_whole(place, path.read_bytes())
    except OSError as error:
        files.release(place)
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    except AudioError:
        files.release(place)
        raise
    return place


def is_file_of(facts: FileFacts | None, take: Take) -> bool:
    """Whether a file is a take's: it says so, or it was made alike and is as long.

    The second is for files whose tags another program has written anew.
    """
    if facts is None:
        return False
    if facts.identity.uid == take.uid:
        return True
    alike = facts.request == take.request and facts.model == take.model
    return alike and abs(facts.audio.duration - take.duration) < _SAME_LENGTH


def _uid_of(path: Path) -> str | None:
    try:
        return read_uid(path)
    except (AudioError, OSError) as error:
        log.warning("a take that was just made cannot be read: %s", error)
        return None
