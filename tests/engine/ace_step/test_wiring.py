"""Quantization and adapters through `ACEStep`, with networks that stay and that are let go."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, ClassVar

import mlx.core as mx
import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from mlx_music.ace_step.components import TRANSFORMER
from mlx_music.ace_step.pipeline import ACEStep
from mlx_music.ace_step.quantize import quantize_checkpoint
from mlx_music.errors import CheckpointError, InvalidRequest, MLXMusicError
from mlx_music.weights import QuantizationConfig, quantize_model
from tests.doubles import SilentComponents
from tests.parity.conftest import relative_error

#: GB: no limit, and so little that nothing stays open between runs.
LIMITS = [None, 0.001]


@pytest.fixture(scope="module")
def golden_lora(reference_folder: Path) -> Path:
    return reference_folder / "goldens" / "lora.safetensors"


def latents(model: ACEStep) -> Any:
    return model.generate(prompt="jazz", duration=1.0, num_inference_steps=2, seed=1).latents


@pytest.mark.parametrize("limit", LIMITS)
def test_quantized_in_memory_and_on_disk(
    checkpoint: Path, tmp_path: Path, limit: float | None
) -> None:
    config = QuantizationConfig.for_balanced()
    model = ACEStep.from_pretrained(checkpoint, memory_limit=limit)
    plain = latents(model)
    assert quantize_model(model, config).bits
    first = latents(model)
    assert not np.array_equal(first, plain)
    assert np.array_equal(latents(model), first)
    assert (TRANSFORMER in model.components._open) == (limit is None)
    with pytest.raises(CheckpointError, match="quantized already"):
        quantize_model(model, config)
    with pytest.raises(InvalidRequest, match="transformer, text_encoder, decoder"):
        quantize_model(model, config, parts=["drums"])
    quantize_checkpoint(checkpoint, tmp_path / "quantized", config)
    stored = ACEStep.from_pretrained(tmp_path / "quantized", memory_limit=limit)
    assert np.array_equal(latents(stored), first)


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("limit", LIMITS)
def test_adapters(
    checkpoint: Path, reference_folder: Path, limit: float | None, quantized: bool
) -> None:
    model = ACEStep.from_pretrained(checkpoint, memory_limit=limit)
    if quantized:
        quantize_model(model, QuantizationConfig.for_quality())
    plain = latents(model)
    model.load_lora(reference_folder / "goldens" / "lora.safetensors", weight=0.5, name="voice")
    assert [(lora.name, lora.weight) for lora in model.loras] == [("voice", 0.5)]
    half = latents(model)
    assert not np.array_equal(half, plain)
    assert np.array_equal(latents(model), half)
    model.set_lora_weight("voice", 1.0)
    assert not np.array_equal(latents(model), half)
    with pytest.raises(CheckpointError):
        model.load_lora(checkpoint / TRANSFORMER, name="other")
    model.unload_lora("voice")
    assert model.loras == []
    assert np.array_equal(latents(model), plain)


@pytest.mark.parametrize("memory_limit", [None, 1])
def test_adapters_of_a_request_are_for_its_run_alone(
    checkpoint: Path, golden_lora: Path, memory_limit: int | None
) -> None:
    model = ACEStep(
        SilentComponents(checkpoint, mx.float32, memory_limit=memory_limit), "synthetic"
    )
    fields = {"prompt": "funk", "duration": 1.0, "num_inference_steps": 2, "seed": 1}
    plain = model.generate(**fields)
    assert plain.request.lora == ()
    adapted = model.generate(lora=(f"{golden_lora}:0.8",), **fields)
    assert adapted.request.lora == (f"{golden_lora}:0.8",)
    assert relative_error(adapted.latents, plain.latents) > 1e-3
    np.testing.assert_array_equal(model.generate(**fields).latents, plain.latents)
    np.testing.assert_array_equal(model.generate(adapted.request).latents, adapted.latents)

    # and instead of those that are on the model, which come back
    model.load_lora(golden_lora, weight=-1.0)
    other = model.generate(**fields)
    assert other.request.lora == (f"{golden_lora}:-1.0",)
    np.testing.assert_array_equal(model.generate(adapted.request).latents, adapted.latents)
    np.testing.assert_array_equal(model.generate(**fields).latents, other.latents)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [("nosuch.safetensors", "nosuch"), (":1", "names no adapter"), ("a:9", "out of range")],
)
def test_a_request_with_a_bad_adapter_leaves_the_model_as_it_was(
    checkpoint: Path, entry: str, problem: str
) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
    fields = {"prompt": "funk", "duration": 1.0, "num_inference_steps": 2, "seed": 1}
    plain = model.generate(**fields)
    with pytest.raises(MLXMusicError, match=problem):
        model.generate(lora=(entry,), **fields)
    np.testing.assert_array_equal(model.generate(**fields).latents, plain.latents)


class TestSpeaker:
    FIELDS: ClassVar = {"prompt": "funk", "duration": 1.0, "num_inference_steps": 2, "seed": 1}

    def test_files_and_arrays(self, checkpoint: Path, tmp_path: Path) -> None:
        model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
        size = model.components.transformer.config.speaker_embedding_dim
        numbers = np.random.default_rng(0).standard_normal(size).astype(np.float32)
        np.save(tmp_path / "voice.npy", numbers[None])
        mx.save_safetensors(str(tmp_path / "voice.safetensors"), {"any": mx.array(numbers)})
        plain = model.generate(**self.FIELDS)
        given = model.generate(speaker_embedding=numbers, **self.FIELDS)
        assert relative_error(given.latents, plain.latents) > 1e-4
        for name in ("voice.npy", "voice.safetensors"):
            read = model.generate(speaker_embedding=str(tmp_path / name), **self.FIELDS)
            np.testing.assert_array_equal(read.latents, given.latents)
            assert read.request.speaker_embedding == str(tmp_path / name)
            again = model.generate(read.request)
            np.testing.assert_array_equal(again.latents, given.latents)
        zeros = model.generate(speaker_embedding=np.zeros(size), **self.FIELDS)
        np.testing.assert_array_equal(zeros.latents, plain.latents)

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            (np.zeros(511), "is 512 numbers"),
            (np.array(["a"] * 512), "is 512 numbers"),
            (np.full(512, np.nan), "not finite"),
        ],
    )
    def test_bad_numbers(self, checkpoint: Path, values: np.ndarray, problem: str) -> None:
        model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
        assert model.components.transformer.config.speaker_embedding_dim == 512
        with pytest.raises(CheckpointError, match=problem):
            model.generate(speaker_embedding=values, **self.FIELDS)

    @pytest.mark.parametrize("name", ["nosuch.npy", "text.npy", "text.safetensors"])
    def test_bad_files(self, checkpoint: Path, tmp_path: Path, name: str) -> None:
        model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
        if name.startswith("text"):
            (tmp_path / name).write_text("no numbers")
        with pytest.raises(CheckpointError, match=name):
            model.generate(speaker_embedding=tmp_path / name, **self.FIELDS)


def test_a_reference_is_repeated_or_cut_to_the_duration(checkpoint: Path) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
    fields = {"prompt": "funk", "num_inference_steps": 2, "seed": 1, "reference_strength": 1.0}
    short = model.generate(prompt="funk", duration=1.0, num_inference_steps=1, seed=1)
    frames = short.latents.shape[2]
    longer = model.generate(reference=short, reference_loop=True, duration=2.5, **fields)
    assert longer.latents.shape[2] == 26
    np.testing.assert_array_equal(longer.latents[..., :frames], short.latents)
    np.testing.assert_array_equal(longer.latents[..., frames : 2 * frames], short.latents)
    cut = model.generate(reference=longer, reference_loop=True, duration=1.0, **fields)
    np.testing.assert_array_equal(cut.latents, short.latents)


def test_work_on_an_output_takes_the_adapters_that_are_on_the_model_now(
    checkpoint: Path, golden_lora: Path
) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
    fields = {"num_inference_steps": 2, "seed": 1}
    song = model.generate(prompt="funk", duration=1.0, **fields)
    plain = model.repaint(song, start=0.2, end=0.6, **fields)
    model.load_lora(golden_lora, weight=0.5, name="a")
    adapted = model.generate(prompt="funk", duration=1.0, **fields)
    assert adapted.request.lora == (f"{golden_lora}:0.5",)
    model.set_lora_weight("a", -1.0)
    assert model.repaint(adapted, start=0.2, end=0.6, **fields).request.lora == (
        f"{golden_lora}:-1.0",
    )
    model.unload_lora("a")
    assert model.repaint(adapted, start=0.2, end=0.6, **fields).request.lora == ()
    again = model.repaint(song, start=0.2, end=0.6, **fields)
    np.testing.assert_array_equal(again.latents, plain.latents)


def test_a_changed_adapter_is_read_again(
    checkpoint: Path, golden_lora: Path, tmp_path: Path
) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")
    tensors = dict(mx.load(str(golden_lora)))
    path = tmp_path / "mine.safetensors"
    made = []
    for scale in (1.0, 2.0):
        halves = {n: t * scale if "lora_B" in n else t for n, t in tensors.items()}
        mx.save_safetensors(str(path), halves)
        os.utime(path, ns=(int(scale), int(scale)))
        fields = {"prompt": "funk", "duration": 1.0, "num_inference_steps": 2, "seed": 1}
        made.append(model.generate(lora=(str(path),), **fields).latents)
    assert relative_error(made[1], made[0]) > 1e-3


def test_nothing_is_downloaded_for_a_model_that_shall_not(checkpoint: Path) -> None:
    model = ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic", download=False)
    with pytest.raises(CheckpointError, match="not downloaded"):
        model.generate(prompt="funk", lora=("nobody/nothing:1",), num_inference_steps=1)
    with pytest.raises(CheckpointError, match="not downloaded"):
        model.load_lora("nobody/nothing")


def test_lyrics_are_read_on_any_thread(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = Tokenizer(WordLevel({"[UNK]": 300, "[SPACE]": 2, "hello": 3}, unk_token="[UNK]"))
    vocabulary.save(str(tmp_path / "vocab.json"))
    monkeypatch.setenv("MLX_MUSIC_LYRIC_VOCAB", str(tmp_path / "vocab.json"))
    model = ACEStep(SilentComponents(checkpoint, mx.float32, memory_limit=1), "synthetic")
    fields = {"prompt": "funk", "duration": 1.0, "num_inference_steps": 1, "seed": 1}
    before = model.generate(**fields)
    read: list[Any] = []
    thread = threading.Thread(target=lambda: read.extend(model.read_lyrics("hello\n\nhello")))
    thread.start()
    thread.join()
    assert [line.text for line in read] == ["hello", "", "hello"]
    np.testing.assert_array_equal(model.generate(**fields).latents, before.latents)
