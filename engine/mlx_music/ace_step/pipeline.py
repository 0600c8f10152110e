"""ACEStep: the pipeline that turns a request into music."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mlx_music import backend
from mlx_music.ace_step import arguments
from mlx_music.ace_step.about import AboutModel
from mlx_music.ace_step.components import Components
from mlx_music.ace_step.finding import find_model, is_built_in
from mlx_music.ace_step.lyrics import LyricLine, LyricTokenizer, ids_of
from mlx_music.ace_step.published import MODEL_ID, TRANSFORMER
from mlx_music.ace_step.quantize import folders_of
from mlx_music.ace_step.running import Running
from mlx_music.ace_step.sources import Source, as_long_as, load_source, own_request, worked_on
from mlx_music.ace_step.speaker import SpeakerEmbedding, load_speaker
from mlx_music.ace_step.transformer import TransformerConfig
from mlx_music.ace_step.vocabulary import find_vocabulary
from mlx_music.errors import InvalidRequest, MLXMusicError
from mlx_music.output import MusicOutput
from mlx_music.progress import ByteProgress, Progress
from mlx_music.request import EDIT_PRESETS, MAX_LYRIC_TOKENS, GenerationRequest
from mlx_music.sampling.noise import Noise, SeededNoise
from mlx_music.weights.loading import read_config
from mlx_music.weights.lora import ActiveAdapter
from mlx_music.weights.quantization import QuantizationConfig, QuantizationReport


class LyricReader(Protocol):
    """What reads lyrics: a `LyricTokenizer`, or another with its method."""

    def encode_lines(self, lyrics: str, language: str | None = None) -> list[LyricLine]: ...


class ACEStep:
    """ACE-Step v1 with its weights. Make one with `from_pretrained`.

    A model works on the thread that made it, because MLX's arrays belong to that thread's
    stream. What it returns is NumPy and belongs to no thread.

    Methods that make music raise `InvalidRequest` naming the field, `AudioError` for a source
    and `CheckpointError` for an adapter or embedding that cannot be used, `LyricsError`,
    `Cancelled`, and `GenerationError` if the numbers come out of hand. The model stays usable
    after each.
    """

    def __init__(
        self,
        components: Components,
        name: str,
        *,
        lyric_reader: LyricReader | None = None,
        download: bool = True,
    ) -> None:
        self.components = components
        self.name = name
        self._download = download
        self._lyric_reader = lyric_reader
        self._thread = threading.get_ident()
        self._lyric_lock = threading.Lock()
        #: What `load_lora` had put on the model when an output was made; see `_own_request`.
        self._live_loras: set[tuple[str, ...]] = set()

    @classmethod
    def from_pretrained(
        cls,
        path_or_id: str | os.PathLike[str] = MODEL_ID,
        *,
        revision: str | None = None,
        dtype: str | None = None,
        download: bool = True,
        memory_limit: float | None = None,
        progress: Progress | None = None,
    ) -> ACEStep:
        """Open a model: a local folder in the published layout, a hub id, or "sketch", the small
        one that is built in.

        A hub id is looked for in the local cache and else downloaded, unless `download` is
        false or the hub is in offline mode. dtype: "bfloat16", "float16" or "float32" for the
        transformer; by default bfloat16 on a GPU and float32 on a CPU. The prompt is always
        read and sound always decoded in float32. memory_limit: GB (10^9 bytes) that a run is
        planned for; to fit, networks that are done are let go and read again for the next run.
        It changes nothing that is heard.

        All names and shapes are checked here; values are read when they are first used. Raises
        `CheckpointError` for anything missing, damaged or of another model.
        """
        # Before a long download, and not after it.
        arguments.check_path_or_id(path_or_id, "model")
        limit = None if memory_limit is None else arguments.limit_in_bytes(memory_limit)
        compute_dtype = backend.dtype_of(dtype)
        model = path_or_id if isinstance(path_or_id, str) else Path(path_or_id)
        folder = find_model(
            model,
            revision=revision,
            download=download,
            progress=None if progress is None else ByteProgress(progress, "download"),
        )
        components = Components(folder, compute_dtype, memory_limit=limit)
        components.open_all(None if progress is None else progress.check)
        is_local = not is_built_in(model) and os.path.isdir(os.path.expanduser(model))
        name = folder.resolve().name if is_local else str(model)
        return cls(components, name, download=download)

    @property
    def about(self) -> AboutModel:
        """What the model is called and can do, and the defaults of its requests."""
        return self.components.about

    def generate(
        self,
        request: GenerationRequest | None = None,
        /,
        *,
        source: Source | None = None,
        reference: Source | None = None,
        speaker_embedding: SpeakerEmbedding | None = None,
        progress: Progress | None = None,
        noise: Noise | None = None,
        **fields: Any,
    ) -> MusicOutput:
        """Make one piece of music.

        Give a request, or the fields of one (`prompt=`, `lyrics=`, `duration=`, ...), which then
        starts from the model's defaults (`about.defaults`), or a request and the fields to change
        in it. What the request's `source` or `reference` names
        is read, unless it is handed in: a file, (samples, sample rate) or an earlier output,
        whose latents are used without a detour through sound. speaker_embedding: 512 numbers,
        or a file of them, for a checkpoint that was trained with such. noise: for tests and
        experiments, drawn from instead of the seeds (see `sampling.noise.Noise`).

        Adapters that the request names (`lora`) are used for this run and instead of those that
        `load_lora` put on the model.
        """
        arguments.check_one_take(fields)
        outputs = self.generate_batch(
            request,
            takes=1,
            source=source,
            reference=reference,
            speaker_embedding=speaker_embedding,
            progress=progress,
            noise=noise,
            **fields,
        )
        return outputs[0]

    def generate_batch(
        self,
        request: GenerationRequest | None = None,
        /,
        *,
        takes: int | Sequence[int],
        source: Source | None = None,
        reference: Source | None = None,
        speaker_embedding: SpeakerEmbedding | None = None,
        progress: Progress | None = None,
        noise: Noise | None = None,
        **fields: Any,
    ) -> list[MusicOutput]:
        """Make several takes of one request at once.

        takes: how many, with seeds that count up from the request's (for a retake, its retake
        seeds), or the seeds themselves. Each take is what `generate` makes with its seeds alone,
        within rounding: sums come in another order in a batch.
        """
        self._check_thread()
        arguments.check_takes(takes)
        files = {
            "source": source,
            "reference": reference,
            "speaker_embedding": speaker_embedding,
        }
        request = arguments.whole_request(request, self.about.defaults, fields, files)
        each = request.takes(takes)
        start = worked_on(request, source, reference)
        self.about.check(request, has_start=start is not None)
        heard, notes = self.about.understood(request)
        progress = progress or Progress()
        running = Running(self.components, heard, progress, notes=list(notes))
        lyrics = {
            name: self._lyric_ids(getattr(heard, name), name, request.language, running.notes)
            for name in ("lyrics", "source_lyrics")
        }
        loaded = None
        if start is not None:
            progress.start("source", 1)
            with running.timed("source"):
                name = "reference" if request.task == "text2music" else "source"
                autoencoder = self.components.autoencoder
                loaded = load_source(start, autoencoder, request.sample_rate, name)
            progress.step(1)
        size = self.components.transformer.config.speaker_embedding_dim
        given = request.speaker_embedding if speaker_embedding is None else speaker_embedding
        speaker = load_speaker(given, size)
        draws = noise or SeededNoise(
            [take.seed or 0 for take in each], [take.retake_seed or 0 for take in each]
        )
        downloads = ByteProgress(progress, "download")
        with self.components.adapted(
            request.lora, download=self._download, progress=downloads
        ) as adapters:
            running.notes.extend(note for adapter in adapters for note in adapter.notes)
            made = running.make(lyrics, loaded, draws, len(each), speaker)
        used = request.lora
        if not used and adapters:
            used = arguments.adapter_entries([(lora.path, lora.weight) for lora in adapters])
            self._live_loras.add(used)
        latents = np.array(made.latents.transpose(0, 3, 1, 2))
        return [
            MusicOutput(
                audio=audio,
                sample_rate=request.sample_rate,
                latents=row,
                request=as_long_as(loaded, take if noise is None else request).replace(lora=used),
                model=self.name,
                timings=dict(running.timings),
                notes=made.notes,
            )
            for audio, row, take in zip(made.audio, latents, each, strict=True)
        ]

    def retake(
        self, of: MusicOutput | GenerationRequest, *, variance: float = 0.5, **fields: Any
    ) -> MusicOutput:
        """Another take of music made before: from its seed's noise, turned by `variance`
        (0: the same, 1: unrelated) towards that of `retake_seed=`.

        of: an output, or the request that makes it. Other keywords are those of `generate`.
        """
        if not isinstance(of, MusicOutput | GenerationRequest):
            raise InvalidRequest("of", "give an output or the request that makes it")
        request = self._without_live_loras(of.request) if isinstance(of, MusicOutput) else of
        if request.task not in ("text2music", "retake") or request.reference is not None:
            raise InvalidRequest("task", "only music made from noise alone can be retaken")
        changes = {"task": "retake", "retake_variance": variance, "retake_seed": None, **fields}
        return self.generate(request, **changes)

    def repaint(
        self, source: Source, *, start: float, end: float, variance: float = 0.5, **fields: Any
    ) -> MusicOutput:
        """Redo `source` from `start` to `end` (seconds) and keep the rest.

        Latents outside of the window are the source's, bit for bit; sound outside of it and of
        a short fade is the original's, sample for sample. The words are those of `fields`, or
        else the source's own. Other keywords are those of `generate`.
        """
        return self.generate(
            self._own_request(source),
            source=source,
            **{
                "task": "repaint",
                "repaint_start": start,
                "repaint_end": end,
                "retake_variance": variance,
                **fields,
            },
        )

    def extend(
        self, source: Source, *, left: float = 0.0, right: float = 0.0, **fields: Any
    ) -> MusicOutput:
        """Add `left` seconds before and `right` seconds after `source`, which is kept.

        Songs may grow past what the model attends to (`about.max_duration`): they are extended in
        windows. Words and other keywords as for `repaint`.
        """
        return self.generate(
            self._own_request(source),
            source=source,
            **{
                "task": "extend",
                "extend_left": left,
                "extend_right": right,
                "retake_variance": 1.0,
                **fields,
            },
        )

    def edit(
        self,
        source: Source,
        *,
        prompt: str | None = None,
        lyrics: str | None = None,
        preset: str | None = None,
        **fields: Any,
    ) -> MusicOutput:
        """Change what `source` sounds like (`prompt`) or sings (`lyrics`), keeping its outline.

        What is left out stays the source's own, which is `source_prompt=` and `source_lyrics=`
        or else what the source says of itself. preset: a key of `EDIT_PRESETS` for `edit_n_min=`
        and `edit_n_max=`. Other keywords are those of `generate`.
        """
        own = self._own_request(source)
        changes: dict[str, Any] = {
            "task": "edit",
            "source_prompt": own.prompt,
            "source_lyrics": own.lyrics,
        }
        if preset is not None:
            if preset not in EDIT_PRESETS:
                raise InvalidRequest(
                    "preset", f'"{preset}" is not one of {", ".join(EDIT_PRESETS)}'
                )
            changes["edit_n_min"], changes["edit_n_max"] = EDIT_PRESETS[preset]
        changes.update(fields)
        changes["prompt"] = changes["source_prompt"] if prompt is None else prompt
        changes["lyrics"] = changes["source_lyrics"] if lyrics is None else lyrics
        return self.generate(own, source=source, **changes)

    @property
    def loras(self) -> list[ActiveAdapter]:
        """The adapters in use: name, weight, path, and notes on what of a file is not applied."""
        return self.components.adapters.active

    def load_lora(
        self,
        path_or_id: str | os.PathLike[str],
        *,
        weight: float = 1.0,
        name: str | None = None,
        revision: str | None = None,
        download: bool | None = None,
        progress: Progress | None = None,
    ) -> ActiveAdapter:
        """Apply a LoRA adapter, beside those in use: a file, a folder, or a hub id.

        weight: -3 to 3. name: for `set_lora_weight` and `unload_lora`; by default that of the
        file, folder or repository. download: by default, whether the model itself was allowed to
        be downloaded. Raises `CheckpointError` for what is no adapter of this model
        and `InvalidRequest`, and leaves the model as it was.
        """
        self._check_thread()
        arguments.check_path_or_id(path_or_id, "adapter")
        weight = arguments.checked_weight(weight)
        _ = self.components.transformer  # opened again if it was let go
        return self.components.adapters.add(
            arguments.local_adapter(os.fspath(path_or_id)),
            name=name,
            weight=weight,
            revision=revision,
            download=self._download if download is None else download,
            progress=None if progress is None else ByteProgress(progress, "download"),
        )

    def set_lora_weight(self, name: str, weight: float) -> None:
        """Change the weight of an adapter, -3 to 3."""
        self._check_thread()
        self.components.adapters.set_weight(name, arguments.checked_weight(weight))

    def unload_lora(self, name: str) -> None:
        """Take an adapter off; without any the model is what it was, bit for bit."""
        self._check_thread()
        self.components.adapters.remove(name)

    def quantize(
        self, config: QuantizationConfig, parts: Sequence[str] | None = None
    ) -> QuantizationReport:
        """Quantize in memory, as `mlx_music.weights.quantize_model` does: the transformer, or
        the `parts` of `ace_step.quantize.PARTS`."""
        self._check_thread()
        return self.components.quantize(config, folders_of(parts))

    def read_lyrics(self, lyrics: str, language: str | None = None) -> list[LyricLine]:
        """Each line of `lyrics` with its language and token ids.

        None for a model that does not sing. May be called from any thread. Raises `LyricsError`
        if there is no vocabulary, `InvalidRequest` for an unknown language.
        """
        if not self.about.sings:
            return []
        with self._lyric_lock:
            if self._lyric_reader is None:
                # From the config and not from the network, which belongs to the model's thread.
                values = read_config(self.components.folder / TRANSFORMER)
                size = TransformerConfig.from_dict(values).lyric_encoder_vocab_size
                path = find_vocabulary(download=self._download)
                self._lyric_reader = LyricTokenizer(path, size)
        return self._lyric_reader.encode_lines(lyrics, language)

    def _lyric_ids(
        self, lyrics: str, field: str, language: str | None, notes: list[str]
    ) -> list[int]:
        if not lyrics.strip():
            return []
        lines = self.read_lyrics(lyrics, language)
        notes.extend(
            f'this line of the {field} cannot be read and was left out: "{line.text}"'
            for line in lines
            if line.skipped
        )
        ids = ids_of(lines)
        if len(ids) > MAX_LYRIC_TOKENS:
            raise InvalidRequest(
                field, f"are {len(ids)} tokens long; the model hears {MAX_LYRIC_TOKENS}"
            )
        return ids

    def _own_request(self, source: Source) -> GenerationRequest:
        """The words and settings that a source says it was made with, or else the model's."""
        own = own_request(source, self.about.defaults)
        return self._without_live_loras(own) if isinstance(source, MusicOutput) else own

    def _without_live_loras(self, request: GenerationRequest) -> GenerationRequest:
        # An output names the adapters that were on the model. Work on it takes those that are on
        # it now, or `set_lora_weight` and `unload_lora` would seem to do nothing.
        return request.replace(lora=()) if request.lora in self._live_loras else request

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise MLXMusicError(
                "this model was opened on another thread; open and use a model on one thread"
            )
