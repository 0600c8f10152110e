"""What each quantization preset costs and saves, on the full-size transformer with random weights.

    PYTHONPATH=engine python tests/benchmarks/quantization.py [--frames 64] [--runs 20]
        [--json FILE]

Needs only mlx and numpy, and a GPU for its size; a CPU can try it with `--layers 1 --heads 2
--frames 8 --lyric-tokens 4 --runs 1 --dtype float32`.

For every preset: the bytes of the transformer's weights, the relative L2 error of one transformer
call (its condition included) against the same weights in bfloat16, and the time of a call. The
weights are normal with a standard deviation of 1 / sqrt(inputs), from a key of their own each, so
that every preset quantizes the same ones. Trained weights have heavier tails: expect the order of
the errors, not their size, to carry over.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import mlx_music  # noqa: F401  # isort: skip  (first, so that it chooses the BLAS)
import mlx.core as mx
from mlx.utils import tree_flatten

from mlx_music.ace_step.transformer import Transformer, TransformerConfig
from mlx_music.ace_step.transformer_inputs import PreparedCondition
from mlx_music.weights.quantization import PRESETS, QuantizationConfig, quantize_model

PROMPT_TOKENS = 45
TIMESTEP = 500.0


@dataclass(frozen=True)
class Result:
    """One row: bytes of all weights, layers that kept their precision, error, seconds a call."""

    preset: str
    bytes: int
    layers_quantized: int
    layers_kept: int
    relative_error: float
    seconds: float


def build(config: TransformerConfig, dtype: mx.Dtype) -> Transformer:
    """The transformer with random weights; always the same ones."""
    network = Transformer(config)
    for name, empty in tree_flatten(network.parameters()):
        key = mx.random.key(zlib.crc32(name.encode()))
        values = mx.random.normal(empty.shape, key=key) * scale_of(name, empty.shape)
        if empty.ndim == 1 and name.endswith("weight"):  # a norm's gain
            values = 1.0 + values
        values = values.astype(dtype)
        mx.eval(values)
        network.load_weights([(name, values)], strict=False)
    mx.clear_cache()
    return network


def scale_of(name: str, shape: tuple[int, ...]) -> float:
    """The standard deviation that keeps activations of order one."""
    if name.endswith(("bias", "pos_bias_u", "pos_bias_v")) or len(shape) == 1:
        return 0.02
    if name == "lyric_embs.weight":
        return 1.0
    return 1.0 / math.sqrt(math.prod(shape[1:]))


def inputs(
    config: TransformerConfig, frames: int, lyric_tokens: int
) -> tuple[mx.array, list[mx.array]]:
    """Latents, and what a condition is made of."""
    keys = mx.random.split(mx.random.key(1), 4)
    latents = mx.random.normal((1, config.patch_size[0], frames, config.in_channels), key=keys[0])
    condition = [
        mx.random.normal((1, PROMPT_TOKENS, config.text_embedding_dim), key=keys[1]),
        mx.ones((1, PROMPT_TOKENS), mx.int32),
        mx.random.normal((1, config.speaker_embedding_dim), key=keys[2]),
        mx.random.randint(0, config.lyric_encoder_vocab_size, (1, lyric_tokens), key=keys[3]),
        mx.ones((1, lyric_tokens), mx.int32),
    ]
    return latents, condition


def seconds_of(call: Callable[[], mx.array], runs: int) -> float:
    """The median time of a call, after two that are not counted."""
    times = []
    for _ in range(runs + 2):
        start = time.perf_counter()
        mx.eval(call())
        times.append(time.perf_counter() - start)
    return sorted(times[2:])[runs // 2]


def measure(
    name: str,
    preset: QuantizationConfig | None,
    config: TransformerConfig,
    dtype: mx.Dtype,
    arguments: argparse.Namespace,
    exact: mx.array | None,
) -> tuple[Result, mx.array]:
    network = build(config, dtype)
    quantized = kept = 0
    if preset is not None:
        report = quantize_model(network, preset)
        quantized, kept = len(report.bits), len(report.kept)
        mx.clear_cache()
    latents, condition = inputs(config, arguments.frames, arguments.lyric_tokens)
    prepared: PreparedCondition = network.prepare(network.encode(*condition))
    timestep = mx.array([TIMESTEP])

    def call() -> mx.array:
        return network.decode(latents, timestep, prepared)

    velocity = call().astype(mx.float32)
    mx.eval(velocity)
    assert mx.all(mx.isfinite(velocity)).item(), f"{name}: the velocity is not finite"
    error = 0.0
    if exact is not None:
        error = float(mx.linalg.norm(velocity - exact) / mx.linalg.norm(exact))
    nbytes = sum(array.nbytes for _, array in tree_flatten(network.parameters()))
    seconds = seconds_of(call, arguments.runs)
    return Result(name, nbytes, quantized, kept, error, seconds), velocity


def table(results: list[Result]) -> str:
    lines = [f"{'preset':<10}{'bytes':>15}{'size':>9}{'error':>10}{'ms':>10}{'kept':>6}"]
    for row in results:
        lines.append(
            f"{row.preset:<10}{row.bytes:>15,}{row.bytes / results[0].bytes:>9.1%}"
            f"{row.relative_error:>10.4f}{row.seconds * 1000:>10.2f}{row.layers_kept:>6}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    published = TransformerConfig()
    parser.add_argument("--layers", type=int, default=published.num_layers)
    parser.add_argument("--heads", type=int, default=published.num_attention_heads)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--lyric-tokens", type=int, default=400, help="400 is a minute of song")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    config = TransformerConfig(num_layers=arguments.layers, num_attention_heads=arguments.heads)
    dtype = getattr(mx, arguments.dtype)
    presets = {name: make() for name, make in PRESETS.items()}
    results: list[Result] = []
    exact: mx.array | None = None
    for name, preset in ((arguments.dtype, None), *presets.items()):
        result, velocity = measure(name, preset, config, dtype, arguments, exact)
        exact = velocity if exact is None else exact
        results.append(result)
        mx.clear_cache()
        print(f"{name} done", file=sys.stderr, flush=True)
    print(table(results))
    if arguments.json is not None:
        report = {
            "device": str(mx.default_device()),
            "mlx": mx.__version__,
            "layers": arguments.layers,
            "heads": arguments.heads,
            "frames": arguments.frames,
            "results": [asdict(row) for row in results],
        }
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
