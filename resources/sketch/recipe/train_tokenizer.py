"""Part 2: the prompt tokenizer, byte-pair encoding learnt from captions.

python -m resources.sketch.recipe.train_tokenizer --work DIR
"""

from __future__ import annotations

import argparse
import string
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

from resources.sketch.recipe import sizes
from resources.sketch.recipe.captions import caption
from resources.sketch.recipe.songs import training_song

_CAPTIONS = 60_000


def train() -> Tokenizer:
    """Pad, end and unknown are tokens 0, 1 and 2, as in UMT5."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    # Unlike UMT5's: what a small model learns of a word must not hang on a capital.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.StripAccents(), normalizers.Lowercase()]
    )
    # A comma belongs to no word, and a number is one token whatever stands around it.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Digits(),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    trainer = BpeTrainer(
        vocab_size=sizes.TEXT_ENCODER["vocab_size"],
        special_tokens=["<pad>", "</s>", "<unk>"],
        initial_alphabet=[*string.ascii_lowercase, *string.digits, *"▁#&'-,./"],
        show_progress=False,
    )
    texts = (caption(training_song(i % 8000), i) for i in range(_CAPTIONS))
    numbers = (f"{tempo} bpm" for _ in range(40) for tempo in range(60, 181))
    tokenizer.train_from_iterator([*texts, *numbers], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    tokenizer = train()
    tokenizer.save(str(args.work / "tokenizer.json"))
    print(tokenizer.get_vocab_size(), "tokens")
    for text in ("lo-fi hip hop, 82 bpm, A minor, warm", "Fast techno in F# minor at 134 BPM"):
        print(tokenizer.encode(text).tokens)


if __name__ == "__main__":
    main()
