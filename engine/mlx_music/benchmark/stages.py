"""The stages of a song, as the pipeline calls them: the one file that knows how.

Each stage is a call that can be repeated; what it works on is made before and not measured.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import mlx.core as mx

from mlx_music.ace_step import dcae
from mlx_music.ace_step.autoencoder import MusicAutoencoder, piece_sizes
from mlx_music.ace_step.conditioning import (
    ConditionedModel,
    LyricIds,
    encode_prompt,
    text_to_music_conditions,
)
from mlx_music.ace_step.memory import Workload
from mlx_music.ace_step.pipeline import ACEStep
from mlx_music.ace_step.speaker import load_speaker
from mlx_music.ace_step.tasks import LATENT_CHANNELS, LATENT_HEIGHT, guidance_of
from mlx_music.ace_step.transformer_inputs import Condition
from mlx_music.benchmark import flops
from mlx_music.benchmark.sizes import SIZES, Options
from mlx_music.progress import Progress
from mlx_music.request import GenerationRequest
from mlx_music.sampling.loop import CONDITIONAL, UNCONDITIONAL

PROMPT = (
    "funk, slap bass, clavinet, horn section, tight drums, wah guitar, electric piano, groove, "
    "energetic, male vocal, bright, 112 bpm"
)
_LYRICS = "as many tokens as the sizes say"

#: No two calls in a row have the same, or a compiled step that is traced anew would not show.
_TIMESTEPS = (900.0, 600.0, 300.0)


@dataclass(frozen=True)
class Stage:
    """A call that is timed; what it returns is evaluated by whoever times it.

    parts: milliseconds of what it consists of, one more with each call.
    """

    name: str
    call: Callable[[], Any]
    flops: int
    frames: int | None = None
    parts: Mapping[str, list[float]] = field(default_factory=dict)


def song_requests(model: ACEStep, options: Options) -> list[GenerationRequest]:
    """The songs to measure with, which differ in their duration. Raises `InvalidRequest`."""
    sizes, about = SIZES[options.sizes], model.about
    durations = options.durations or tuple(d for d in sizes.durations if d <= about.max_duration)
    requests = [
        about.request(
            prompt=PROMPT,
            lyrics=_LYRICS,
            seed=1,
            duration=duration,
            num_inference_steps=options.steps or sizes.steps,
        )
        for duration in durations or (about.max_duration,)
    ]
    for request in requests:
        request.validate()
        about.check(request, has_start=False)
    return requests


class Stages:
    """The stages of `requests`, songs of several durations, by `model`.

    What is made for a group of stages is let go with it.
    """

    def __init__(
        self, model: ACEStep, requests: list[GenerationRequest], progress: Progress
    ) -> None:
        self._model = model
        self._components = model.components
        self._requests = requests
        self._progress = progress
        #: What the model heeds of any of them.
        self._heard, _ = model.about.understood(requests[0])
        self.prompt_tokens = self._components.prompt_tokenizer.length(PROMPT)
        lines = model.read_lyrics(self._heard.lyrics) if self._heard.lyrics else []
        self._lyric_ids = [number for line in lines for number in line.ids]
        self.lyric_tokens = len(self._lyric_ids)

    def of(self, group: str) -> Iterator[Stage]:
        """The stages of a group of `sizes.GROUPS`, but for "startup", which is no call."""
        return {
            "text": self._text,
            "condition": self._condition,
            "transformer": self._transformer,
            "decode": self._decode,
            "song": self._song,
        }[group]()

    @property
    def _condition_tokens(self) -> int:
        """That are attended to, with the speaker's; a place without lyrics is not."""
        return 1 + self.prompt_tokens + self.lyric_tokens

    def _text(self) -> Iterator[Stage]:
        tokenizer, encoder = self._components.prompt_tokenizer, self._components.text_encoder
        weaken = self._heard.use_erg_tag

        def call() -> list[mx.array]:
            states = encode_prompt(PROMPT, tokenizer, encoder, weaken=weaken)
            return [x for x in (states.hidden, states.weakened) if x is not None]

        passes = 1 + weaken
        yield Stage("text encoder", call, passes * self._text_flops())

    def _condition(self) -> Iterator[Stage]:
        encode = self._encoding()

        def states() -> list[mx.array]:
            return [condition.states for condition in encode().values()]

        yield Stage("condition", states, self._encoding_flops())
        transformer = self._components.transformer
        both = Condition.stack(list(encode().values()))
        mx.eval(both.states)

        def keys_values() -> list[mx.array]:
            prepared = transformer.prepare(both)
            return [*prepared.keys, *prepared.values]

        yield Stage("cross keys, values", keys_values, self._keys_values_flops())

    def _encoding(self) -> Callable[[], dict[str, Condition]]:
        """Encodes the conditions of both passes of a guided step."""
        components, heard = self._components, self._heard
        transformer = components.transformer
        states = encode_prompt(
            PROMPT, components.prompt_tokenizer, components.text_encoder, weaken=heard.use_erg_tag
        )
        mx.eval([x for x in (states.hidden, states.weakened) if x is not None])
        lyrics = LyricIds.of(self._lyric_ids)
        speaker = load_speaker(None, transformer.config.speaker_embedding_dim)
        return lambda: text_to_music_conditions(
            transformer,
            states,
            lyrics,
            speaker,
            weaken_lyrics=heard.use_erg_lyric,
            weaken_transformer=heard.use_erg_diffusion,
            guided=True,
            double=False,
        )

    def _work(self, request: GenerationRequest) -> Workload:
        """What a guided song is planned with, which bounds the memory that it works in."""
        frames = dcae.frames_of(request.duration)
        return Workload(frames, passes=2, tokens=2 * self._condition_tokens)

    def _transformer(self) -> Iterator[Stage]:
        components, check = self._components, self._progress.check
        conditions = self._encoding()()
        mx.eval([condition.states for condition in conditions.values()])
        for request in self._requests:
            frames, work = dcae.frames_of(request.duration), self._work(request)
            with components.running(), components.sampling(work, check, pictures=False):
                for name, passes in (
                    ("transformer", (CONDITIONAL,)),
                    ("guided pair", (CONDITIONAL, UNCONDITIONAL)),
                ):
                    call = self._call(conditions, frames, passes)
                    count = len(passes) * self._call_flops(frames)
                    yield Stage(f"{name} {request.duration:g} s", call, count, frames)

    def _call(
        self, conditions: dict[str, Condition], frames: int, passes: tuple[str, ...]
    ) -> Callable[[], list[mx.array]]:
        """A call of the transformer as the sampler makes them: keys and values stay for a run."""
        predict = ConditionedModel(self._components.transformer, conditions, _TIMESTEPS)
        latents, timesteps = _noise(frames), cycle(_TIMESTEPS)
        return lambda: predict(latents, next(timesteps), passes)

    def _decode(self) -> Iterator[Stage]:
        components, check = self._components, self._progress.check
        for request in self._requests:
            work = self._work(request)
            with components.running(), components.decoding(work, check) as autoencoder:
                yield from self._decode_one(autoencoder, request.duration, request.sample_rate)

    def _decode_one(
        self, autoencoder: MusicAutoencoder, duration: float, rate: int
    ) -> Iterator[Stage]:
        codec, vocoder = autoencoder.codec, autoencoder.vocoder
        frames = dcae.frames_of(duration)
        latents, (tile, chunk) = _noise(frames), piece_sizes()
        unscaled = dcae.unscale_latents(latents)
        # About as loud as music is.
        bins = vocoder.config.input_channels
        mel = mx.random.normal((2, frames * codec.decoder.factor, bins)) - 5.0
        mx.eval(unscaled, mel)
        own, voices = self._decoding_flops(frames)
        yield Stage(f"dcae {duration:g} s", lambda: codec.decode(unscaled, tile), own, frames)
        yield Stage(
            f"vocoder {duration:g} s", lambda: vocoder.decode_chunked(mel, chunk), voices, frames
        )
        # With what lies between and around the two.
        yield Stage(
            f"decode {duration:g} s",
            lambda: autoencoder.decode(latents, rate),
            own + voices,
            frames,
        )

    def _song(self) -> Iterator[Stage]:
        for request in self._requests:
            with tempfile.TemporaryDirectory() as folder:
                yield self._song_one(request, Path(folder) / "song.wav")

    def _song_one(self, request: GenerationRequest, path: Path) -> Stage:
        parts: dict[str, list[float]] = defaultdict(list)

        def call() -> None:
            output = self._model.generate(request, progress=self._progress)
            start = time.perf_counter()
            output.save(path, overwrite=True)
            seconds = {**output.timings, "write": time.perf_counter() - start}
            for name, value in seconds.items():
                parts[name].append(1000 * value)

        frames = dcae.frames_of(request.duration)
        name, count = f"song {request.duration:g} s", self._song_flops(frames)
        return Stage(name, call, count, frames, parts)

    def _text_flops(self) -> int:
        return flops.text_encoder(self._components.text_encoder.config, self.prompt_tokens)

    def _encoding_flops(self) -> int:
        # Without lyrics there is a place for them all the same.
        config, lyrics = self._components.transformer.config, max(self.lyric_tokens, 1)
        return 2 * flops.condition(config, self.prompt_tokens, lyrics)

    def _keys_values_flops(self) -> int:
        config = self._components.transformer.config
        return 2 * flops.cross_keys_values(config, self._condition_tokens)

    def _call_flops(self, frames: int) -> int:
        config = self._components.transformer.config
        return flops.transformer_call(config, frames, self._condition_tokens)

    def _decoding_flops(self, frames: int) -> tuple[int, int]:
        autoencoder = self._components.autoencoder
        codec, vocoder = autoencoder.codec, autoencoder.vocoder
        mel_frames = frames * codec.decoder.factor
        return (
            flops.dcae_decode(codec.config, frames, LATENT_HEIGHT),
            flops.vocoder_decode(vocoder.config, mel_frames),
        )

    def _song_flops(self, frames: int) -> int:
        steps = self._heard.num_inference_steps
        calls = steps + len(guidance_of(self._heard).guided_steps(steps))
        words = (1 + self._heard.use_erg_tag) * self._text_flops()
        words += self._encoding_flops() + self._keys_values_flops()
        return words + calls * self._call_flops(frames) + sum(self._decoding_flops(frames))


def _noise(frames: int) -> mx.array:
    latents = mx.random.normal((1, LATENT_HEIGHT, frames, LATENT_CHANNELS), key=mx.random.key(1))
    mx.eval(latents)
    return latents
