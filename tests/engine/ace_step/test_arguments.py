"""What callers hand in: of the wrong type it is refused by name, and what is kept is whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import soundfile

from mlx_music import ACEStep, GenerationRequest, InvalidRequest
from mlx_music.metadata import read_description
from tests.doubles import SilentComponents

RATE = 44_100
QUICK: dict[str, Any] = {
    "prompt": "funk", "duration": 1.0, "num_inference_steps": 2, "seed": 1, "sample_rate": RATE,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> ACEStep:
    return ACEStep(SilentComponents(checkpoint, mx.float32), "synthetic")


@pytest.fixture
def folder(tmp_path: Path, reference_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which we are, with a recording, an adapter and an embedding."""
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE, 2))
    soundfile.write(tmp_path / "lofi.wav", sound, RATE)
    shutil.copyfile(
        reference_folder / "goldens" / "lora.safetensors", tmp_path / "anna.safetensors"
    )
    np.save(tmp_path / "anna.npy", np.ones(512, dtype=np.float32))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestPaths:
    def test_a_source_is_found_again_from_another_folder(
        self, folder: Path, model: ACEStep, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        output = model.extend("lofi.wav", right=1, **QUICK)
        output.save("longer.wav")
        (folder / "other").mkdir()
        monkeypatch.chdir(folder / "other")
        request = read_description("../longer.wav").request
        assert request.source == str(folder / "lofi.wav")
        np.testing.assert_array_equal(model.generate(request).latents, output.latents)

    def test_a_request_of_the_callers_own(self, folder: Path, model: ACEStep) -> None:
        request = GenerationRequest(reference="lofi.wav", lora=("anna.safetensors",), **QUICK)
        kept = model.generate(request).request
        assert kept.reference == str(folder / "lofi.wav")
        assert kept.lora == (f"{folder / 'anna.safetensors'}:1.0",)

    def test_a_loaded_adapter(
        self, folder: Path, model: ACEStep, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model.load_lora("anna.safetensors", weight=1 / 3)
        monkeypatch.chdir("/")
        try:
            output = model.generate(**QUICK)
        finally:
            model.unload_lora("anna")
        assert output.request.lora == (f"{folder / 'anna.safetensors'}:{1 / 3!r}",)
        again = model.generate(output.request)
        np.testing.assert_array_equal(again.latents, output.latents)

    def test_a_hub_id_stays_as_it_is(self, folder: Path, model: ACEStep) -> None:
        from mlx_music.ace_step.arguments import whole_request

        request = GenerationRequest(prompt="funk", lora=("someone/rap:0.5", "other/one"))
        assert whole_request(request, request, {}, {}) == request


def test_lists_are_taken_for_tuples(folder: Path, model: ACEStep) -> None:
    request = model.generate(lora=["anna.safetensors"], oss_steps=[1, np.int64(2)], **QUICK).request
    assert request.lora == (f"{folder / 'anna.safetensors'}:1.0",)
    assert request.oss_steps == (1, 2)
    assert isinstance(hash(request), int)


WRONG: dict[str, tuple[Callable[[ACEStep], object], str]] = {
    "a text": (lambda m: m.generate("warm lo-fi"), "request: is a text; give prompt="),
    "a dict": (lambda m: m.generate({"prompt": "x"}), "request: is dict; give prompt="),
    "one take": (lambda m: m.generate(takes=3, **QUICK), "takes: .* generate_batch"),
    "one retake": (
        lambda m: m.retake(GenerationRequest(**QUICK), takes=3), "takes: .* generate_batch"
    ),
    "one repaint": (
        lambda m: m.repaint("lofi.wav", start=0, end=1, takes=3), "takes: .* generate_batch"
    ),
    "takes": (lambda m: m.generate_batch(takes=2.5, **QUICK), r"takes: 2\.5 is not a whole"),
    "seeds": (lambda m: m.generate_batch(takes="12", **QUICK), "takes: '12' is not a whole"),
    "model": (lambda m: ACEStep.from_pretrained(None), "path_or_id: None names no model"),
    "adapter": (lambda m: m.load_lora(None), "path_or_id: None names no adapter"),
    "weight": (
        lambda m: m.load_lora("anna.safetensors", weight="1"), "weight: '1' is not a number"
    ),
    "another weight": (lambda m: m.set_lora_weight("anna", "1"), "weight: '1' is not a number"),
    "range": (
        lambda m: m.load_lora("anna.safetensors", weight=4), "weight: 4.0 is out of range"
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_refused_by_name(what: str, folder: Path, model: ACEStep) -> None:
    call, problem = WRONG[what]
    with pytest.raises(InvalidRequest, match=f"^{problem}"):
        call(model)
