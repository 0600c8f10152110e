"""Scripts into Latin letters: Chinese to pinyin, Korean and Japanese to their romanisations.

Each library is imported when the first line needs it: pypinyin alone takes a fifth of a second.
"""

from __future__ import annotations

import functools
from typing import Any

from mlx_music.errors import LyricsError
from mlx_music.text.dictionary import dictionary_folder


class UnreadableLine(ValueError):
    """A line that the transliterating library fails on."""


#: What cutlet raises for a character that it knows no reading of, and for invalid Unicode.
_CUTLET_FAULTS = (LookupError, UnicodeError)


def pinyin(text: str) -> str:
    """Chinese as pinyin with a tone digit after each syllable, 5 for the neutral tone."""
    from pypinyin import Style
    from pypinyin import pinyin as syllables

    return "".join(
        first
        for first, *_ in syllables(
            text, style=Style.TONE3, heteronym=False, neutral_tone_with_five=True
        )
    )


def romaja(text: str) -> str:
    """Hangul in the academic romanisation, with "-" where two syllables could be misread."""
    from hangul_romanize import Transliter
    from hangul_romanize.rule import academic

    return str(Transliter(academic).translit(text))


def romaji(text: str) -> str:
    """Japanese in Hepburn, words divided; foreign words as they are spelled in their language.

    Raises `UnreadableLine` where cutlet fails, as on U+3097, which looks like a kana but is none,
    and `LyricsError` where cutlet is not installed.
    """
    try:
        return str(_katsu().romaji(text))
    except _CUTLET_FAULTS as error:
        raise UnreadableLine(f"cutlet cannot read {text!r}") from error


@functools.cache
def _katsu() -> Any:
    try:
        from cutlet import Cutlet
    except ImportError as error:
        raise LyricsError(
            'Japanese lyrics need the package cutlet: pip install "mlx-music[japanese]" '
            "(from Python 3.13 on, that takes a C++ compiler)"
        ) from error

    # Named, because fugashi would prefer a full UniDic where one is installed, and that one reads
    # words differently.
    dictionary = dictionary_folder()
    return Cutlet(mecab_args=f'-r "{dictionary / "mecabrc"}" -d "{dictionary}"')
