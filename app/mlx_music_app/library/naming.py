"""Names of files that any program on any system can read: "Title - 120bpm - take 3.wav"."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from mlx_music import GenerationRequest

#: What a title is called of which no letter can be written in ASCII.
FALLBACK = "Untitled"

#: Of a title in a file's name. Samplers and hosts show little more, and paths have limits.
MAX_TITLE = 80

#: Kept in names. Without #, % and ?, which careless programs misread in file addresses, and
#: without what a system forbids: / on all, < > : " \\ | ? * on disks that Windows reads.
_FORBIDDEN = re.compile(r"[^A-Za-z0-9 _\-'(),.&+!]+")

_TEMPO = re.compile(r"\b(\d{2,3})(?:[.,]\d+)?\s*-?\s*bpm\b|\bbpm\s*[:=]?\s*(\d{2,3})\b", re.I)
_TEMPO_RANGE = re.compile(r"\d\s*(?:-|–|to)\s*\d{2,3}\s*-?\s*bpm", re.I)
_SLOWEST, _FASTEST = 20, 400

_TAKE_NAME = re.compile(r"(?P<title>.+?)(?: - (?P<bpm>\d{2,3})bpm)? - take (?P<number>\d{1,6})")

_LETTERS = {
    **{"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"},
    **{"ı": "i", "–": "-", "—": "-", "‘": "'", "’": "'", "…": "..."},
    **dict(zip("абвгдеёзийклмнопрстуфыэ", "abvgdeeziyklmnoprstufye", strict=True)),
    **{"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": ""},
    **{"ю": "yu", "я": "ya", "і": "i", "ї": "yi", "є": "ye", "ґ": "g"},
    **dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True)),
    **{"θ": "th", "χ": "ch", "ψ": "ps"},
}


@dataclass(frozen=True)
class TakeName:
    """What a take's file name says. `title` is in ASCII, `tempo` in beats a minute."""

    title: str
    number: int
    tempo: int | None = None


def ascii_title(title: str) -> str:
    """`title` in printable ASCII that every file system takes; never empty."""
    plain = _FORBIDDEN.sub(" ", _to_ascii(title))
    plain = re.sub(r"\s+", " ", plain).strip(" .-")
    if len(plain) > MAX_TITLE:
        head = plain[: MAX_TITLE + 1].rpartition(" ")[0]
        plain = (head if len(head) > MAX_TITLE // 2 else plain[:MAX_TITLE]).strip(" .-")
    return plain if any(c.isalnum() for c in plain) else FALLBACK


def tempo_of(prompt: str) -> int | None:
    """The beats a minute that a prompt asks for; None if it names none, several or a range."""
    if _TEMPO_RANGE.search(prompt):
        return None
    found = {int(first or second) for first, second in _TEMPO.findall(prompt)}
    tempos = [tempo for tempo in found if _SLOWEST <= tempo <= _FASTEST]
    return tempos[0] if len(tempos) == 1 else None


def take_stem(title: str, prompt: str, number: int) -> str:
    """The name of a take's file without its ending: "Night drive - 96bpm - take 2"."""
    tempo = tempo_of(prompt)
    middle = "" if tempo is None else f" - {tempo}bpm"
    return f"{ascii_title(title)}{middle} - take {number}"


def parse_stem(stem: str) -> TakeName | None:
    """What `take_stem` wrote, read back; None for any other name."""
    match = _TAKE_NAME.fullmatch(stem)
    if match is None:
        return None
    tempo = None if match["bpm"] is None else int(match["bpm"])
    return TakeName(match["title"], int(match["number"]), tempo)


def region_text(region: tuple[float, float]) -> str:
    """A part of a take in its file's name: "0m12.00-1m20.50"."""
    return "-".join(_clock(seconds) for seconds in region)


def suggest_title(request: GenerationRequest) -> str:
    """A title for music that nobody named: the first words of its prompt."""
    first = re.split(r"[,;.\n]", request.prompt.strip(), maxsplit=1)[0]
    words = " ".join(first.split()[:6])
    return words[:1].upper() + words[1:] if words else FALLBACK


def _clock(seconds: float) -> str:
    # In hundredths first: 59.999 s would otherwise become 0m60.00.
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000}m{hundredths % 6000 / 100:05.2f}"


def _to_ascii(text: str) -> str:
    """Each letter by its sound as far as that is known, all others left out."""
    if text.isascii():
        return text
    # Composed, so that Hangul and Cyrillic letters with marks are found whole.
    return "".join(_spelled(run) for run in _runs(unicodedata.normalize("NFKC", text)))


def _runs(text: str) -> list[str]:
    """`text` cut where its script changes, so that words stay whole for their reader."""
    runs: list[str] = []
    last = ""
    for character in text:
        script = _script(character)
        if script == last and runs:
            runs[-1] += character
        else:
            runs.append(character)
        last = script
    return runs


def _script(character: str) -> str:
    for script, first, last in (("han", 0x4E00, 0x9FFF), ("hangul", 0xAC00, 0xD7A3)):
        if first <= ord(character) <= last:
            return script
    return "kana" if 0x3041 <= ord(character) <= 0x30FA else ""


def _spelled(run: str) -> str:
    script = _script(run[0])
    if script == "han":
        from pypinyin import lazy_pinyin

        return " " + " ".join(lazy_pinyin(run)) + " "
    if script == "hangul":
        from hangul_romanize import Transliter
        from hangul_romanize.rule import academic

        return str(Transliter(academic).translit(run))
    if script == "kana":
        # Their names say how they sound: HIRAGANA LETTER SMALL TU.
        return "".join(unicodedata.name(c, "").rpartition(" ")[2].lower() for c in run)
    return "".join(_letter(character) for character in run)


def _letter(character: str) -> str:
    if character.isascii():
        return character
    known = _LETTERS.get(character.lower())
    if known is None:
        base = unicodedata.normalize("NFKD", character)
        letters = "".join(_LETTERS.get(c.lower(), c) for c in base)
        return letters.encode("ascii", "ignore").decode()
    return known.capitalize() if character.isupper() else known
