"""A whole run with a LoRA adapter, and one after it was removed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten

from mlx_music.ace_step import transformer
from mlx_music.ace_step.components import Components
from mlx_music.ace_step.conditioning import LyricIds, encode_prompt, text_to_music_conditions
from mlx_music.ace_step.dcae import frames_of
from mlx_music.ace_step.tasks import Run, guidance_of, text_to_music
from mlx_music.progress import Progress
from mlx_music.request import GenerationRequest
from mlx_music.weights.lora import AdaptedLayer, AdapterSet
from tests.parity.conftest import FloatArray, Reference, relative_error

TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def own_components(checkpoint: Path) -> Components:
    """Networks of this file alone, because adapters change them."""
    return Components(checkpoint, mx.float32)


@pytest.fixture
def adapters(own_components: Components) -> Iterator[AdapterSet]:
    adapters = AdapterSet(
        own_components.transformer, sanitize=transformer.sanitize, unused=transformer.is_unused
    )
    yield adapters
    adapters.clear()


@pytest.fixture
def adapter_file(reference: Reference) -> Path:
    return reference.folder / "goldens" / "lora.safetensors"


def run_golden(reference: Reference, components: Components, run: str) -> FloatArray:
    """The final latents (B, 8, 16, T) of a text-to-music run of the goldens."""
    arguments, network = reference.meta["runs"][run], components.transformer
    request = GenerationRequest(
        prompt=arguments["prompt"],
        lyrics=arguments["lyrics"],
        duration=arguments["audio_duration"],
        num_inference_steps=arguments["infer_step"],
    )
    prompt = encode_prompt(
        request.prompt,
        components.prompt_tokenizer,
        components.text_encoder,
        weaken=request.use_erg_tag,
    )
    conditions = text_to_music_conditions(
        network,
        prompt,
        LyricIds.of(reference.stages["lyric.ids"][0].tolist()),
        mx.zeros((1, network.config.speaker_embedding_dim)),
        weaken_lyrics=request.use_erg_lyric,
        weaken_transformer=request.use_erg_diffusion,
        guided=guidance_of(request).enabled,
        double=guidance_of(request).double,
    )

    drawn = 0

    def noise(purpose: str, shape: tuple[int, ...]) -> FloatArray:
        nonlocal drawn
        drawn += 1
        return reference.noise(f"run/{run}/{drawn - 1}", shape)

    frames = frames_of(request.duration)
    latents = text_to_music(Run(network, conditions, request, noise, 1, Progress(), frames))
    assert drawn == arguments["noise_draws"]
    return np.array(latents.transpose(0, 3, 1, 2))


def test_run_with_an_adapter_and_after_it(
    reference: Reference, own_components: Components, adapters: AdapterSet, adapter_file: Path
) -> None:
    weight = reference.meta["runs"]["lora_0.8"]["lora_weight"]
    before = dict(tree_flatten(own_components.transformer.parameters()))
    adapters.add(adapter_file, name="voice", weight=weight)
    adapted = run_golden(reference, own_components, "lora_0.8")
    assert relative_error(adapted, reference.runs["lora_0.8.latents"]) < TOLERANCE

    adapters.remove("voice")
    after = dict(tree_flatten(own_components.transformer.parameters()))
    assert {name: id(array) for name, array in after.items()} == {
        name: id(array) for name, array in before.items()
    }
    plain = run_golden(reference, own_components, "lora_after_unload")
    assert relative_error(plain, reference.runs["lora_after_unload.latents"]) < TOLERANCE
    # The golden has to tell the two apart.
    assert relative_error(adapted, plain) > 10 * TOLERANCE


@pytest.mark.parametrize("prefix", ["", "transformer.", "base_model.model."])
def test_names_with_and_without_prefix(
    adapters: AdapterSet,
    own_components: Components,
    adapter_file: Path,
    tmp_path: Path,
    prefix: str,
) -> None:
    """Every layer of the published file is found, and gets the same factors."""
    named = mx.load(str(adapter_file))
    path = tmp_path / "pytorch_lora_weights.safetensors"
    mx.save_safetensors(str(path), {prefix + name: array for name, array in named.items()})
    adapters.add(adapter_file, name="plain")
    adapters.add(path, name="prefixed", weight=-1.0)
    layers = own_components.transformer.named_modules()
    adapted = [layer for _, layer in layers if isinstance(layer, AdaptedLayer)]
    assert len(adapted) == sum(name.endswith("lora_A.weight") for name in named)
    for layer in adapted:
        x = mx.ones((1, 3, layer.weight.shape[1]))
        np.testing.assert_allclose(np.array(layer(x)), np.array(layer.base(x)), atol=1e-5)


def test_folder_as_published(adapters: AdapterSet, adapter_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my-voice"
    folder.mkdir()
    shutil.copyfile(adapter_file, folder / "pytorch_lora_weights.safetensors")
    added = adapters.add(folder)
    assert (added.name, added.weight) == ("my-voice", 1.0)
    assert added.path == folder / "pytorch_lora_weights.safetensors"
    with_alpha = any(name.endswith(".alpha") for name in mx.load(str(adapter_file)))
    assert any("alpha" in note for note in added.notes) == with_alpha
