"""The networks of one ACE-Step v1 checkpoint: opened when needed, let go when memory is short."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_music.ace_step import dcae, text_encoder, transformer, vocoder
from mlx_music.ace_step.about import read_about
from mlx_music.ace_step.autoencoder import MusicAutoencoder
from mlx_music.ace_step.memory import (
    GIGABYTE,
    Residency,
    Workload,
    bounded,
    default_limit,
    plan_residency,
    wired,
)
from mlx_music.ace_step.prompt_tokenizer import PromptTokenizer
from mlx_music.ace_step.published import (
    DCAE_FOLDER,
    FOLDERS,
    TEXT_ENCODER,
    TRANSFORMER,
    VOCODER,
)
from mlx_music.ace_step.text_encoder import TextEncoder, TextEncoderConfig
from mlx_music.ace_step.transformer import Transformer
from mlx_music.request import parse_lora
from mlx_music.weights.loading import (
    evaluate_parameters,
    load_component,
    read_config,
    use_every_tensor,
)
from mlx_music.weights.lora import ActiveAdapter, AdapterSet
from mlx_music.weights.misfit import Sanitize
from mlx_music.weights.quantization import (
    QuantizationConfig,
    QuantizationReport,
    quantize_networks,
    quantized_as_stored,
)


@dataclass(frozen=True)
class Network:
    """How the module of a component is made, and its published tensors read.

    on_disk: paths of embeddings whose tables stay in the file.
    """

    build: Callable[[Mapping[str, Any]], nn.Module]
    sanitize: Sanitize
    unused: Callable[[str], bool] = use_every_tensor
    on_disk: tuple[str, ...] = ()


NETWORKS: Mapping[str, Network] = {
    TRANSFORMER: Network(
        lambda config: Transformer(transformer.TransformerConfig.from_dict(config)),
        transformer.sanitize,
        transformer.is_unused,
    ),
    TEXT_ENCODER: Network(
        lambda config: TextEncoder(TextEncoderConfig.from_dict(config)),
        text_encoder.sanitize,
        on_disk=(text_encoder.TABLE,),
    ),
    DCAE_FOLDER: Network(
        lambda config: dcae.DCAE(dcae.DCAEConfig.from_dict(config)), dcae.sanitize
    ),
    VOCODER: Network(
        lambda config: vocoder.Vocoder(vocoder.VocoderConfig.from_dict(config)), vocoder.sanitize
    ),
}


class Components:
    """Opens, keeps and lets go of the networks in `folder`.

    dtype is that of the transformer. The others stay in float32: the text encoder's attention
    is not scaled down, so bfloat16 moves its states far (10 % on synthetic weights), and it runs
    once per song; in sound, bfloat16 steps would be heard. memory_limit is in bytes; None is
    what suits the machine (see `memory`). Opening checks every name and shape but reads no
    values: MLX reads them when they are first used.
    """

    def __init__(self, folder: Path, dtype: mx.Dtype, *, memory_limit: int | None = None) -> None:
        self.folder = folder
        #: What the checkpoint says of itself.
        self.about = read_about(folder)
        self.dtype = dtype
        self.memory_limit = default_limit() if memory_limit is None else memory_limit
        self._open: dict[str, nn.Module] = {}
        #: Whose weights a run has read, as far as it needs them.
        self._evaluated: set[str] = set()
        self._prompt_tokenizer: PromptTokenizer | None = None
        self._nbytes: dict[str, int] | None = None
        self._plan: Residency | None = None
        self._request_adapters: tuple[object, AdapterSet] | None = None
        self._quantization: dict[str, QuantizationConfig] = {}
        #: Adapters of the transformer; they outlast its being let go.
        self.adapters = AdapterSet(sanitize=transformer.sanitize, unused=transformer.is_unused)

    def open_all(self, check: Callable[[], None] | None = None) -> None:
        """Open every network, so that a damaged checkpoint is found before any work is done.

        `check` is called before each, and may raise.
        """
        for name in FOLDERS:
            if check is not None:
                check()
            self._network(name)
        _ = self.prompt_tokenizer

    @property
    def text_encoder(self) -> TextEncoder:
        network = self._network(TEXT_ENCODER)
        assert isinstance(network, TextEncoder)
        return network

    @property
    def prompt_tokenizer(self) -> PromptTokenizer:
        if self._prompt_tokenizer is None:
            config = TextEncoderConfig.from_dict(read_config(self.folder / TEXT_ENCODER))
            path = self.folder / TEXT_ENCODER / "tokenizer.json"
            self._prompt_tokenizer = PromptTokenizer(path, config.pad_token_id)
        return self._prompt_tokenizer

    @property
    def transformer(self) -> Transformer:
        network = self._network(TRANSFORMER)
        assert isinstance(network, Transformer)
        return network

    @property
    def autoencoder(self) -> MusicAutoencoder:
        codec, voice = self._network(DCAE_FOLDER), self._network(VOCODER)
        assert isinstance(codec, dcae.DCAE)
        assert isinstance(voice, vocoder.Vocoder)
        return MusicAutoencoder(codec, voice)

    @property
    def resident_codec(self) -> dcae.DCAE | None:
        """The autoencoder's network, if the plan of the run leaves it in memory while sampling."""
        codec = self._open.get(DCAE_FOLDER)
        assert codec is None or isinstance(codec, dcae.DCAE)
        return codec

    def quantize(self, config: QuantizationConfig, names: Sequence[str]) -> QuantizationReport:
        """Quantize the networks called `names` (folders), now and whenever they are opened."""
        if TRANSFORMER in names:
            self.transformer.unsettle()
        report = quantize_networks({name: self._network(name) for name in names}, config)
        self._quantization.update(dict.fromkeys(names, config))
        self._nbytes = None
        return report

    @contextmanager
    def adapted(
        self,
        entries: Sequence[str],
        *,
        download: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[list[ActiveAdapter]]:
        """The transformer with the adapters of `entries` ("PATH_OR_ID:WEIGHT") for a while.

        Without entries it keeps those that it has. They are read once for requests that follow
        each other with the same entries, as long as their files do not change.
        """
        if not entries:
            self._request_adapters = None
            yield self.adapters.active
            return
        own = self.adapters
        own.detach()
        try:
            self.adapters = self._adapters_of(tuple(entries), download, progress)
            self.adapters.attach(self.transformer)
            yield self.adapters.active
        finally:
            self.adapters.detach()
            self.adapters = own
            if TRANSFORMER in self._open:
                own.attach(self._open[TRANSFORMER])

    def _adapters_of(
        self,
        entries: tuple[str, ...],
        download: bool,
        progress: Callable[[int, int], None] | None,
    ) -> AdapterSet:
        key = tuple((entry, _stamp(parse_lora(entry)[0])) for entry in entries)
        if self._request_adapters is None or self._request_adapters[0] != key:
            adapters = AdapterSet(
                self.transformer, sanitize=transformer.sanitize, unused=transformer.is_unused
            )
            try:
                for number, entry in enumerate(entries, start=1):
                    path, weight = parse_lora(entry)
                    adapters.add(
                        os.path.expanduser(path),
                        name=str(number),
                        weight=weight,
                        download=download,
                        progress=progress,
                    )
            finally:
                adapters.detach()
            self._request_adapters = (key, adapters)
        return self._request_adapters[1]

    def plan_run(self, work: Workload) -> str | None:
        """Decide what a run lets go of.

        Returns what a person should know if the run needs more than the memory limit.
        """
        if self._nbytes is None:
            self._nbytes = {name: _nbytes(self._network(name)) for name in FOLDERS}
        sizes = self._nbytes
        working = max(
            work.sampling_bytes(self.transformer.config, self.dtype), work.decoding_bytes()
        )
        self._plan = plan_residency(
            sizes[TEXT_ENCODER],
            sizes[TRANSFORMER],
            sizes[DCAE_FOLDER] + sizes[VOCODER],
            self.memory_limit,
            working,
        )
        if self._plan.drop_transformer:
            # The tightest plan: nothing stays that is not at work.
            self._let_go(DCAE_FOLDER)
            self._let_go(VOCODER)
        needed = self._plan.peak_bytes
        if needed <= self.memory_limit:
            return None
        return (
            f"this needs about {needed / GIGABYTE:.1f} GB, {working / GIGABYTE:.1f} "
            f"of them to work in, and the memory limit is {self.memory_limit / GIGABYTE:.1f} GB; "
            "fewer takes at once or a quantized model need less"
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """The whole of a run, whatever it does."""
        with wired(self.memory_limit):
            yield

    @contextmanager
    def sampling(
        self, work: Workload, check: Callable[[], None], *, pictures: bool
    ) -> Iterator[Transformer]:
        """The transformer, for the part of a run that samples, which is held to what `work` needs.

        Its weights are read here, and with `pictures` those that make them; `check` may raise in
        between.
        """
        network = self.transformer
        self._evaluate(TRANSFORMER, network, check)
        if pictures and self.resident_codec is not None:
            self._evaluate(DCAE_FOLDER, self.resident_codec.decoder, check)
        with bounded(work.sampling_bytes(network.config, self.dtype)):
            yield network

    @contextmanager
    def decoding(self, work: Workload, check: Callable[[], None]) -> Iterator[MusicAutoencoder]:
        """The autoencoder, for the part of a run that decodes; else as `sampling`."""
        autoencoder = self.autoencoder
        codec, voice = self._network(DCAE_FOLDER), self._network(VOCODER)
        assert isinstance(codec, dcae.DCAE)
        assert isinstance(voice, vocoder.Vocoder)
        self._evaluate(DCAE_FOLDER, codec.decoder, check)
        self._evaluate(VOCODER, voice, check)
        # Until music has decided on float16, weights take more; and the first song is to take no
        # more than those after it.
        room, saved = work.decoding_bytes(), codec.decoder.bytes_to_save + voice.bytes_to_save
        with bounded(max(room // 2, room - saved)):
            yield autoencoder

    def _evaluate(self, name: str, network: nn.Module, check: Callable[[], None]) -> None:
        """Read the weights of `network`, all or a part of that called `name`, once."""
        # The bound counts from what is in memory, so weights that come later would use it up.
        if name not in self._evaluated:
            evaluate_parameters(network, self.folder / name, check)
            self._evaluated.add(name)

    def _let_go(self, name: str) -> None:
        self._open.pop(name, None)
        self._evaluated.discard(name)

    def finished_encoding(self) -> None:
        """The text encoder has done its part of a run."""
        if self._plan is not None and self._plan.drop_text_encoder:
            self._let_go(TEXT_ENCODER)
        mx.clear_cache()

    def finished_sampling(self) -> None:
        """The transformer has done its part of a run."""
        if self._plan is not None and self._plan.drop_transformer:
            self.adapters.detach()
            self._let_go(TRANSFORMER)
        mx.clear_cache()

    def _network(self, name: str) -> nn.Module:
        if name not in self._open:
            network = self.read(name, self.dtype if name == TRANSFORMER else mx.float32)
            if name in self._quantization:
                quantize_networks({name: network}, self._quantization[name])
            self._open[name] = network
            if name == TRANSFORMER:
                self.adapters.attach(network)
        return self._open[name]

    def read(self, name: str, dtype: mx.Dtype) -> nn.Module:
        """The network called `name` with the checkpoint's weights, in `dtype`."""
        folder, made = self.folder / name, NETWORKS[name]
        network = made.build(read_config(folder))
        load_component(
            network,
            folder,
            sanitize=made.sanitize,
            unused=made.unused,
            dtype=dtype,
            prepare=quantized_as_stored(folder),
            on_disk=made.on_disk,
        )
        return network


def _nbytes(network: nn.Module) -> int:
    return sum(array.nbytes for array in dict(tree_flatten(network.parameters())).values())


def _stamp(path: str) -> tuple[int, int] | None:
    """What changes when a file or folder does; None for a hub id."""
    try:
        found = os.stat(os.path.expanduser(path))
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
