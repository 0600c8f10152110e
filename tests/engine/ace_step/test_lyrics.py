"""The lyric tokenizer, with a vocabulary of single characters that the test makes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlx_music.ace_step.lyrics import SPACE_ID, START_ID, LyricTokenizer, ids_of, language_of
from mlx_music.errors import InvalidRequest, LyricsError
from mlx_music.text.languages import LANGUAGES

TAGS = [f"[{'zh-cn' if language == 'zh' else language}]" for language in LANGUAGES]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789,.'-"
#: As in the published one: words that are no text of their own have the ids that the code knows.
SPECIAL = {"[STOP]": 0, "[UNK]": 1, "[SPACE]": SPACE_ID, "[START]": START_ID} | {
    tag: 300 + index for index, tag in enumerate([*TAGS, "[verse]"])
}
LARGEST = max(SPECIAL.values())


def vocabulary() -> dict[str, object]:
    vocab = {letter: 3 + index for index, letter in enumerate(LETTERS)}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": token,
                "content": content,
                "special": True,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for content, token in sorted(SPECIAL.items(), key=lambda item: item[1])
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "BPE", "unk_token": "[UNK]", "vocab": vocab | SPECIAL, "merges": []},
    }


@pytest.fixture(scope="module")
def vocabulary_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.json"
    path.write_text(json.dumps(vocabulary()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tokenizer(vocabulary_file: Path) -> LyricTokenizer:
    return LyricTokenizer(vocabulary_file, LARGEST + 1)


def ids(text: str) -> list[int]:
    """Ids of "[en]ab c" and its like, spelled out by hand; "|" ends a line."""
    tokens: list[int] = []
    while text:
        token = next(name for name in (*SPECIAL, *LETTERS, " ", "|") if text.startswith(name))
        tokens.append(SPACE_ID if token in " |" else {**SPECIAL, **letter_ids()}[token])
        text = text[len(token) :]
    return tokens


def letter_ids() -> dict[str, int]:
    return {letter: 3 + index for index, letter in enumerate(LETTERS)}


def test_nothing_is_no_tokens(tokenizer: LyricTokenizer) -> None:
    assert tokenizer.encode("") == []
    assert tokenizer.encode_lines("") == []


@pytest.mark.parametrize(
    ("lyrics", "expected"),
    [
        ("\n", "||"),
        ("  \r\nHello you there\r\n", "|[en]hello you there||"),
        ("[verse]", "[en][verse]|"),
        ("[verse] hello you", "[en][verse] hello you|"),
        ("We wait until 5 in the morning", "[en]we wait until five in the morning|"),
        ("东京", "[zh-cn]dong1jing1|"),
        ("君の声", "[ja]kimi no koe|"),
        ("사랑해", "[ko]salanghae|"),
    ],
)
def test_line_by_line(tokenizer: LyricTokenizer, lyrics: str, expected: str) -> None:
    assert tokenizer.encode(lyrics) == [START_ID, *ids(expected)]


def test_a_language_that_cannot_be_sung_is_read_as_english(tokenizer: LyricTokenizer) -> None:
    lines = tokenizer.encode_lines("Gecenin sessizliğinde yürüyorum")
    assert [line.language for line in lines] == ["en"] == [language_of(lines[0].text)]


def test_a_given_language_holds_for_every_line_of_text(tokenizer: LyricTokenizer) -> None:
    lines = tokenizer.encode_lines("[chorus]\nhello\n\n東京", language="ja")
    assert [line.language for line in lines] == ["en", "ja", "", "ja"]
    assert list(lines[3].ids) == ids("[ja]tokyo|")
    assert tokenizer.encode("1 of 3", language="fr") == [START_ID, *ids("[fr]un of trois|")]


@pytest.mark.parametrize("language", ["xx", "EN", "zh-cn", ""])
def test_an_unknown_language_is_refused(tokenizer: LyricTokenizer, language: str) -> None:
    with pytest.raises(InvalidRequest, match=f"'{language}'.*{', '.join(LANGUAGES)}") as caught:
        tokenizer.encode("", language=language)
    assert caught.value.field == "language"


def test_lines_carry_their_counts(tokenizer: LyricTokenizer) -> None:
    lines = tokenizer.encode_lines("hello you\n\nworld")
    assert [line.text for line in lines] == ["hello you", "", "world"]
    assert [line.token_count for line in lines] == [1 + 9 + 1, 1, 1 + 5 + 1]
    assert not any(line.skipped for line in lines)
    assert ids_of(lines) == tokenizer.encode("hello you\n\nworld")


@pytest.mark.parametrize("unreadable", ["あ\u3097", "hello \ud800"])
def test_an_unreadable_line_is_left_out_and_said_to_be(
    tokenizer: LyricTokenizer, unreadable: str
) -> None:
    lyrics = f"one\n{unreadable}\ntwo"
    assert tokenizer.encode(lyrics) == tokenizer.encode("one\ntwo")
    assert [line.skipped for line in tokenizer.encode_lines(lyrics)] == [False, True, False]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lyrics=st.text(alphabet=st.characters(categories=None), max_size=60),
    language=st.none() | st.sampled_from(LANGUAGES),
)
def test_any_text_is_encoded(tokenizer: LyricTokenizer, lyrics: str, language: str | None) -> None:
    lines = tokenizer.encode_lines(lyrics, language)
    assert [line.text for line in lines] == (lyrics.split("\n") if lyrics else [])
    assert all(line.skipped or line.ids[-1] == SPACE_ID for line in lines)


def test_several_threads_at_once(tokenizer: LyricTokenizer) -> None:
    lyrics = "25 سنة و 3,5 أشهر\n君の声が聞こえる\n我有3个梦"
    expected = tokenizer.encode(lyrics)
    wrong: list[list[int]] = []

    def work() -> None:
        wrong.extend(got for _ in range(10) if (got := tokenizer.encode(lyrics)) != expected)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "must be a tokenizer file"),
        (b"not json", "must be a tokenizer file"),
        (b"{}", "must be a tokenizer file"),
        (b'{"model": {"vocab": {}}}', "must be a tokenizer file"),
        (b"\xff\xfe\x00", "it is not text"),
    ],
)
def test_a_file_that_is_no_vocabulary(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(LyricsError, match=problem) as caught:
        LyricTokenizer(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(LyricsError, match="cannot read"):
        LyricTokenizer(tmp_path / name)


def test_a_vocabulary_must_fit_the_checkpoint(vocabulary_file: Path) -> None:
    with pytest.raises(LyricsError, match=f"{LARGEST + 1} tokens.*{LARGEST}"):
        LyricTokenizer(vocabulary_file, LARGEST)


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    other = vocabulary()
    other["added_tokens"] = []
    other["model"] = {"type": "BPE", "vocab": letter_ids(), "merges": []}
    path = tmp_path / "other.json"
    path.write_text(json.dumps(other))
    with pytest.raises(LyricsError, match=r"other\.json is not a lyric vocabulary: .*\[SPACE\]"):
        LyricTokenizer(path)


def test_importing_it_is_light() -> None:
    program = (
        "import sys, mlx_music.ace_step.lyrics, mlx_music.ace_step.vocabulary\n"
        "heavy = ('numpy', 'tokenizers', 'huggingface_hub', 'py3langid', 'pypinyin', 'cutlet')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
