"""The official PyTorch modules on this GPU, measured as `mlx-music bench` measures ours.

    python -m tests.benchmarks.reference_speed --source DIR --json eager.json \\
        [--compile-json compiled.json] [--compile blocks] [--duration 60] [--small]
    mlx-music bench --json ours.json
    mlx-music bench --compare eager.json ours.json

With --compile-json alone, nothing is measured eager. Each file is written anew with every stage,
so that one that is stopped has what was measured. To compile the transformer as a whole unrolls
its 24 blocks for each length, which takes minutes; "blocks" compiles the block, once for a length,
and leaves to eager what is around: the time step, the embedding and the final layer. The report
says which it was.

DIR holds a checkout of github.com/ace-step/ACE-Step. Needs torch, diffusers and transformers.
Networks have random weights of the published sizes, in bfloat16 (on a CPU float32), batch 1, and
are called as the official pipeline calls them: each pass of a guided step and each channel of
sound by itself, keys and values of the condition anew in each call. What that pipeline does
between the networks (sampling, resampling, files) is left out.

MLX is not imported, because two runtimes for one GPU need not get along in one process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from mlx_music.benchmark import flops
from mlx_music.benchmark.report import (
    MatrixRate,
    Report,
    StageResult,
    heading,
    now,
    remarks,
    row,
    software,
)
from mlx_music.benchmark.sizes import PUBLISHED, REPEATS, SMALL
from tests.benchmarks import reference_modules as official
from tests.benchmarks.reference_modules import LYRIC_ENCODER, MEL_BINS, import_official

#: What may be compiled, and the stages that it changes by how their names begin.
COMPILED = {
    "blocks": ("transformer ", "guided pair "),
    "transformer": ("transformer ", "guided pair "),
    "decoders": ("dcae ", "vocoder ", "decode "),
}

#: A latent frame is 4096 samples at 44.1 kHz, 8 mel frames, and 16 high.
FRAMES_PER_SECOND, MEL_FRAMES, HEIGHT = 44_100 / 4096, 8, 16


#: A first call that is worth a word (milliseconds).
_LONG_CALL = 3000.0


@dataclass(frozen=True)
class Networks:
    """The official modules. `decode` and others are what is called, compiled or not."""

    text_encoder: Any
    transformer: Any
    dcae: Any
    vocoder: Any
    decode: Callable[..., Any]
    to_mel: Callable[..., Any]
    to_sound: Callable[..., Any]


@dataclass(frozen=True)
class Stage:
    name: str
    call: Callable[[], Any]
    flops: int
    frames: int | None = None


class Reference:
    """The official modules of one size on one device, and their stages."""

    def __init__(self, source: Path, small: bool, device: torch.device, dtype: torch.dtype) -> None:
        self.device = device
        self.dtype = dtype
        self.sizes = SMALL if small else PUBLISHED
        self.transformer = official.TRANSFORMER | (official.SMALL_TRANSFORMER if small else {})
        self.dcae = official.DCAE | (official.SMALL_DCAE if small else {})
        self.vocoder = official.VOCODER | (official.SMALL_VOCODER if small else {})
        self.text_encoder = official.TEXT_ENCODER | (official.SMALL_TEXT_ENCODER if small else {})
        torch.set_grad_enabled(False)
        torch.manual_seed(0)
        self.networks = self._build(source)

    def _build(self, source: Path) -> Networks:
        # First, because they look for packages that `import_official` has stand-ins for.
        from diffusers import AutoencoderDC
        from transformers import UMT5Config, UMT5EncoderModel

        classes = import_official(source)
        torch.set_default_dtype(self.dtype)
        with self.device:
            text = UMT5EncoderModel(UMT5Config(**self.text_encoder)).eval()
            transformer = classes.transformer(**self.transformer).eval()
            dcae = AutoencoderDC(**self.dcae).eval()
            vocoder = classes.vocoder(**self.vocoder).eval()
        torch.set_default_dtype(torch.float32)
        for network in (text, transformer, dcae, vocoder):
            network.to(self.device, self.dtype)
        return Networks(
            text, transformer, dcae, vocoder, transformer.decode, dcae.decoder, vocoder.forward
        )

    def compile(self, parts: list[str]) -> None:
        """From now on, call these parts through `torch.compile`, each length for itself."""
        networks = self.networks
        if "blocks" in parts:
            for block in networks.transformer.transformer_blocks:
                block.compile(dynamic=False)
        if "transformer" in parts:
            networks = replace(
                networks, decode=torch.compile(networks.transformer.decode, dynamic=False)
            )
        if "decoders" in parts:
            networks = replace(
                networks,
                to_mel=torch.compile(networks.dcae.decoder, dynamic=False),
                to_sound=torch.compile(networks.vocoder.forward, dynamic=False),
            )
        self.networks = networks

    def stages(self, durations: list[float]) -> Iterator[Stage]:
        yield self._text()
        encode = self._encoding()
        config, sizes = self._transformer_config(), self.sizes
        count = 2 * flops.condition(config, sizes.prompt_tokens, sizes.lyric_tokens)
        yield Stage("condition", lambda: [encode(), encode()], count)
        condition = encode()
        for seconds in durations:
            yield from self._calls(seconds, condition)
        for seconds in durations:
            yield from self._sound(seconds)

    def _text(self) -> Stage:
        tokens, encoder = self.sizes.prompt_tokens, self.networks.text_encoder
        ids = self._ids(tokens, self.text_encoder["vocab_size"])
        mask = torch.ones_like(ids)
        # The second pass is the weakened one.
        count = 2 * flops.text_encoder(SimpleNamespace(**self.text_encoder), tokens)
        return Stage(
            "text encoder",
            lambda: [encoder(input_ids=ids, attention_mask=mask) for _ in range(2)],
            count,
        )

    def _encoding(self) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
        """Encodes the condition of one pass."""
        prompt, config = self.sizes.prompt_tokens, self.transformer
        ids = self._ids(self.sizes.lyric_tokens, config["lyric_encoder_vocab_size"])
        inputs = {
            "encoder_text_hidden_states": self._noise(prompt, config["text_embedding_dim"]),
            "text_attention_mask": torch.ones(1, prompt, device=self.device),
            "speaker_embeds": self._noise(config["speaker_embedding_dim"]),
            "lyric_token_idx": ids,
            "lyric_mask": torch.ones_like(ids),
        }
        return lambda: self.networks.transformer.encode(**inputs)

    def _calls(
        self, seconds: float, condition: tuple[torch.Tensor, torch.Tensor]
    ) -> Iterator[Stage]:
        frames = int(seconds * FRAMES_PER_SECOND)
        latents = self._noise(self.transformer["in_channels"], HEIGHT, frames)
        mask = torch.ones(1, frames, device=self.device, dtype=self.dtype)
        timestep = torch.tensor([600.0], device=self.device, dtype=self.dtype)
        states, states_mask = condition

        def call() -> Any:
            return self.networks.decode(
                hidden_states=latents,
                attention_mask=mask,
                encoder_hidden_states=states,
                encoder_hidden_mask=states_mask,
                timestep=timestep,
                output_length=frames,
            ).sample

        tokens = 1 + self.sizes.prompt_tokens + self.sizes.lyric_tokens
        count = flops.transformer_call(self._transformer_config(), frames, tokens)
        yield Stage(f"transformer {seconds:g} s", call, count, frames)
        both = 2 * count
        yield Stage(f"guided pair {seconds:g} s", lambda: [call(), call()], both, frames)

    def _sound(self, seconds: float) -> Iterator[Stage]:
        networks, frames = self.networks, int(seconds * FRAMES_PER_SECOND)
        latents = self._noise(self.dcae["latent_channels"], HEIGHT, frames)
        mels = self._noise(2, MEL_BINS, MEL_FRAMES * frames)[0] - 5.0

        def channels(mels: torch.Tensor) -> list[torch.Tensor]:
            return [networks.to_sound(mel[None]) for mel in mels]

        def both() -> list[torch.Tensor]:
            mel = networks.to_mel(latents)[0]
            return channels((mel * 0.5 + 0.5) * 14.0 - 11.0)

        vocoder = SimpleNamespace(**self.vocoder)
        mel_flops = flops.dcae_decode(SimpleNamespace(**self.dcae), frames, HEIGHT)
        channel = flops.vocoder_decode(vocoder, MEL_FRAMES * frames, 1)
        all_flops = mel_flops + 2 * channel
        yield Stage(f"dcae {seconds:g} s", lambda: networks.to_mel(latents), mel_flops, frames)
        one = f"vocoder channel {seconds:g} s"
        yield Stage(one, lambda: channels(mels[:1]), channel, frames)
        yield Stage(f"vocoder {seconds:g} s", lambda: channels(mels), 2 * channel, frames)
        yield Stage(f"decode {seconds:g} s", both, all_flops, frames)

    def _transformer_config(self) -> SimpleNamespace:
        hidden = int(self.transformer["inner_dim"] * self.transformer["mlp_ratio"])
        return SimpleNamespace(**self.transformer, hidden_dim=hidden, lyric_encoder=LYRIC_ENCODER)

    def _noise(self, *shape: int) -> torch.Tensor:
        return torch.randn(1, *shape, device=self.device, dtype=self.dtype)

    def _ids(self, count: int, vocabulary: int) -> torch.Tensor:
        return (torch.arange(count, device=self.device) % (vocabulary - 1) + 1)[None]


class Clock:
    """Times calls on a device, and asks for its memory."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device = device
        self.repeats = repeats
        self.on_gpu = device.type == "cuda"

    def measure(self, stage: Stage) -> StageResult:
        resident = peak = None
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            resident = torch.cuda.memory_allocated()
        first = self._milliseconds(stage.call)  # compiles, and chooses algorithms
        if first > _LONG_CALL:
            print(f"({stage.name}: the first call took {first / 1000:.1f} s)", flush=True)
        for _ in range(2):
            self._milliseconds(stage.call)
        samples = [self._milliseconds(stage.call) for _ in range(self.repeats)]
        if self.on_gpu:
            peak = torch.cuda.max_memory_allocated()
        return StageResult(
            name=stage.name,
            milliseconds=statistics.median(samples),
            fastest=min(samples),
            slowest=max(samples),
            runs=len(samples),
            frames=stage.frames,
            peak_bytes=peak,
            resident_bytes=resident,
            flops=stage.flops,
        )

    def matrix_rate(self, size: int, dtype: torch.dtype) -> MatrixRate:
        a, b = (torch.randn(size, size, device=self.device, dtype=dtype) for _ in range(2))
        samples = [self._milliseconds(lambda: a @ b) for _ in range(self.repeats + 2)][2:]
        name = str(dtype).removeprefix("torch.")
        return MatrixRate(size, name, 2 * size**3 / (statistics.median(samples) / 1000))

    def _milliseconds(self, call: Callable[[], Any]) -> float:
        start = time.perf_counter()
        call()
        if self.on_gpu:
            torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)


