"""Text from and for people: prompts and lyrics out of files, sizes, lengths, file names."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

STDIN = "-"
_FILE_MARK = "@"

_NAME_LENGTH = 48


def read_text(value: str) -> str:
    """The text that an argument stands for: itself, `@file` for a file, `-` for standard input.

    Line ends become newlines; those at the very beginning and end of a file are dropped, because
    a model would hear them. Raises `ValueError`, in words that follow the name of a flag.
    """
    if value == STDIN:
        return _decoded(_read_stdin(), "standard input")
    if value.startswith(_FILE_MARK):
        path = value.removeprefix(_FILE_MARK)
        try:
            raw = Path(os.path.expanduser(path)).read_bytes()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
        return _decoded(raw, path)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("is not UTF-8 text") from error
    return value


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise ValueError("there is no standard input to read")
    if sys.stdin.isatty():
        print("reading from the keyboard; end with Ctrl-D on a line of its own", file=sys.stderr)
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise ValueError(f"standard input cannot be read: {error.strerror}") from error


def _decoded(raw: bytes, source: str) -> str:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{source} is not UTF-8 text (line {line}); save it as UTF-8 and try again"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


def one_line(text: str) -> str:
    """`text` with line breaks and what cannot be printed escaped."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def file_stem(prompt: str) -> str:
    """A file name in plain ASCII that recalls the prompt: "warm-lo-fi-hip-hop"."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    stem = ""
    for word in words:
        if len(stem) + len(word) >= _NAME_LENGTH:
            break
        stem = f"{stem}-{word}" if stem else word
    return stem or "-".join(words)[:_NAME_LENGTH] or "music"


def size_in_words(nbytes: int) -> str:
    """A file size as people read it: "7.7 GB", in powers of ten as shops and Finder count."""
    size = float(nbytes)
    for unit in ("bytes", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def count_in_words(count: int) -> str:
    """A number of parameters: "3.31 B", "281 M"."""
    for limit, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}"
    return str(count)


def length_in_words(seconds: float) -> str:
    """A length of time as a player shows it: "3:05", "1:02:03"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
