"""Prompts are cut by few pieces exactly as the whole vocabulary cuts them."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

from mlx_music.ace_step.prompt_tokenizer import MAX_PROMPT_TOKENS, PromptTokenizer
from mlx_music.errors import CheckpointError

PAD = 0

TEXTS = [
    "",
    " ",
    "funk, slap bass, clavinet, 112 bpm",
    "two  spaces, a\ttab\nand a line",
    "Größe 한국 日本語 ﬁ ☃ ☃☃ \U0001f3b9",
    "a</s>b <unk> c<pad>",
    "<0x41> and <extra_id_0>",
    "word " * 400,
    "\u2603" * 300,
    "▁▁ ▁x",
]


@pytest.fixture
def settings(checkpoint: Path) -> Any:
    return json.loads((checkpoint / "umt5-base" / "tokenizer.json").read_text())


def written(settings: Any, folder: Path) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def check_equal(path: Path, texts: list[str]) -> None:
    ours, whole = PromptTokenizer(path, PAD), Tokenizer.from_file(str(path))
    whole.no_padding()
    for text in texts:
        whole.no_truncation()
        assert ours.length(text) == len(whole.encode(text).ids), repr(text)
        whole.enable_truncation(MAX_PROMPT_TOKENS)
        assert np.array(ours([text])[0])[0].tolist() == whole.encode(text).ids, repr(text)


def random_texts(vocabulary: list[list[Any]]) -> list[str]:
    generator = random.Random(5)
    names = [name for name, _ in vocabulary]
    made = []
    for length in range(30):
        pieces = generator.choices(names, k=length)
        made += ["".join(pieces), " ".join(pieces).replace("▁", "")]
    return made


def test_cut_as_by_all_pieces(settings: Any, tmp_path: Path) -> None:
    assert settings["model"]["type"] == "Unigram"
    texts = [*TEXTS, *random_texts(settings["model"]["vocab"])]
    check_equal(written(settings, tmp_path), texts)


def test_bytes_stand_for_what_no_piece_covers(settings: Any, tmp_path: Path) -> None:
    settings["model"]["vocab"] += [[f"<0x{byte:02X}>", -12.0] for byte in range(256)]
    settings["model"]["byte_fallback"] = True
    path = written(settings, tmp_path)
    assert PromptTokenizer(path, PAD).length("☃") == PromptTokenizer(path, PAD).length("") + 4
    check_equal(path, TEXTS)


def test_pieces_of_one_score_that_overlap(settings: Any, tmp_path: Path) -> None:
    settings["model"]["vocab"] += [["ab", -3.0], ["bc", -3.0], ["abc", -6.0], ["cab", -6.0]]
    check_equal(written(settings, tmp_path), ["abcabcab", "cabbcab abc", "xabx"])


@pytest.mark.parametrize("change", ["other model", "twice", "ids", "processor", "unknown"])
def test_what_is_ambiguous_is_left_to_the_whole(settings: Any, tmp_path: Path, change: str) -> None:
    model = settings["model"]
    if change == "other model":
        pieces = {name: number for number, (name, _) in enumerate(model["vocab"])}
        settings["model"] = {"type": "WordLevel", "vocab": pieces, "unk_token": "<unk>"}
    elif change == "twice":
        model["vocab"] += [["funk", -1.0], ["funk", -9.0]]
    elif change == "ids":
        special = {**settings["added_tokens"][-1], "content": "<extra>", "id": len(model["vocab"])}
        settings["added_tokens"].append(special)
    elif change == "processor":
        settings["post_processor"] = {
            "type": "BertProcessing",
            "sep": ["</s>", 1],
            "cls": ["<s>", 2],
        }
    else:
        model["unk_id"] = None
    path = written(settings, tmp_path)
    assert PromptTokenizer(path, PAD)._pieces is None
    check_equal(path, ["funk" if change == "unknown" else "funk <extra> bass"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1: not valid JSON"),
        ("{}", "cannot be read as a tokenizer"),
        ('{"model": {"type": "Unigram", "vocab": [["a"]], "unk_id": 0}}', "cannot be read as"),
        ('{"model": {"type": "Unigram", "vocab": [["a", 1]], "unk_id": 7}}', "cannot be read as"),
    ],
)
def test_damage(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(text)
    with pytest.raises(CheckpointError, match=problem) as caught:
        PromptTokenizer(path, PAD)
    assert str(path) in str(caught.value)


def test_other_threads_run_while_it_is_read(settings: Any, tmp_path: Path) -> None:
    settings["model"]["vocab"] += [
        [f"▁{number:x}q", -10.5 - number / 1e6] for number in range(60_000)
    ]
    path = written(settings, tmp_path)

    def longest_pause() -> float:
        """Of another thread, as a share of the time that reading takes."""
        pauses, done = [0.0], threading.Event()

        def watch() -> None:
            last = time.perf_counter()
            while not done.wait(0.001):
                now = time.perf_counter()
                pauses.append(now - last)
                last = now

        thread = threading.Thread(target=watch)
        thread.start()
        start = time.perf_counter()
        tokenizer = PromptTokenizer(path, PAD)
        took = time.perf_counter() - start
        done.set()
        thread.join()
        assert tokenizer.length("1fq 2aq") == 3
        return max(pauses) / took

    # A busy machine makes a thread wait as well, but not every time.
    assert min(longest_pause() for _ in range(4)) < 0.6
