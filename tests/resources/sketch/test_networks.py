"""What the recipe trains in PyTorch is what the engine runs: the shipped weights through both.

For development only: without torch, diffusers and transformers there is nothing to compare.
"""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.ace_step import dcae
from mlx_music.ace_step.components import Components
from mlx_music.resources import find_resource
from tests.parity.conftest import relative_error

torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
pytest.importorskip("diffusers", reason="diffusers is not installed")
pytest.importorskip("transformers", reason="transformers is not installed")


@pytest.fixture(scope="module")
def sketch() -> Path:
    return find_resource("sketch")


@pytest.fixture(scope="module")
def components(sketch: Path) -> Components:
    components = Components(sketch, mx.float32)
    components.open_all()
    return components


def test_vocoder(sketch: Path, components: Components) -> None:
    from resources.sketch.recipe import sizes
    from resources.sketch.recipe.training import shipped
    from resources.sketch.recipe.vocoder import Vocoder

    weights = shipped(sketch / "music_vocoder")
    model = Vocoder(sizes.VOCODER)
    model.load_state_dict({k: v for k, v in weights.items() if "mel_transform" not in k})
    mel = torch.randn(1, 128, 20, generator=torch.Generator().manual_seed(0)) * 2 - 5
    ours = components.autoencoder.vocoder.decode(mx.array(mel.transpose(1, 2).numpy()))
    assert relative_error(ours, model(mel).detach().numpy()) < 1e-5


def test_mel(components: Components) -> None:
    from resources.sketch.recipe.spectrograms import MelSpectrogram

    audio = 0.1 * torch.randn(2, 22_050, generator=torch.Generator().manual_seed(1))
    ours = components.autoencoder.vocoder.mel_transform(mx.array(audio.numpy()))
    theirs = MelSpectrogram(torch.device("cpu"))(audio).transpose(1, 2)
    assert relative_error(ours, theirs.numpy()) < 1e-5


def test_autoencoder(sketch: Path, components: Components) -> None:
    from resources.sketch.recipe.train_autoencoder import build, decode, encode
    from resources.sketch.recipe.training import shipped

    model = build().eval()
    model.load_state_dict(shipped(sketch / "music_dcae_f8c8"))
    mel = torch.rand(1, 2, 128, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1
    codec = components.autoencoder.codec
    with torch.no_grad():
        latents = encode(model, mel)
        decoded = decode(model, latents)
    ours = dcae.scale_latents(codec.encode(mx.array(mel.permute(0, 2, 3, 1).numpy())))
    assert relative_error(ours, latents.permute(0, 2, 3, 1).numpy()) < 1e-5
    ours = codec.decode(dcae.unscale_latents(mx.array(latents.permute(0, 2, 3, 1).numpy())))
    assert relative_error(ours, decoded.permute(0, 2, 3, 1).numpy()) < 1e-5


def test_text_encoder_and_transformer(sketch: Path, components: Components) -> None:
    from resources.sketch.recipe.train_transformer import Sketch

    model = Sketch().eval()
    model.load_shipped(sketch)

    ids, mask = components.prompt_tokenizer(["slow waltz, 90 bpm, piano, no drums"])
    their_ids = torch.from_numpy(np.array(ids).astype(np.int64))
    their_mask = torch.ones_like(their_ids)
    noise = torch.randn(1, 8, 16, 30, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        states = model.text_encoder(their_ids, their_mask).last_hidden_state
        velocity = model.transformer(noise, torch.tensor([700.0]), states, their_mask.bool())

    our_states = components.text_encoder(ids, mask)
    assert relative_error(our_states, states.numpy()) < 1e-5
    transformer = components.transformer
    nobody = mx.zeros((1, transformer.config.speaker_embedding_dim))
    nothing = mx.zeros((1, 1), dtype=mx.int32)
    condition = transformer.encode(our_states, mask, nobody, nothing, nothing)
    latents = mx.array(noise.permute(0, 2, 3, 1).numpy())
    ours = transformer.decode(latents, mx.array([700.0]), transformer.prepare(condition))
    assert relative_error(ours, velocity.permute(0, 2, 3, 1).numpy()) < 1e-4


def test_the_whole_is_small(sketch: Path) -> None:
    """What a clone has to carry: at most 24 MB."""
    files = [
        path for path in sketch.rglob("*") if path.is_file() and "__pycache__" not in str(path)
    ]
    assert sum(path.stat().st_size for path in files) <= 24_000_000
