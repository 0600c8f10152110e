"""One run from a validated request to outputs: encode, sample, decode."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from mlx_music.ace_step import accelerated, tasks
from mlx_music.ace_step.autoencoder import MusicAutoencoder
from mlx_music.ace_step.components import Components
from mlx_music.ace_step.conditioning import (
    LyricIds,
    PromptStates,
    edit_conditions,
    encode_prompt,
    text_to_music_conditions,
)
from mlx_music.ace_step.dcae import SAMPLE_RATE, SAMPLES_PER_LATENT, frames_of
from mlx_music.ace_step.memory import Workload
from mlx_music.ace_step.notes import notes_before
from mlx_music.ace_step.preview import Preview
from mlx_music.ace_step.prompt_tokenizer import MAX_PROMPT_TOKENS
from mlx_music.ace_step.sources import FADE_FRAMES, LoadedSource, keep_original, samples_of
from mlx_music.ace_step.transformer_inputs import Condition
from mlx_music.errors import AudioError, GenerationError, InvalidRequest
from mlx_music.progress import Progress
from mlx_music.request import GenerationRequest
from mlx_music.sampling.noise import Noise

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Takes:
    """What a run made: latents (takes, 16, frames, 8) and one waveform (2, samples) per take."""

    latents: mx.array
    audio: list[FloatArray]
    notes: tuple[str, ...]


@dataclass
class Running:
    """The state that the stages of one run share.

    request: what the model heeds of it (see `AboutModel.understood`).
    """

    components: Components
    request: GenerationRequest
    progress: Progress
    timings: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.timings[stage] = self.timings.get(stage, 0.0) + time.perf_counter() - start

    def make(
        self,
        lyrics: Mapping[str, list[int]],
        source: LoadedSource | None,
        noise: Noise,
        takes: int,
        speaker: mx.array,
    ) -> Takes:
        """Run all stages. lyrics: token ids of the request's `lyrics` and `source_lyrics`."""
        about = self.components.about
        defaults, _ = about.understood(about.defaults)
        self.notes.extend(notes_before(self.request, defaults, source))
        if source is not None:
            source = self._prepared(source)
        work = self._workload(takes, [len(ids) for ids in lyrics.values()], source)
        if (note := self.components.plan_run(work)) is not None:
            self.notes.append(note)
        with self.components.running():
            return self._stages(lyrics, source, noise, work, speaker)

    def _stages(
        self,
        lyrics: Mapping[str, list[int]],
        source: LoadedSource | None,
        noise: Noise,
        work: Workload,
        speaker: mx.array,
    ) -> Takes:
        check = self.progress.check
        with self.timed("encode"):
            self.progress.start("encode", 1)
            conditions = self._conditions(lyrics["lyrics"], self.request.prompt, speaker)
            before = {}
            if self.request.task == "edit":
                before = self._conditions(
                    lyrics["source_lyrics"], self.request.source_prompt, speaker
                )
            mx.eval([c.states for c in (*conditions.values(), *before.values())])
            self.progress.step(1)
        self.components.finished_encoding()
        work = replace(work, tokens=_tokens(conditions) + _tokens(before))
        watched, preview = self.progress.on_picture is not None, None
        with (
            self.timed("sample"),
            self.components.sampling(work, check, pictures=watched) as transformer,
        ):
            if watched:
                preview = Preview(self.components.resident_codec, self.progress)
            run = tasks.Run(
                transformer,
                conditions,
                self.request,
                noise,
                work.takes,
                self.progress,
                self._max_frames,
                preview,
            )
            latents = self._sample(run, source, before)
            # What sampling kept is of no use to decoding, which needs the room.
            del run, conditions, before, transformer
        self.components.finished_sampling()
        with self.timed("decode"), self.components.decoding(work, check) as autoencoder:
            audio = [
                self._decode(autoencoder, latents[i : i + 1], source, preview if i == 0 else None)
                for i in range(work.takes)
            ]
            self.notes.extend(autoencoder.notes)
        if (note := accelerated.refusals()) is not None:
            self.notes.append(note)
        return Takes(latents, audio, tuple(self.notes))

    def _prepared(self, source: LoadedSource) -> LoadedSource:
        """`source` as the task works on it, checked and with its notes taken."""
        self.notes.extend(source.notes)
        if self.request.task == "extend" and frames_of(self.request.extend_right) > 0:
            source = source.whole_frames()
        if self.request.task == "text2music" and self.request.reference_loop:
            source = source.fitted(self.request.duration)
        self._check_source(source)
        return source

    def _workload(self, takes: int, lyrics: list[int], source: LoadedSource | None) -> Workload:
        """What the run does at once at most; lyrics: the lengths of each in tokens."""
        request, guidance = self.request, tasks.guidance_of(self.request)
        frames = frames_of(request.duration)
        if source is not None:
            added = frames_of(request.extend_left) + frames_of(request.extend_right)
            frames = min(source.latents.shape[2] + added, self._max_frames)
        return Workload(
            frames,
            takes,
            1 + guidance.enabled + (guidance.enabled and guidance.double),
            tokens=sum(1 + MAX_PROMPT_TOKENS + max(length, 1) for length in lyrics),
        )

    def _conditions(
        self, lyric_ids: list[int], prompt: str, speaker: mx.array
    ) -> dict[str, Condition]:
        request, transformer = self.request, self.components.transformer
        states, lyrics = self._read(prompt), LyricIds.of(lyric_ids)
        guidance = tasks.guidance_of(request)
        if request.task == "edit":
            return edit_conditions(transformer, states, lyrics, speaker, guided=guidance.enabled)
        return text_to_music_conditions(
            transformer,
            states,
            lyrics,
            speaker,
            weaken_lyrics=request.use_erg_lyric,
            weaken_transformer=request.use_erg_diffusion,
            guided=guidance.enabled,
            double=guidance.double,
        )

    def _read(self, prompt: str) -> PromptStates:
        tokenizer = self.components.prompt_tokenizer
        length = tokenizer.length(prompt)
        if length > MAX_PROMPT_TOKENS:
            self.notes.append(
                f"the prompt is {length} tokens long; the model hears the first {MAX_PROMPT_TOKENS}"
            )
        weaken = tasks.guidance_of(self.request).enabled and self.request.use_erg_tag
        return encode_prompt(prompt, tokenizer, self.components.text_encoder, weaken=weaken)

    def _sample(
        self, run: tasks.Run, source: LoadedSource | None, before: Mapping[str, Condition]
    ) -> mx.array:
        task = self.request.task
        if source is None:
            return tasks.retake(run) if task == "retake" else tasks.text_to_music(run)
        if task == "repaint":
            return tasks.repaint(run, source.latents, _repainted_frames(self.request, source))
        if task == "extend":
            return tasks.extend(run, source.latents)
        if task == "edit":
            return tasks.edit(run, source.latents, before)
        return tasks.audio_to_audio(run, source.latents)

    def _check_source(self, source: LoadedSource) -> None:
        """What can only be checked once the source's length is known."""
        request, frames = self.request, source.latents.shape[2]
        longest = self.components.about.max_duration
        if request.task == "repaint":
            # Lengths are read off displays: as much as a latent frame beyond the end is the end.
            end = source.duration + SAMPLES_PER_LATENT / SAMPLE_RATE
            for name in ("repaint_start", "repaint_end"):
                seconds = getattr(request, name)
                if seconds > end or (name == "repaint_start" and seconds >= source.duration):
                    raise InvalidRequest(
                        name,
                        f"{seconds:g} seconds is outside of the source, "
                        f"which lasts {source.duration:.2f} seconds",
                    )
            window = _repainted_frames(request, source)
            if not window:
                raise InvalidRequest(
                    "repaint_end", "is so near to the start that it holds no latent frame (0.09 s)"
                )
            if len(window) > self._max_frames:
                raise InvalidRequest("repaint_end", f"is over {longest:g} seconds after the start")
        elif request.task == "extend":
            if frames_of(request.extend_left) + frames_of(request.extend_right) == 0:
                raise InvalidRequest(
                    "extend_right", "adds less than a latent frame, which is 0.093 seconds"
                )
        elif frames > self._max_frames:
            does, way_out = "edits", "repaint or extend it, which work on longer ones"
            if request.task == "text2music":
                does, way_out = "starts from", "loop it to a duration (reference_loop)"
            raise AudioError(
                f"{source.name}: lasts {source.duration:.1f} seconds, and this model {does} up to "
                f"{longest:g} seconds; cut the file, or {way_out}"
            )

    @property
    def _max_frames(self) -> int:
        """Latent frames that the model attends to at once: a last one need not be full."""
        return math.ceil(self.components.about.max_duration * SAMPLE_RATE / SAMPLES_PER_LATENT)

    def _decode(
        self,
        autoencoder: MusicAutoencoder,
        latents: mx.array,
        source: LoadedSource | None,
        preview: Preview | None,
    ) -> FloatArray:
        request = self.request
        watched = {} if preview is None else {"on_mel": preview.decoded}
        wave = autoencoder.decode(latents, request.sample_rate, self.progress, **watched)
        if not np.isfinite(wave).all():
            raise GenerationError(
                "the audio is not finite after decoding; try a lower guidance_scale or "
                'dtype="float32"'
            )
        return wave if source is None else self._with_original(wave, source)

    def _with_original(self, wave: FloatArray, source: LoadedSource) -> FloatArray:
        """`wave` as long as its source, with the source's sound where that was kept."""
        request, rate = self.request, self.request.sample_rate
        fade = samples_of(FADE_FRAMES, rate)
        if request.task == "extend":
            left = frames_of(request.extend_left)
            offset = samples_of(left, rate)
            if frames_of(request.extend_right) == 0:
                # The source's end is the song's end, and needs no fade.
                wave = wave[:, : offset + source.audio.shape[1]]
                end = wave.shape[1]
            else:
                end = samples_of(left + source.latents.shape[2], rate)
            return keep_original(wave, source.audio, offset, [range(offset, end)], fade)
        # The last latent frame is seldom full.
        wave = wave[:, : source.audio.shape[1]]
        if request.task != "repaint":
            return wave
        window = _repainted_frames(request, source)
        start, stop = samples_of(window.start, rate), samples_of(window.stop, rate)
        kept = [range(start), range(stop, wave.shape[1])]
        return keep_original(wave, source.audio, 0, kept, fade)


def _tokens(conditions: Mapping[str, Condition]) -> int:
    """Length of conditions, which is the same for all passes; 0 for none."""
    return max((condition.states.shape[1] for condition in conditions.values()), default=0)


def _repainted_frames(request: GenerationRequest, source: LoadedSource) -> range:
    """The latent frames that a repaint redoes.

    A window up to the end of the sound takes the last frame along, which is seldom full.
    """
    frames = source.latents.shape[2]
    stop = min(frames_of(request.repaint_end), frames)
    if request.repaint_end > source.duration - 1e-3:
        stop = frames
    return range(frames_of(request.repaint_start), stop)
