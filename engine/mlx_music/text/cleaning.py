"""A line of lyrics, as written, into the plain Latin or native text that is made into tokens."""

from __future__ import annotations

import re

from mlx_music.text import chinese, numbers, transliteration, words

_WHITE_SPACE = re.compile(r"\s+")
#: Turkish capitals that differ from plain lower-casing ("İ".lower() has two code points).
_TURKISH_CAPITALS = str.maketrans("İÖÜ", "iöü")


def clean(line: str, language: str) -> str:
    """`line` of one of the 17 languages (`languages.LANGUAGES`), ready for the tokenizer.

    Lower case; quotation marks dropped; numbers, abbreviations and symbols as words; white space
    collapsed; Chinese, Japanese and Korean in Latin letters. Raises
    `transliteration.UnreadableLine`, for Japanese only.
    """
    if language == "ja":
        return transliteration.romaji(line).lower()
    if language == "hi":
        return _WHITE_SPACE.sub(" ", line.lower())

    text = line.replace('"', "")
    if language == "tr":
        text = text.translate(_TURKISH_CAPITALS)
    text = text.lower()
    is_chinese = language == "zh"
    text = chinese.normalize(text) if is_chinese else numbers.spell_numbers(text, language)
    text = words.expand_abbreviations(text, language)
    text = words.expand_symbols(text, language)
    text = _WHITE_SPACE.sub(" ", text)
    if is_chinese:
        return transliteration.pinyin(text)
    if language == "ko":
        return transliteration.romaja(text)
    return text
