"""What is searched, and what a person types to search it, as SQLite's FTS5 wants them."""

from __future__ import annotations

import re

#: Scripts written without spaces: each sign is a word, and a phrase of them is a word to a person.
_UNSPACED = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SIGN = re.compile(f"([{_UNSPACED}])")
_RUN = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_WORD = re.compile(r"[\w']+")


def indexed(text: str) -> str:
    """`text` with a space around each sign of the scripts that have none."""
    return text if text.isascii() else _SIGN.sub(r" \1 ", text)


def query(text: str) -> str:
    """An FTS5 query for takes that have every word of `text`, or words that begin with it.

    Words in double quotes are searched as a phrase. "" where nothing can be searched for.
    """
    terms = []
    for position, part in enumerate(text.split('"')):
        if position % 2:
            words = _words(part)
            if words:
                terms.append(f'"{" ".join(words)}"')
            continue
        for word in part.split():
            # "lo-fi" is two words to the index: they are searched side by side.
            words = _words(word)
            if words:
                terms.append(f'"{" ".join(words)}"*')
    return " AND ".join(terms)


def _words(text: str) -> list[str]:
    return [word for run in _RUN.findall(text) for word in _WORD.findall(indexed(run))]
