"""How adapters are read: spellings, scales, and files that are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlx_music.weights.lora import AdapterSet
from mlx_music.weights.misfit import Tensors
from tests.engine.weights.files import raw_file
from tests.engine.weights.lora_cases import (
    ALPHA,
    RANK,
    RSLORA,
    Arrays,
    Guard,
    Network,
    adapter,
    bad,
    close,
    merged,
    network_of,
    normal,
    write,
)


@pytest.mark.parametrize(
    "spelling",
    [
        {},
        {"prefix": "transformer."},
        {"prefix": "base_model.model."},
        {"prefix": "base_model.model.transformer."},
        {"prefix": "diffusion_model."},
        {"down": "lora_A.default.weight", "up": "lora_B.default.weight"},
        {"down": "lora.down.weight", "up": "lora.up.weight"},
        {"down": "lora_down.weight", "up": "lora_up.weight"},
    ],
)
def test_spellings(tmp_path: Path, network: Network, x: mx.array, spelling: dict[str, str]) -> None:
    path = write(tmp_path, adapter(**spelling))  # type: ignore[arg-type]
    added = AdapterSet(network).add(path)
    assert added.notes == ()
    assert close(network(x), merged(network_of(network), adapter(), 1.0)(x))


@pytest.mark.parametrize(
    ("scale", "config"),
    [
        (1.0, {}),
        (ALPHA / RANK, {"r": RANK, "lora_alpha": ALPHA, "use_rslora": False}),
        (ALPHA / RANK, {"lora_alpha": ALPHA}),
        (ALPHA / math.sqrt(RANK), RSLORA),
        (1.0, {**RSLORA, "alpha_pattern": {"embedder|to_q|to_out.0": math.sqrt(RANK)}}),
        (ALPHA / RANK, {"r": 99, "rank_pattern": {".*": RANK}, "lora_alpha": ALPHA}),
    ],
)
@pytest.mark.parametrize("place", ["file", "metadata", "pipeline"])
def test_scale_by_configuration(
    tmp_path: Path, network: Network, x: mx.array, scale: float, config: Arrays, place: str
) -> None:
    metadata = None
    if place == "file":
        (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    else:
        prefix = "transformer." if place == "pipeline" else ""
        named = {prefix + key: value for key, value in config.items()}
        metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(named)}
    path = write(tmp_path, adapter(prefix="base_model.model."), metadata=metadata)
    AdapterSet(network).add(path)
    assert close(network(x), merged(network_of(network), adapter(), scale)(x), 1e-4)


@pytest.mark.parametrize(
    ("scale", "metadata", "kohya"),
    [
        # diffusers, and so the reference, does not look at alpha beside PEFT's names.
        (1.0, None, False),
        (ALPHA / RANK, None, True),
        (ALPHA / math.sqrt(RANK), {"use_rslora": "True"}, False),
        (ALPHA / RANK, {"use_rslora": "false"}, False),
        (3.0 / math.sqrt(RANK), {"use_rslora": "true", "lora_alpha": "3"}, False),
    ],
)
def test_alpha_tensors(
    tmp_path: Path,
    network: Network,
    x: mx.array,
    scale: float,
    metadata: dict[str, str] | None,
    kohya: bool,
) -> None:
    names = {"down": "lora_down.weight", "up": "lora_up.weight"} if kohya else {}
    path = write(tmp_path, adapter(alpha=ALPHA, **names), metadata=metadata)  # type: ignore[arg-type]
    added = AdapterSet(network).add(path)
    assert close(network(x), merged(network_of(network), adapter(), scale)(x), 1e-4)
    assert len(added.notes) == (scale == 1.0)


def test_metadata_wins_over_a_file_beside_it(tmp_path: Path, network: Network, x: mx.array) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"lora_alpha": 100}))
    metadata = {"lora_adapter_metadata": json.dumps(RSLORA)}
    AdapterSet(network).add(write(tmp_path, adapter(), metadata=metadata))
    scale = ALPHA / math.sqrt(RANK)
    assert close(network(x), merged(network_of(network), adapter(), scale)(x), 1e-4)


def test_layers_that_are_published_as_convolutions(tmp_path: Path, network: Network) -> None:
    """The factors of a convolution are shaped like kernels, and turned like the layer's own."""

    def sanitize(tensors: Tensors) -> Tensors:
        return {
            name: mx.flatten(array.transpose(0, 2, 1), 1) if name == "embedder.weight" else array
            for name, array in tensors.items()
        }

    arrays = adapter({"embedder": (64, 32)})
    flat = arrays["embedder.lora_A.weight"]
    arrays["embedder.lora_A.weight"] = flat.reshape(RANK, 16, 4).transpose(0, 2, 1).copy()
    arrays["embedder.lora_B.weight"] = arrays["embedder.lora_B.weight"][..., None, None]
    AdapterSet(network, sanitize=sanitize).add(write(tmp_path, arrays))
    np.testing.assert_array_equal(np.array(network.embedder._terms[0].down), flat)


def test_layers_without_influence_are_left_out(
    tmp_path: Path, network: Network, x: mx.array
) -> None:
    arrays = {**adapter(), **adapter({"projectors.0": (7, 9)}, prefix="transformer.")}
    adapters = AdapterSet(network, unused=lambda name: name.startswith("projectors."))
    added = adapters.add(write(tmp_path, arrays))
    assert added.notes == ("1 layers are left out: they have no influence on the output",)
    assert close(network(x), merged(network_of(network), adapter(), 1.0)(x))


