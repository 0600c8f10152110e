"""Numbers in lyrics, written out as words: counts, ordinals, decimals and sums of money.

For every language but Chinese, Japanese and Hindi. The patterns are those that the model was
trained with (XTTS's, by way of ACE-Step); the words come from num2words. Where a pattern looks
behind itself it finds what it would find without, but in a time that grows with the line, not with
its square.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable
from typing import Any

#: Endings that make a number an ordinal.
_ORDINALS = {
    "en": r"st|nd|rd|th",
    "de": r"st|nd|rd|th|º|ª|\.(?=\s|$)",
    "fr": r"º|ª|er|re|e|ème",
    "es": r"º|ª|er|o|a",
    "it": r"º|°|ª|o|a|i|e",
    "pt": r"º|ª|o|a",
    "pl": r"º|ª|st|nd|rd|th",
    "tr": r"\.|inci|nci|uncu|üncü",
    "ru": r"-й|-я|-е|-ое|-ье|-го",
    "cs": r"\.(?=\s|$)",
    "nl": r"de|ste|e",
    "ar": r"ون|ين|ث|ر|ى",
    "hu": r"\.|adik|edik|odik|ödik|ik",
    "ko": r"번째|번|차|째",
}
_ORDINAL_PATTERNS = {
    language: re.compile(f"(?<![0-9])([0-9]+)({endings})")
    for language, endings in _ORDINALS.items()
}

#: What stands between whole units and hundredths of a currency; ", " where nothing is given.
_MONEY_JOINTS = {"es": " con ", "fr": " et ", "de": " und ", "pt": " e ", "it": " e "}

#: In the order in which they are tried.
_CURRENCIES = {
    code: re.compile(rf"{sign}[0-9.,]*[0-9]|(?<![0-9.,])[0-9.,]*[0-9]{sign}")
    for code, sign in (("GBP", "£"), ("USD", r"\$"), ("EUR", "€"))
}

_GROUPED_BY_COMMAS = re.compile(r"\b\d{1,3}(,\d{3})*(\.\d+)?\b")
_GROUPED_BY_DOTS = re.compile(r"\b\d{1,3}(.\d{3})*(\,\d+)?\b")
_DECIMAL = re.compile(r"(?<![0-9])[0-9]+[.,][0-9]+")
_WHOLE = re.compile(r"[0-9]+")

#: What num2words raises for a number or a currency that it has no words for: too large, infinite,
#: two decimal points, no such currency in this language, and plain faults in some languages.
_UNSPEAKABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)

_Replacement = Callable[[re.Match[str]], str]


def spell_numbers(text: str, language: str) -> str:
    """`text`, in lower case, with its numbers as words of `language`.

    If one number cannot be said (a decimal with too many places in Hungarian, say), all are left
    as they are: the reference gives up on the whole line, too.
    """
    # num2words raises the precision of the thread for large Arabic numbers; keep that in here.
    with decimal.localcontext():
        try:
            return _spell(text, language)
        except _UNSPEAKABLE:
            return text


def _spell(text: str, language: str) -> str:
    if language in ("en", "ru"):
        text = _GROUPED_BY_COMMAS.sub(lambda match: match[0].replace(",", ""), text)
    else:
        text = _GROUPED_BY_DOTS.sub(lambda match: match[0].replace(".", ""), text)
    text = _spell_money(text, language)
    if language != "tr":
        text = _DECIMAL.sub(_decimal(language), text)
    text = _ORDINAL_PATTERNS[language].sub(_ordinal(language), text)
    return _WHOLE.sub(_cardinal(language), text)


def _spell_money(text: str, language: str) -> str:
    """Spell pounds, dollars, euros; the first that cannot be said leaves the rest to be figures."""
    for currency, pattern in _CURRENCIES.items():
        try:
            text = pattern.sub(_money(language, currency), text)
        except _UNSPEAKABLE:
            break
    return text


def _words(number: float, language: str, **options: Any) -> str:
    from num2words import num2words

    # num2words calls Czech "cs". Asked for "cz", as the reference asks, it has no words at all, and
    # so the model has only seen figures in Czech lines.
    return str(num2words(number, lang="cz" if language == "cs" else language, **options))


def _money(language: str, currency: str) -> _Replacement:
    def replacement(match: re.Match[str]) -> str:
        amount = float(re.sub(r"[^\d.]", "", match[0].replace(",", ".")))
        words = _words(amount, language, to="currency", currency=currency)
        joint = words.rfind(_MONEY_JOINTS.get(language, ", "))
        if amount.is_integer() and joint != -1:
            return words[:joint]  # without "and zero cents"
        return words

    return replacement


def _decimal(language: str) -> _Replacement:
    return lambda match: _words(float(match[0].replace(",", ".")), language)


def _ordinal(language: str) -> _Replacement:
    return lambda match: _words(int(match[1]), language, ordinal=True)


def _cardinal(language: str) -> _Replacement:
    return lambda match: _words(int(match[0]), language)