def measure(
    reference: Reference,
    clock: Clock,
    durations: list[float],
    compiled: list[str],
    path: Path | None,
) -> None:
    """Time the stages and print them: all, or those that `compiled` changes. Write them to `path`
    one by one."""
    import diffusers
    import transformers

    device = torch.cuda.get_device_name() if clock.on_gpu else "CPU"
    versions = software(
        torch=torch.__version__,
        diffusers=diffusers.__version__,
        transformers=transformers.__version__,
    )
    settings = {
        "model": f"random weights, {reference.sizes.name} sizes",
        "dtype": str(reference.dtype).removeprefix("torch."),
        "compiled": " and ".join(compiled) or None,
        "durations": durations,
        "prompt_tokens": reference.sizes.prompt_tokens,
        "lyric_tokens": reference.sizes.lyric_tokens,
    }
    rate = clock.matrix_rate(8192 if clock.on_gpu else 512, reference.dtype)
    made_by = f"ACE-Step's PyTorch modules, {'compiled' if compiled else 'eager'}"
    report = Report(made_by, now(), {"device": device, **versions}, settings, rate)
    print(heading(report), flush=True)
    changed = tuple(chain(*(COMPILED[part] for part in compiled)))
    for stage in reference.stages(durations):
        if compiled and not stage.name.startswith(changed):
            continue
        result = clock.measure(stage)
        report = replace(report, stages=(*report.stages, result))
        print(row(report, result), flush=True)
        if path is not None:
            path.write_text(report.to_json(), encoding="utf-8")
    print("", *remarks(report), "", sep="\n", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="checkout of ACE-Step")
    parser.add_argument("--duration", type=float, action="append", help="default 60 and 240")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float32"), help="default bfloat16 on a GPU, else float32"
    )
    parser.add_argument("--small", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--json", type=Path, help="where results without torch.compile go")
    parser.add_argument(
        "--compile-json", type=Path, help="where results with torch.compile go, of what it changes"
    )
    parser.add_argument(
        "--compile", choices=COMPILED, action="append", help="what of it (default transformer)"
    )
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    usual = "bfloat16" if device.type == "cuda" else "float32"
    dtype = getattr(torch, args.dtype or usual)
    reference = Reference(args.source, args.small, device, dtype)
    durations = args.duration or list(reference.sizes.durations)
    clock = Clock(device, args.repeats)
    if args.json is not None or args.compile_json is None:
        measure(reference, clock, durations, [], args.json)
    if args.compile_json is not None:
        parts = args.compile or ["transformer"]
        reference.compile(parts)
        measure(reference, clock, durations, parts, args.compile_json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
