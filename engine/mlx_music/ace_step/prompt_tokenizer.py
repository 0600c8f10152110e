"""The tokenizer of the prompt, from a checkpoint's `tokenizer.json`.

The published one knows 256,000 pieces. To be handed them all, the `tokenizers` package takes
seconds, in which no other thread of Python runs (an app's window stands still), and 0.4 GB. But
how a text is cut depends only on the pieces that it contains, so a text is cut by a tokenizer of
those alone.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from mlx_music.errors import CheckpointError
from mlx_music.weights.json_file import read_json_object

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

#: The prompt is cut here, as the reference does.
MAX_PROMPT_TOKENS = 256


class PromptTokenizer:
    """Prompt text to ids. Raises CheckpointError, naming the file, for one that is no tokenizer."""

    def __init__(self, path: Path, pad_token_id: int) -> None:
        # A function of Python's own for the numbers lets other threads run in between.
        settings = read_json_object(path, parse_float=lambda digits: float(digits))
        self._path = path
        self._pieces = _Pieces.taken_from(settings)
        self._settings = settings
        #: Of all pieces, or of none, which shows what the pieces are to cut.
        self._tokenizer = self._make(None if self._pieces is None else self._pieces.none())
        self._pad_token_id = pad_token_id

    def length(self, prompt: str) -> int:
        """Tokens of the whole prompt, before it is cut to `MAX_PROMPT_TOKENS`."""
        return len(self._rows([prompt], None)[0])

    def __call__(self, prompts: list[str]) -> tuple[mx.array, mx.array]:
        """Ids and mask, int32 (B, S), padded on the right to the longest prompt."""
        rows = self._rows(prompts, MAX_PROMPT_TOKENS)
        longest = max(len(row) for row in rows)
        ids = [row + [self._pad_token_id] * (longest - len(row)) for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return mx.array(ids, dtype=mx.int32), mx.array(mask, dtype=mx.int32)

    def _rows(self, prompts: list[str], limit: int | None) -> list[list[int]]:
        if self._pieces is None:
            return [encoding.ids for encoding in _encode(self._tokenizer, prompts, limit)]
        texts = ("".join(seen.tokens) for seen in _encode(self._tokenizer, prompts, None))
        tokenizer = self._make(self._pieces.within(texts))
        cut = _encode(tokenizer, prompts, limit)
        return [self._pieces.ids_of(encoding.tokens) for encoding in cut]

    def _make(self, model: dict[str, Any] | None) -> Tokenizer:
        """The file's tokenizer, with `model` for what it says of its model."""
        from tokenizers import Tokenizer

        settings = self._settings
        if model is not None:
            settings = {**settings, "model": {**settings["model"], **model}}
        try:
            return Tokenizer.from_str(json.dumps(settings))
        except Exception as error:
            if type(error) is not Exception:
                raise
            # The package raises nothing more precise for whatever is wrong with the file.
            raise CheckpointError(
                f"{self._path}: cannot be read as a tokenizer ({error}); download the model again"
            ) from error


def _encode(tokenizer: Tokenizer, prompts: list[str], limit: int | None) -> Sequence[Encoding]:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if limit is not None:
        tokenizer.enable_truncation(limit)
    return tokenizer.encode_batch(prompts)


@dataclass(frozen=True)
class _Pieces:
    """The vocabulary of a unigram model (Kudo, 2018, arXiv 1804.10959), as `tokenizers` has it.

    It takes the pieces of the highest score in sum. What no piece covers is one unknown token,
    whose score is a little less than the lowest of all pieces.
    """

    ids: dict[str, int]
    scores: array[float]
    unknown: int
    #: Pieces that every text needs: the unknown one, the lowest, and those that stand for bytes.
    needed: tuple[str, ...]
    longest: int

    @classmethod
    def taken_from(cls, settings: dict[str, Any]) -> _Pieces | None:
        """The pieces of a `tokenizer.json`, which is left without them.

        None, and nothing taken, for another model than a unigram one, and for whatever makes
        numbers or names ambiguous: the whole is for `tokenizers` then.
        """
        model: Any = settings.get("model")
        if not isinstance(model, dict) or model.get("type") != "Unigram":
            return None
        vocabulary: Any = model.get("vocab")
        unknown: Any = model.get("unk_id")
        try:
            names = [name for name, _ in vocabulary]
            scores = array("d", [score for _, score in vocabulary])
            ids = {name: number for number, name in enumerate(names)}
            unknown_name = names[unknown]
            agreed = all(ids[name] == number for name, number in _named_elsewhere(settings))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            return None
        if not agreed or set(map(type, names)) != {str} or len(ids) < len(names) or unknown < 0:
            return None
        model["vocab"] = []
        lowest = names[min(range(len(names)), key=scores.__getitem__)]
        of_bytes = [name for name in names if name.startswith("<0x")]
        needed = tuple(dict.fromkeys([unknown_name, lowest, *of_bytes]))
        return cls(ids, scores, unknown, needed, max(map(len, names)))

    def none(self) -> dict[str, Any]:
        """A model that takes every text for unknown, and so shows it as it is to be cut."""
        return {**self._model(self.needed[:1]), "byte_fallback": False}

    def within(self, texts: Iterable[str]) -> dict[str, Any]:
        """A model that cuts `texts` as one of all pieces does."""
        found = {
            text[start:stop]
            for text in texts
            for start in range(len(text))
            for stop in range(start + 1, min(start + self.longest, len(text)) + 1)
        }
        return self._model(dict.fromkeys([*self.needed, *sorted(found & self.ids.keys())]))

    def ids_of(self, tokens: Iterable[str]) -> list[int]:
        return [self.ids.get(token, self.unknown) for token in tokens]

    def _model(self, names: Iterable[str]) -> dict[str, Any]:
        return {"unk_id": 0, "vocab": [(name, self.scores[self.ids[name]]) for name in names]}


def _named_elsewhere(settings: dict[str, Any]) -> Iterable[tuple[Any, Any]]:
    """Name and number of the tokens that a `tokenizer.json` knows beside its model."""
    for added in settings.get("added_tokens") or ():
        yield added["content"], added["id"]
    processor = settings.get("post_processor") or {}
    if processor.get("type", "TemplateProcessing") != "TemplateProcessing":
        raise ValueError("a part whose tokens are not known here")
    for special in processor.get("special_tokens", {}).values():
        yield from zip(special["tokens"], special["ids"], strict=True)
