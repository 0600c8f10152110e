"""What abbreviations and symbols are called, language by language.

The words are those the model was trained with (they came to ACE-Step from Coqui's XTTS tokenizer),
wrong or odd ones included: changing one would make the model mispronounce it.
"""

from __future__ import annotations

import re

SYMBOLS = "&@%#$£°"

#: A word for each of `SYMBOLS`, in that order.
_SYMBOL_WORDS = {
    "en": ("and", "at", "percent", "hash", "dollar", "pound", "degree"),
    "de": ("und", "at", "prozent", "raute", "dollar", "pfund", "grad"),
    "fr": ("et", "arobase", "pour cent", "dièse", "dollar", "livre", "degrés"),
    "es": ("y", "arroba", "por ciento", "numeral", "dolar", "libra", "grados"),
    "it": ("e", "chiocciola", "per cento", "cancelletto", "dollaro", "sterlina", "gradi"),
    "pt": ("e", "arroba", "por cento", "cardinal", "dólar", "libra", "graus"),
    "pl": ("i", "małpa", "procent", "krzyżyk", "dolar", "funt", "stopnie"),
    "tr": ("ve", "at", "yüzde", "diyez", "dolar", "sterlin", "derece"),
    "ru": ("и", "собака", "процентов", "номер", "доллар", "фунт", "градус"),
    "cs": ("a", "na", "procento", "křížek", "dolar", "libra", "stupně"),
    "nl": ("en", "bij", "procent", "hekje", "dollar", "pond", "graden"),
    "ar": ("و", "على", "في المئة", "رقم", "دولار", "جنيه", "درجة"),
    "zh": ("和", "在", "百分之", "号", "美元", "英镑", "度"),
    "hu": ("és", "kukac", "százalék", "kettőskereszt", "dollár", "font", "fok"),
    "ko": ("그리고", "에", "퍼센트", "번호", "달러", "파운드", "도"),
}

#: Abbreviations that end in a full stop, in the order in which they are replaced.
_ABBREVIATIONS = {
    "en": {
        "mrs": "misess",
        "mr": "mister",
        "dr": "doctor",
        "st": "saint",
        "co": "company",
        "jr": "junior",
        "maj": "major",
        "gen": "general",
        "drs": "doctors",
        "rev": "reverend",
        "lt": "lieutenant",
        "hon": "honorable",
        "sgt": "sergeant",
        "capt": "captain",
        "esq": "esquire",
        "ltd": "limited",
        "col": "colonel",
        "ft": "fort",
    },
    "de": {"fr": "frau", "dr": "doktor", "st": "sankt", "co": "firma", "jr": "junior"},
    "fr": {
        "mme": "madame",
        "mr": "monsieur",
        "dr": "docteur",
        "st": "saint",
        "co": "compagnie",
        "jr": "junior",
        "ltd": "limitée",
    },
    "es": {
        "sra": "señora",
        "sr": "señor",
        "dr": "doctor",
        "dra": "doctora",
        "st": "santo",
        "co": "compañía",
        "jr": "junior",
        "ltd": "limitada",
    },
    "it": {
        "sig": "signore",
        "dr": "dottore",
        "st": "santo",
        "co": "compagnia",
        "jr": "junior",
        "ltd": "limitata",
    },
    "pt": {
        "sra": "senhora",
        "sr": "senhor",
        "dr": "doutor",
        "dra": "doutora",
        "st": "santo",
        "co": "companhia",
        "jr": "júnior",
        "ltd": "limitada",
    },
    "pl": {"p": "pani", "m": "pan", "dr": "doktor", "sw": "święty", "jr": "junior"},
    "tr": {"b": "bay", "byk": "büyük", "dr": "doktor"},
    "cs": {"dr": "doktor", "ing": "inženýr", "p": "pan"},
    "nl": {"dhr": "de heer", "mevr": "mevrouw", "dr": "dokter", "jhr": "jonkheer"},
    "hu": {"dr": "doktor", "b": "bácsi", "nőv": "nővér"},
}

#: Russian ones are contractions, without a stop.
_CONTRACTIONS = {"ru": {"г-жа": "госпожа", "г-н": "господин", "д-р": "доктор"}}


def _patterns(
    table: dict[str, dict[str, str]], ending: str
) -> dict[str, tuple[tuple[re.Pattern[str], str], ...]]:
    return {
        language: tuple(
            (re.compile(rf"\b{short}{ending}", re.IGNORECASE), word)
            for short, word in words.items()
        )
        for language, words in table.items()
    }


_REPLACEMENTS = _patterns(_ABBREVIATIONS, r"\.") | _patterns(_CONTRACTIONS, r"\b")


def expand_abbreviations(text: str, language: str) -> str:
    """`text` with "dr." and its like written out; languages without any are left alone."""
    for pattern, word in _REPLACEMENTS.get(language, ()):
        text = pattern.sub(word, text)
    return text


def expand_symbols(text: str, language: str) -> str:
    """`text` with `SYMBOLS` as words, and without white space at its ends."""
    for symbol, word in zip(SYMBOLS, _SYMBOL_WORDS[language], strict=True):
        # Double spaces go after each symbol and not once at the end: three in a row leave two.
        text = text.replace(symbol, f" {word} ").replace("  ", " ")
    return text.strip()
