"""Takes as files in the music folder: names given out one by one, files written whole."""

from __future__ import annotations

import errno
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from mlx_music import AudioError, GenerationRequest, MusicOutput
from mlx_music.audio.atomic import check_target, write_whole
from mlx_music.audio.files import AUDIO_FORMATS, write_audio
from mlx_music.metadata import Description
from mlx_music_app.library.identity import Identity, described
from mlx_music_app.library.naming import ascii_title, parse_stem, suggest_title, take_stem

#: Inside the music folder: what was dragged or exported out of it. It holds no takes.
EXPORTS = "Exports"

#: Takes are kept as 24-bit WAV: what music software works in, and above what is heard.
SUFFIX = ".wav"
BIT_DEPTH = 24

#: All music is stereo.
_CHANNELS = 2

AUDIO_SUFFIXES = frozenset(s for entry in AUDIO_FORMATS.values() for s in entry.extensions)

#: How `mlx_music.audio.atomic` names what it has not finished.
_UNFINISHED = re.compile(r"\.mlx-music-[0-9a-f]{16}(\..*)?")

#: Seconds without a change after which nobody is still writing an unfinished file. It may be the
#: command line's, at work in the same folder.
ABANDONED = 300.0


class TakeFiles:
    """Gives out names in the music folder, and writes takes under them. For any thread.

    A name is given out once, and numbers count on per title, whatever was deleted meanwhile:
    "take 3" in somebody's song must never become another sound. Another process cannot be told
    of a reservation; but a file that is there is never replaced, and `save` then takes the next.

    parent_uid: finds the uid of the take with an id; the library sets it.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._folder = folder
        self._reserved: dict[Path, str] = {}
        self._highest: dict[str, int] = {}
        self._saved: dict[Path, str] = {}
        self.parent_uid: Callable[[int], str | None] | None = None

    @property
    def folder(self) -> Path:
        """The music folder; the library moves it along with the preference."""
        return self._folder

    @folder.setter
    def folder(self, folder: Path) -> None:
        with self._lock:
            self._folder = folder

    def check(self, seconds: float, sample_rate: int) -> None:
        """Look whether takes can be written, before minutes are spent on one.

        seconds: of all of them together, at `sample_rate` Hz; 0 if nobody knows.

        Raises:
            AudioError: The music folder cannot be written, say because its disk is not there, or
                has no room for them.
        """
        size = round(seconds * sample_rate) * _CHANNELS * BIT_DEPTH // 8
        check_target(self._folder / f"take{SUFFIX}", overwrite=True, size=size)

    def reserve(
        self,
        title: str,
        request: GenerationRequest,
        number: int | None = None,
        *,
        suffix: str = SUFFIX,
    ) -> Path:
        """A free name for a take of `title` ("" is named after its prompt), readable and ASCII.

        number: which take of the title it is; None, or one that is taken, is the next. Nothing
        is created. The name is not given out again unless `release` gives it back.

        Raises:
            AudioError: The music folder is there and cannot be read.
        """
        title = title.strip() or suggest_title(request)
        key = _key(title)
        with self._lock:
            names = set(_names(self._folder))
            taken = {name.casefold() for name in names}
            taken |= {path.name.casefold() for path in self._reserved}
            stems = {name.rpartition(".")[0] for name in taken}
            highest = max(self._highest.get(key, 0), _highest(stems, key))
            chosen = number if number is not None and number > 0 else highest + 1
            while take_stem(title, request.prompt, chosen).casefold() in stems:
                chosen = max(chosen, highest) + 1
            self._highest[key] = max(highest, chosen)
            path = self._folder / (take_stem(title, request.prompt, chosen) + suffix)
            # The names that were used are on the disk now; only those that wait are remembered.
            self._reserved = {p: k for p, k in self._reserved.items() if p.name not in names}
            self._reserved[path] = key
            return path

    def release(self, path: Path) -> None:
        """Give back a name under which nothing was written."""
        with self._lock:
            key = self._reserved.pop(path, None)
            name = parse_stem(path.stem)
            if key is not None and name is not None and self._highest.get(key) == name.number:
                self._highest[key] = name.number - 1

    def count_from(self, title: str, number: int) -> None:
        """Let the next take of `title` have a number above `number`, which was in use."""
        key = _key(title)
        with self._lock:
            self._highest[key] = max(self._highest.get(key, 0), number)

    def save(
        self,
        output: MusicOutput,
        title: str,
        *,
        parent: int | None = None,
        number: int | None = None,
    ) -> Path:
        """Write `output` as a take of `title` and return where it lies, whole.

        parent: id of the take that it was made from. The file's tags hold the settings and which
        take it is, so that it is known again after a crash, a move, or the loss of the catalogue.

        Raises:
            AudioError: The disk is full, the folder cannot be written, ...
            GenerationError: The sound is not finite.
        """
        title = title.strip() or suggest_title(output.request)
        uid = self.parent_uid(parent) if parent is not None and self.parent_uid else None
        while True:
            path = self.reserve(title, output.request, number)
            name = parse_stem(path.stem)
            identity = Identity(
                uid=uuid.uuid4().hex,
                title=title,
                number=name.number if name else 1,
                created=datetime.now().astimezone(),
                parent=uid,
            )
            metadata = described(Description(output.request, output.model), identity)
            try:
                write_audio(
                    path, output.audio, output.sample_rate, bit_depth=BIT_DEPTH, metadata=metadata
                )
            except AudioError:
                # Somebody else has taken the name since: then it stays theirs.
                if os.path.lexists(path):
                    continue
                self.release(path)
                raise
            with self._lock:
                self._saved[path] = identity.uid
            return path

    def uid_of(self, path: Path) -> str | None:
        """Which take `path` is if `save` wrote it: the main thread need not read it then."""
        with self._lock:
            return self._saved.get(path)


def music_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The audio files in the music folder and below it, without the exports.

    Raises:
        AudioError: A folder cannot be read. None at all is an empty one.
    """
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if Path(entry.path) != folder / EXPORTS:
                    waiting.append(Path(entry.path))
            elif Path(entry.name).suffix.lower() in AUDIO_SUFFIXES and entry.is_file():
                yield entry


