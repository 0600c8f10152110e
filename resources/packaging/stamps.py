"""Remembers which steps of a build are done, and from what, so that a build can be gone on with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

Input = str | Path

#: What appears in source folders by using them.
_PASSING = frozenset(("__pycache__", ".DS_Store"))


class Stamps:
    """One file for each step that is done, in `folder`; it holds the key it was done for.

    names: all steps, in their order. A step that is done anew undoes those after it, which worked
    on what it made.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = tuple(names)

    def has(self, name: str, key: str) -> bool:
        """Whether the step was done for `key`, and nothing before it since."""
        path = self._folder / name
        return path.is_file() and path.read_text("utf-8") == key

    def clear_from(self, name: str) -> None:
        """Forget the step, and all after it."""
        for later in self._names[self._names.index(name) :]:
            (self._folder / later).unlink(missing_ok=True)

    def set(self, name: str, key: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_text(key, "utf-8")


def key_of(inputs: Iterable[Input]) -> str:
    """A text that is another one when any input is: a text, or a file's or folder's content."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, str):
            _add(digest, "text", item.encode())
            continue
        for path in _files(item):
            _add(digest, path.relative_to(item.parent).as_posix(), path.read_bytes())
    return digest.hexdigest()


def _add(digest: hashlib._Hash, name: str, content: bytes) -> None:
    # With its length, so that no two lists of inputs read the same.
    digest.update(f"{name}\0{len(content)}\0".encode())
    digest.update(content)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if path.is_file() else []
    return sorted(
        inner
        for inner in path.rglob("*")
        if inner.is_file() and _PASSING.isdisjoint(inner.relative_to(path).parts)
    )
