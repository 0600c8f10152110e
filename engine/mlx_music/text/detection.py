"""Which language a line of lyrics is in, decided as ACE-Step's reference decides it.

A line is cut into runs: by script (Hangul, Thai, Cyrillic, Latin), by numbers, by quotation marks
and by explicit tags such as `<ja>...</ja>`. Each run is given a language, and the language with
the most characters wins. The reference does this with a vendored copy of LangSegment 0.3.5
(github.com/juntaosun/LangSegment) over py3langid; its thresholds and its oddities are kept, down to
what counts twice, because the model has learnt pronunciation from lines that were labelled by them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Below this probability a short run of Chinese characters is taken for Japanese.
_SURE_OF_CHINESE = 0.89
#: Above this one a run of three to five characters, some Chinese, is believed as classified.
_SURE_OF_SHORT_TEXT = 0.90
_SHORT = 5

#: Codes that a tag may carry, and be counted, beside the classifier's: a fault that is kept.
_COUNTED_BY_ACCIDENT = frozenset({"", "a", "f"})
#: Tags for the reading of numbers; their content is Chinese.
_CHINESE_READINGS = frozenset({"telephone", "number", "currency", "date"})


def detect(line: str) -> str:
    """The language of `line`: one of py3langid's 97 codes, not only of those that can be sung.

    A line without any letters is "zh". A line of English and something else is something else.
    """
    counts = _LineReader().read(line)
    # Sorting is stable: of equal counts the language that came first wins.
    ranked = sorted(counts, key=lambda language: counts[language], reverse=True)
    if not ranked:
        return "zh"
    if ranked[0] == "en" and len(ranked) > 1:
        return ranked[1]
    return ranked[0]


@functools.cache
def _identifier() -> Any:
    """The classifier; its model takes a tenth of a second to read, so it is read when needed."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_pickled_model(MODEL_FILE, norm_probs=True)


@functools.lru_cache(maxsize=4096)  # choruses repeat, and an editor asks at each keystroke
def _classify(text: str) -> tuple[str, float]:
    """The most likely language of `text` and its probability, to three decimals."""
    language, probability = _identifier().classify(text)
    return language, round(float(probability), 3)


# ---- runs and their count


@dataclass
class _Run:
    """A stretch of a line in one language. `language` can be "zh|ja|…" while it is undecided."""

    language: str
    text: str
    tagged: bool = False  # was inside an explicit tag: never merged with its neighbours


class _Runs:
    """The runs of a line so far, and how many characters each language has."""

    def __init__(self) -> None:
        self.settled: list[_Run] = []
        self.counts: dict[str, int] = {}
        self._undecided: _Run | None = None

    @property
    def first_language(self) -> str | None:
        return self.settled[0].language if self.settled else None

    @property
    def last_language(self) -> str | None:
        return self.settled[-1].language if self.settled else None

    def add(self, language: str, text: str, tagged: bool = False) -> None:
        """Append a run; it decides an undecided one before it ("zh" or "ja"), or is undecided."""
        if not text.strip():
            return
        language = language.lower()
        if language == "en":
            text = _spread_capitals(text)
        undecided, self._undecided = self._undecided, None
        if undecided is not None:
            likely = undecided.language.partition("|")[0]
            if language in undecided.language:
                likely = language = language.partition("|")[0]
            undecided.language = likely
            self._settle(undecided)
        run = _Run(language, text, tagged)
        if "|" in language:
            self._undecided = run
        else:
            self._settle(run)

    def _settle(self, run: _Run) -> None:
        previous = self.settled[-1] if self.settled else None
        if previous is not None and not (run.tagged or previous.tagged):
            if _is_number(run.text):
                run.language = previous.language
            if run.language == previous.language:
                self._count(run)
                previous.text += run.text
                return
            if _is_number(previous.text):
                # The number joins what follows it, and so is counted a second time.
                run.text = previous.text + run.text
                self.settled.pop()
        if run.language in _identifier().nb_classes or run.language in _COUNTED_BY_ACCIDENT:
            self.settled.append(run)
            self._count(run)

    def _count(self, run: _Run) -> None:
        width = 2 if run.language == "zh" else 1
        self.counts[run.language] = self.counts.get(run.language, 0) + width * len(run.text)