@pytest.mark.parametrize(
    ("fault", "tensor", "words"),
    [
        ("A without B", "blocks.1.to_q.lora_A.weight", "has no lora_B"),
        ("B without A", "blocks.1.to_q.lora_B.weight", "has no lora_A"),
        ("ranks", "blocks.1.to_q.lora_A.weight", "the ranks do not agree"),
        ("inputs", "blocks.1.to_q.lora_A.weight", "(4, 48), but layer 'blocks.1.to_q' takes 32"),
        ("outputs", "blocks.1.to_q.lora_B.weight", "(65, 4), but layer 'blocks.1.to_q' gives 64"),
        ("kernel", "blocks.1.to_q.lora_A.weight", "another model"),
        ("vector", "blocks.1.to_q.lora_A.weight", "no matrix"),
        ("no rank", "blocks.1.to_q.lora_A.weight", "no matrix"),
        ("integers", "blocks.1.to_q.lora_A.weight", "I32"),
        ("NaN", "blocks.1.to_q.lora_B.weight", "not finite"),
        ("infinite", "blocks.1.to_q.lora_A.weight", "not finite"),
        ("other layer", "blocks.2.to_q.lora_A.weight", "no linear layer 'blocks.2.to_q'; the"),
        ("convolution", "blocks.1.depth.lora_A.weight", "no linear layer 'blocks.1.depth'"),
        ("twice", "blocks.1.to_q.lora_A.weight", "same layer"),
        ("two adapters", "blocks.1.to_q.lora_A.", "a single adapter"),
        ("DoRA", "blocks.1.to_q.lora_magnitude_vector", "DoRA, which is not supported"),
        ("bias", "blocks.1.to_q.lora_B.bias", "bias, which is not supported"),
        ("base weight", "blocks.1.to_q.weight", "no part of one"),
    ],
)
def test_bad_tensors(tmp_path: Path, guard: Guard, fault: str, tensor: str, words: str) -> None:
    path = write(tmp_path / "bad", bad(fault))
    message = guard.refuses(path)
    assert message.startswith(f"{path}: ")
    assert tensor in message
    assert words in message


def test_adapter_of_another_model(tmp_path: Path, guard: Guard) -> None:
    path = write(tmp_path / "bad", adapter({"unet.mid": (8, 8), "unet.up": (8, 8)}))
    assert "'unet.mid' (and 1 more); the adapter is of another model" in guard.refuses(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (raw_file({}), "holds no tensors"),
        (b"RIFF and so on", "not a safetensors file"),
    ],
)
def test_bad_files(tmp_path: Path, guard: Guard, content: bytes, words: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    message = guard.refuses(path)
    assert message.startswith(f"{path}: ")
    assert words in message


def test_truncated_file(tmp_path: Path, guard: Guard) -> None:
    path = write(tmp_path / "bad", adapter())
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated" in guard.refuses(path)


def test_not_a_lora_file(tmp_path: Path, guard: Guard) -> None:
    path = write(tmp_path / "bad", {"embedder.weight": normal(4, 4)})
    message = guard.refuses(path)
    assert message.startswith(f"{path}: not a LoRA adapter: tensor 'embedder.weight'")
    path = write(tmp_path / "lokr", {"embedder.lokr_w1": normal(4, 4)})
    assert "LoKr, which is not supported" in guard.refuses(path)


def test_no_such_file_or_folder(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no such file" in guard.refuses("owner/voice.safetensors")
    assert "no such folder" in guard.refuses(tmp_path / "none")
    assert "not a safetensors file" in guard.refuses("owner/voice.bin")
    (tmp_path / "voice.pt").write_bytes(b"pickle")
    assert "not a safetensors file" in guard.refuses(tmp_path / "voice.pt")
    (tmp_path / "empty").mkdir()
    assert "no safetensors file" in guard.refuses(tmp_path / "empty")
    for name in ("a", "b"):
        write(tmp_path / "two", adapter(), f"{name}.safetensors")
    assert "name one of them" in guard.refuses(tmp_path / "two")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ('{"r": 5, "lora_alpha": 8}', "has rank 4, but"),
        ('{"lora_alpha": "much"}', "lora_alpha cannot be 'much'"),
        ('{"lora_alpha": NaN}', "lora_alpha"),
        ('{"use_rslora": "yes"}', "use_rslora cannot be 'yes'"),
        ('{"rank_pattern": {"(": 4}}', "rank_pattern"),
        ('{"alpha_pattern": [1]}', "alpha_pattern"),
        ("[1]", "object"),
        ("{", "JSON"),
    ],
)
@pytest.mark.parametrize("place", ["file", "metadata"])
def test_bad_configuration(
    tmp_path: Path, guard: Guard, config: str, words: str, place: str
) -> None:
    metadata = {"lora_adapter_metadata": config} if place == "metadata" else None
    path = write(tmp_path / "bad", adapter(), metadata=metadata)
    if place == "file":
        (tmp_path / "bad" / "adapter_config.json").write_text(config)
    message = guard.refuses(path)
    assert str(path.parent) in message
    assert words in message


def test_alpha_that_is_no_number(tmp_path: Path, guard: Guard) -> None:
    arrays = adapter(alpha=1.0, down="lora_down.weight", up="lora_up.weight")
    for value in (np.ones(3, np.float32), np.array(np.nan, np.float32), np.array(3)):
        arrays["embedder.alpha"] = value
        message = guard.refuses(write(tmp_path / "bad", arrays))
        assert "tensor 'embedder.alpha' is" in message
