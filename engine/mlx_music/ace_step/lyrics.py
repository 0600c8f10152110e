"""Lyric text into the token ids that the lyric encoder reads.

Source: ACE-Step's `pipeline_ace_step.py` (`get_lang`, `tokenize_lyrics`) and
`models/lyrics_utils/lyric_tokenizer.py`. Ids are equal to its ids, line for line.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_music.errors import InvalidRequest, LyricsError
from mlx_music.text.cleaning import clean
from mlx_music.text.detection import detect
from mlx_music.text.languages import FALLBACK_LANGUAGE, LANGUAGES
from mlx_music.text.transliteration import UnreadableLine

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Begins every lyric.
START_ID = 261
#: A space inside a line, and the end of each line.
SPACE_ID = 2
#: How a space is spelled to the tokenizer.
_SPACE = "[SPACE]"

#: A line that begins with a tag such as [verse] is read in this language.
_STRUCTURE_TAG = re.compile(r"\[.*?\]")
_STRUCTURE_LANGUAGE = "en"


@dataclass(frozen=True)
class LyricLine:
    """What became of one line of lyrics.

    `language` is the one it was read in ("" for an empty line). `ids` are its tokens, including
    the one that ends the line. They are empty for a line that cannot be read at all (a
    Japanese one with stray marks, or text that is no valid Unicode): the model is not told of it.
    """

    text: str
    language: str
    ids: tuple[int, ...]

    @property
    def token_count(self) -> int:
        return len(self.ids)

    @property
    def skipped(self) -> bool:
        """Whether the line could not be read and was left out."""
        return not self.ids


class LyricTokenizer:
    """Turns lyrics into ids with the vocabulary in `vocabulary_file` (see `vocabulary.py`).

    `vocabulary_size`, if given, is the number of embeddings that the checkpoint has: a vocabulary
    with larger ids is refused. Raises `LyricsError`, naming the file, for one that cannot be
    read or is no vocabulary of this kind. May be used from several threads.
    """

    def __init__(self, vocabulary_file: Path, vocabulary_size: int | None = None) -> None:
        self._tokenizer = _load(Path(vocabulary_file), vocabulary_size)
        # The libraries that spell and transliterate keep state and promise nothing about threads.
        self._lock = threading.Lock()

    def encode(self, lyrics: str, language: str | None = None) -> list[int]:
        """The ids of `lyrics`, from `START_ID` on; none at all if `lyrics` is empty.

        Each line is read in its own language, or in `language` if that is given. Raises
        `InvalidRequest` for a language that is none of `LANGUAGES`.
        """
        return ids_of(self.encode_lines(lyrics, language))

    def encode_lines(self, lyrics: str, language: str | None = None) -> list[LyricLine]:
        """The same, line by line, for showing counts and languages; `ids_of` joins them."""
        if language is not None and language not in LANGUAGES:
            raise InvalidRequest(
                "language", f"{language!r} is unknown; choose one of {', '.join(LANGUAGES)}"
            )
        if not lyrics:
            return []
        with self._lock:
            return [self._encode_line(line, language) for line in lyrics.split("\n")]

    def _encode_line(self, line: str, language: str | None) -> LyricLine:
        text = line.strip()
        if not text:
            return LyricLine(line, "", (SPACE_ID,))
        spoken = _STRUCTURE_LANGUAGE if _STRUCTURE_TAG.match(text) else language
        spoken = spoken or language_of(text)
        try:
            ids = self._tokenizer.encode(_as_tokenizer_input(text, spoken)).ids
        except UnreadableLine:
            return LyricLine(line, spoken, ())
        return LyricLine(line, spoken, (*ids, SPACE_ID))


def ids_of(lines: list[LyricLine]) -> list[int]:
    """The ids of whole lyrics from those of their lines."""
    if not lines:
        return []
    return [START_ID, *(token for line in lines for token in line.ids)]


def language_of(line: str) -> str:
    """The language, of `LANGUAGES`, that `line` is read in when none is asked for."""
    language = detect(line)
    return language if language in LANGUAGES else FALLBACK_LANGUAGE


def _as_tokenizer_input(line: str, language: str) -> str:
    text = clean(line, language)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise UnreadableLine(f"{line!r} is no valid Unicode")
    tag = "zh-cn" if language == "zh" else language
    return f"[{tag}]{text}".replace(" ", _SPACE)


def _load(path: Path, vocabulary_size: int | None) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LyricsError(
            f"cannot read the lyric vocabulary {path}: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise LyricsError(f"{path} is not a lyric vocabulary: it is not text") from error
    try:
        tokenizer: Tokenizer = Tokenizer.from_str(text)
    except Exception as error:
        if type(error) is not Exception:
            raise
        # tokenizers raises nothing more precise for whatever is wrong with the file.
        raise LyricsError(
            f"{path} is not a lyric vocabulary: it must be a tokenizer file (JSON) of the "
            f"`tokenizers` library ({error})"
        ) from error
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if largest < START_ID or tokenizer.token_to_id(_SPACE) is None:
        raise LyricsError(
            f"{path} is not a lyric vocabulary: it is a tokenizer for something else (without "
            f"{_SPACE}, or with fewer than {START_ID + 1} tokens)"
        )
    if vocabulary_size is not None and largest >= vocabulary_size:
        raise LyricsError(
            f"the lyric vocabulary {path} has {largest + 1} tokens but the checkpoint only "
            f"{vocabulary_size}; use the vocabulary that belongs to the checkpoint"
        )
    return tokenizer