_INNER_CAPITAL = re.compile(r"\B([A-Z])")
_PUNCTUATION = re.compile(r"([^\w\s]+)")


def _spread_capitals(text: str) -> str:
    """English as it is counted: with a space before capitals inside words, and one at the end."""
    return _INNER_CAPITAL.sub(r" \1", text).strip("-") + " "


def _is_number(text: str) -> bool:
    """Whether `text` is nothing but digits and punctuation, or only the latter."""
    return not re.sub(r"\d+", "", _PUNCTUATION.sub("", text).strip())


# ---- reading a line

#: A found run is replaced in the line by a mark, its number between two ⑥, which the patterns
#: that come after it take for a word.
_MARK = re.compile(r"(⑥\d{8}⑥)")
_FORGED_MARK = re.compile(r"⑥\$*\d{7,}⑥")
_SENTENCE_END = re.compile(r"(?<=[。.?？!！])(?![。.?？!！])")
_OPENING = "【《（(“‘\"'"


def _script(letters: str) -> re.Pattern[str]:
    """Words of `letters`, with opening quotes before them and anything but letters after them."""
    return re.compile(rf"(?<![{_OPENING}])[{_OPENING}]*(?:[{letters}]+\W*)+")


_TAGGED = re.compile(r"(<([a-zA-Z|-]*)>(.*?)</*[a-zA-Z|-]*>)")
#: Scripts that tell the language by themselves (Cyrillic: Russian's letters only).
_SCRIPTS = {
    _script("\uac00-\ud7a3"): "ko",
    _script("\u0e00-\u0e7f"): "th",
    _script("А-Яа-яЁё"): "ru",
}
_NUMBER = re.compile(r"((?:(?<!\W)\W+|(?<![\W\d]))\d+\W+\d*\W*\d*)")
#: Lower case of French and Vietnamese only: "É" or "ł" ends the run, as it does in the reference.
_LATIN = _script(
    "a-zA-Zàáâãäåæçèéêëìíîïðñòóôõöùúûüýþÿđơưăảạắằẳẵặấầẩẫậẻẽẹếềểễệỉĩịỏọốồổỗộớờởỡợủũụứừửữựỷỹ"
)
_QUOTED = re.compile(r"([\"'])(.*?)(\1)")
_BRACKETED = re.compile(r"([【《（(“‘])([^【《（(“‘’”)）》】]{3,})([’”)）》】]\W*)")

_Reader = Callable[[re.Match[str]], None]


