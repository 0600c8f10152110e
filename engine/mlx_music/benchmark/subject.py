"""The model that is measured: a real one, or one of random weights made on the device."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_music import backend
from mlx_music.ace_step.components import NETWORKS, Components
from mlx_music.ace_step.finding import find_model
from mlx_music.ace_step.lyrics import LyricLine
from mlx_music.ace_step.memory import GIGABYTE
from mlx_music.ace_step.pipeline import ACEStep
from mlx_music.ace_step.prompt_tokenizer import PromptTokenizer
from mlx_music.ace_step.published import TEXT_ENCODER, TRANSFORMER
from mlx_music.ace_step.text_encoder import TextEncoderConfig
from mlx_music.ace_step.transformer import TransformerConfig
from mlx_music.benchmark.sizes import SIZES, Options, Sizes
from mlx_music.progress import ByteProgress, Progress
from mlx_music.weights.loading import read_config
from mlx_music.weights.quantization import PRESETS, quantize_model
from mlx_music.weights.table_on_disk import EmbeddingOnDisk, StoredTable


def find_subject(options: Options, progress: Progress) -> None:
    """Download the model of `options` if that is needed and allowed, and else leave it alone.

    Raises `CheckpointError` for one that is not there.
    """
    if options.model is not None:
        find_model(
            options.model,
            revision=options.revision,
            download=options.download,
            progress=ByteProgress(progress, "download"),
        )


def open_subject(options: Options) -> ACEStep:
    """The model of `options`, whose lyrics are always as many tokens as its sizes say.

    Weights that are not random are read when they are first used.
    """
    sizes = SIZES[options.sizes]
    if options.model is None:
        limit = None if options.memory_limit is None else int(options.memory_limit * GIGABYTE)
        components: Components = RandomComponents(sizes, backend.dtype_of(options.dtype), limit)
        name, config = f"random weights, {sizes.name} sizes", sizes.config(TRANSFORMER)
    else:
        opened = ACEStep.from_pretrained(
            options.model,
            revision=options.revision,
            dtype=options.dtype,
            download=options.download,
            memory_limit=options.memory_limit,
        )
        components, name = opened.components, opened.name
        config = read_config(components.folder / TRANSFORMER)
    # Not from the network, which may not be wanted at all.
    vocabulary = TransformerConfig.from_dict(config).lyric_encoder_vocab_size
    reader = CountedLyrics(sizes.lyric_tokens, vocabulary)
    model = ACEStep(components, name, lyric_reader=reader)
    if options.quantize is not None:
        quantize_model(model, PRESETS[options.quantize](), parts=options.parts)
    return model


class CountedLyrics:
    """Reads any lyrics as a given number of tokens."""

    def __init__(self, tokens: int, vocabulary: int) -> None:
        self._ids = tuple(number % vocabulary for number in range(tokens))

    def encode_lines(self, lyrics: str, language: str | None = None) -> list[LyricLine]:
        return [LyricLine(lyrics, language or "en", self._ids)]


class CountedPrompt(PromptTokenizer):
    """Reads any prompt as a given number of tokens."""

    def __init__(self, tokens: int, vocabulary: int) -> None:
        self._ids = [number % vocabulary for number in range(tokens)]

    def length(self, prompt: str) -> int:
        return len(self._ids)

    def __call__(self, prompts: list[str]) -> tuple[mx.array, mx.array]:
        ids = mx.array([self._ids] * len(prompts), dtype=mx.int32)
        return ids, mx.ones_like(ids)


class RandomComponents(Components):
    """Networks of given sizes without a checkpoint: random weights, made on the device when they
    are first used."""

    def __init__(self, sizes: Sizes, dtype: mx.Dtype, memory_limit: int | None) -> None:
        super().__init__(Path(f"random-{sizes.name}"), dtype, memory_limit=memory_limit)
        self._sizes = sizes

    def read(self, name: str, dtype: mx.Dtype) -> nn.Module:
        network = NETWORKS[name].build(self._sizes.config(name))
        for path in NETWORKS[name].on_disk:
            _leave_out(network, path, dtype)
        fill_with_noise(network, dtype)
        return network

    @property
    def prompt_tokenizer(self) -> PromptTokenizer:
        config = TextEncoderConfig.from_dict(self._sizes.config(TEXT_ENCODER))
        return CountedPrompt(self._sizes.prompt_tokens, config.vocab_size)


class NoiseTable(StoredTable):
    """Stands for a table that a checkpoint's network leaves in its file: rows of noise."""

    def __init__(self, shape: tuple[int, ...], dtype: mx.Dtype) -> None:
        self.shape = shape
        self.dtype = dtype

    def read(self, rows: list[int]) -> mx.array:
        return mx.random.normal((len(rows), self.shape[1])).astype(self.dtype)


def _leave_out(network: nn.Module, path: str, dtype: mx.Dtype) -> None:
    """Give the embedding at `path` no memory, as it has none when it comes from a checkpoint."""
    modules = dict(network.named_modules())
    parent, _, name = path.rpartition(".")
    table = NoiseTable(modules[path].weight.shape, dtype)
    setattr(modules[parent], name, EmbeddingOnDisk(table, dtype))


def fill_with_noise(network: nn.Module, dtype: mx.Dtype) -> None:
    """Give every parameter but constants random values that keep activations of order one.

    As those of a checkpoint are read, they are made when they are first used: what a song has no
    use for takes no memory.
    """
    # Frozen parameters are tables that belong to the network.
    names: Any = tree_flatten(network.trainable_parameters())
    keys = mx.random.split(mx.random.key(0), len(names))
    mx.eval(keys)
    made = []
    for (name, empty), key in zip(names, keys, strict=True):
        scale, offset = _scale_and_offset(name, empty.shape)
        values = mx.random.normal(empty.shape, key=key) * scale + offset
        made.append((name, values.astype(dtype)))
    network.load_weights(made, strict=False)


def _scale_and_offset(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    leaf = name.rpartition(".")[2]
    if leaf == "bias" or leaf.startswith("pos_bias"):
        return 0.02, 0.0
    if leaf == "gamma":
        return 0.05, 0.3
    if len(shape) == 1:  # a norm's gain
        return 0.05, 1.0
    if name in ("shared.weight", "lyric_embs.weight"):
        return 1.0, 0.0
    # Kernels and matrices have their outputs first.
    inputs = shape[-1] if leaf == "scale_shift_table" else math.prod(shape[1:])
    return 1.0 / math.sqrt(inputs), 0.0