def status_of(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Size and times of what a folder held; None if it is gone since."""
    try:
        return entry.stat()
    except FileNotFoundError:
        return None


def remove_unfinished(folder: Path, *, older_than: float = ABANDONED) -> list[Path]:
    """Remove what a process that was killed left unfinished in `folder` and its exports.

    older_than: seconds since the last change.
    """
    removed = []
    for place in (folder, folder / EXPORTS):
        for entry in _entries(place):
            path = Path(entry.path)
            if _is_unfinished(entry) and _age(path) >= older_than:
                path.unlink(missing_ok=True)
                removed.append(path)
    return removed


def move_to_new(source: Path, target: Path) -> None:
    """Move a file to a name that nobody has; `FileExistsError` if somebody does.

    `os.rename` would replace what is there without a word. `AudioError` if it cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:
        # Another disk, or a file system without links.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        write_whole(target, source.read_bytes())
    source.unlink()


def free_name(path: Path) -> Path:
    """`path`, or with the first " (2)", " (3)", ... that nobody has."""
    count, candidate = 1, path
    while os.path.lexists(candidate):
        count += 1
        candidate = path.with_name(f"{path.stem} ({count}){path.suffix}")
    return candidate


def _is_unfinished(entry: os.DirEntry[str]) -> bool:
    """A hidden half of a file; or, on disks without links, the empty file that held its name."""
    if not entry.is_file(follow_symlinks=False):
        return False
    if _UNFINISHED.fullmatch(entry.name):
        return True
    stem, _, ending = entry.name.rpartition(".")
    is_take = parse_stem(stem) is not None and f".{ending}" in AUDIO_SUFFIXES
    status = status_of(entry) if is_take else None
    return status is not None and status.st_size == 0


def _age(path: Path) -> float:
    """Seconds since the last change; of what is gone, none."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return -1.0


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AudioError(f"{folder}: cannot be read ({error.strerror})") from error


def _names(folder: Path) -> list[str]:
    return [entry.name for entry in _entries(folder)]


def _key(title: str) -> str:
    return ascii_title(title).casefold()


def _highest(stems: set[str], key: str) -> int:
    """The highest number of the takes of a title, among names without their endings."""
    names = (parse_stem(stem) for stem in stems if stem.startswith(key))
    return max((name.number for name in names if name and name.title == key), default=0)