class _LineReader:
    """Reads one line into `_Runs`. Patterns apply to the whole line in turn, then runs in order."""

    def __init__(self) -> None:
        self._runs = _Runs()
        self._marked: dict[str, tuple[_Reader, re.Match[str]]] = {}

    def read(self, line: str) -> dict[str, int]:
        """How many characters of `line` are in each language, in the order of appearance."""
        text = self._mark(_TAGGED, self._read_tagged, _FORGED_MARK.sub("", line))
        for pattern, language in _SCRIPTS.items():
            text = self._mark(pattern, functools.partial(self._read_script, language), text)
        for pattern, reader in (
            (_NUMBER, self._read_number),
            (_LATIN, self._read_latin),
            (_QUOTED, self._read_quoted),
            (_BRACKETED, self._read_quoted),
        ):
            text = self._mark(pattern, reader, text)
        self._read_marked(text, closes_line=True)
        return self._runs.counts

    def _mark(self, pattern: re.Pattern[str], reader: _Reader, text: str) -> str:
        """Replace what `pattern` finds by marks that stand for it."""
        found = list(pattern.finditer(text))
        if len(found) == 1 and "".join(found[0].groups()) == text:
            return text  # nothing but one number, or one pair of quotes: left to the classifier

        def mark(match: re.Match[str]) -> str:
            key = f"⑥{len(self._marked):08d}⑥"
            self._marked[key] = reader, match
            return key

        return pattern.sub(mark, text)

    def _read_marked(self, text: str, closes_line: bool) -> None:
        pieces = _MARK.split(text)
        for index, piece in enumerate(pieces):
            # Taken out, so that a line cannot forge a mark that leads back to itself.
            marked = self._marked.pop(piece, None)
            if marked is not None:
                reader, match = marked
                reader(match)
            else:
                self._read_plain(piece, closes_line and index == len(pieces) - 1)

    def _read_tagged(self, match: re.Match[str]) -> None:
        _, name, text = match.groups()
        self._runs.add("zh" if name in _CHINESE_READINGS else name, text, tagged=True)

    def _read_script(self, language: str, match: re.Match[str]) -> None:
        self._runs.add(language, match[0])

    def _read_number(self, match: re.Match[str]) -> None:
        self._runs.add(self._runs.first_language or "zh", match[0])

    def _read_latin(self, match: re.Match[str]) -> None:
        for sentence in _SENTENCE_END.split(match[0]):
            if sentence.strip():
                language, _ = _classify(_letters(sentence))
                self._runs.add(language, sentence)

    def _read_quoted(self, match: re.Match[str]) -> None:
        text, letters = match[0], _letters(match[2])
        if _MARK.search(text):
            self._read_marked(text, closes_line=False)
        elif len(letters) <= _SHORT:
            self._read_plain(text, closes_line=False)
        else:
            language, _ = _classify(letters)
            self._runs.add(language, text)

    def _read_plain(self, text: str, closes_line: bool) -> None:
        """Read text without marks, phrase by phrase; what is too short to tell joins the next."""
        parts = _PUNCTUATION.split(text)
        phrase = ""
        for index, part in enumerate(parts):
            phrase += part
            if not phrase:
                continue
            last = index == len(parts) - 1
            letters = _letters(re.sub(r"\d+", "", phrase))
            if not last and (_is_blank(phrase) or _is_blank(parts[index + 1]) or len(letters) <= 2):
                continue
            self._runs.add(self._language_of(phrase, letters, last and closes_line), phrase)
            phrase = ""

    def _language_of(self, phrase: str, letters: str, closes_line: bool) -> str:
        """The language of a phrase in no script of its own; `letters` is what can be classified."""
        language, probability = _classify(letters)
        if all(_is_chinese(letter) for letter in letters if not letter.isspace()):
            language, probability = "zh", probability if language == "zh" else 1.0
        if len(letters) > _SHORT or not any(map(_is_chinese, letters)):
            return language
        if probability < _SURE_OF_CHINESE:
            language = "ja"
        if re.search(r"[\u3040-\u30ff]", letters):
            return "ja"
        if len(letters) > 2 and probability > _SURE_OF_SHORT_TEXT:
            return language
        if closes_line:
            return "zh" if len(letters) <= 1 else language
        return self._undecided_between_chinese_and_japanese(phrase, letters, language)

    def _undecided_between_chinese_and_japanese(
        self, phrase: str, letters: str, language: str
    ) -> str:
        before = self._runs.last_language
        if phrase.rstrip()[-1] in "。.":  # ends a sentence: as the rest of it
            return before if before in ("zh", "ja") else language
        # What comes after it decides; without that it is not counted at all.
        if language == "zh" or (len(letters) <= 2 and before == "zh"):
            return "zh|ja|…"
        return "ja|zh|…"


def _letters(text: str) -> str:
    """`text` as it is classified: punctuation as spaces, repeated characters once."""
    return re.sub(r"(.)\1+", r"\1", re.sub(r"\W+", " ", text)).strip()


def _is_blank(text: str) -> bool:
    return not _PUNCTUATION.sub("", text).strip()


def _is_chinese(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"
