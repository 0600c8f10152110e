"""Whole runs of the reference, made again through the public pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlx_music import ACEStep, GenerationRequest, MusicOutput
from mlx_music.ace_step.dcae import SAMPLE_RATE, SAMPLES_PER_LATENT
from mlx_music.ace_step.lyrics import LyricLine
from tests.doubles import SilentComponents
from tests.parity.conftest import Reference, relative_error

TOLERANCE = 1e-3

#: Runs of the reference that another test replaces: there, items of a batch depend on each other.
EXEMPT = {"text2music_batch2"}

#: Our field for each argument of the reference that decides a run.
FIELDS = {
    "audio_duration": "duration",
    "prompt": "prompt",
    "lyrics": "lyrics",
    "infer_step": "num_inference_steps",
    "scheduler_type": "scheduler",
    "cfg_type": "cfg_type",
    "guidance_scale": "guidance_scale",
    "guidance_interval": "guidance_interval",
    "guidance_interval_decay": "guidance_interval_decay",
    "min_guidance_scale": "min_guidance_scale",
    "omega_scale": "omega_scale",
    "guidance_scale_text": "guidance_scale_text",
    "guidance_scale_lyric": "guidance_scale_lyric",
    "use_erg_tag": "use_erg_tag",
    "use_erg_lyric": "use_erg_lyric",
    "use_erg_diffusion": "use_erg_diffusion",
    "retake_variance": "retake_variance",
    "repaint_start": "repaint_start",
    "repaint_end": "repaint_end",
    "edit_n_min": "edit_n_min",
    "edit_n_max": "edit_n_max",
    "edit_n_avg": "edit_n_avg",
}


class GoldenLyrics:
    """Reads the two lyrics of the goldens without a vocabulary."""

    def __init__(self, reference: Reference) -> None:
        edited = reference.meta["runs"]["edit_only_lyrics"]["edit_target_lyrics"]
        self._ids = {
            reference.meta["lyrics"]: reference.stages["lyric.ids"][0].tolist(),
            edited: reference.stages["lyric.ids_edit"][0].tolist(),
        }

    def encode_lines(self, lyrics: str, language: str | None = None) -> list[LyricLine]:
        # One "line" that carries the whole sequence but its first id, which every lyric has.
        return [LyricLine(lyrics, "en", tuple(self._ids[lyrics][1:]))]


class GoldenNoise:
    """The k-th draw of a run is the reference's k-th draw."""

    def __init__(self, reference: Reference, run: str) -> None:
        self._reference = reference
        self._run = run
        self.draws = 0

    def __call__(self, purpose: str, shape: tuple[int, ...]) -> mx.array:
        drawn = self._reference.noise(f"run/{self._run}/{self.draws}", shape)
        self.draws += 1
        return mx.array(drawn)


@pytest.fixture(scope="module")
def model(checkpoint: Path, reference: Reference) -> ACEStep:
    components = SilentComponents(checkpoint, mx.float32)
    return ACEStep(components, "synthetic", lyric_reader=GoldenLyrics(reference))


def source_of(reference: Reference, arguments: dict[str, Any]) -> MusicOutput:
    """The encoded source as an earlier output, so that its latents are used as they are."""
    latents = reference.runs["source_latents"][0]
    samples = latents.shape[2] * SAMPLES_PER_LATENT
    sound = np.sin(np.arange(samples, dtype=np.float32) / 20) * 0.1
    return MusicOutput(
        audio=np.stack([sound, sound]),
        sample_rate=SAMPLE_RATE,
        latents=latents,
        request=GenerationRequest(prompt=arguments["prompt"], lyrics=arguments["lyrics"]),
        model="synthetic",
    )


def request_of(arguments: dict[str, Any], source: MusicOutput, frames: int) -> dict[str, Any]:
    """The fields of a request that says what the reference's arguments say."""
    fields = {ours: arguments[name] for name, ours in FIELDS.items() if name in arguments}
    fields["sample_rate"] = SAMPLE_RATE
    fields["task"] = arguments.get("task", "text2music")
    if "oss_steps" in arguments:
        fields["oss_steps"] = tuple(int(step) for step in arguments["oss_steps"].split(","))
    if fields["task"] == "retake":
        fields["seed"] = 0
    if fields["task"] == "extend":
        # The reference takes the window of the whole song, and counts its right end in frames
        # of a song that has already grown to the left: the lengths say what it did.
        left = int(max(0.0, -arguments["repaint_start"]) * SAMPLE_RATE / SAMPLES_PER_LATENT)
        right = frames - source.latents.shape[2] - left
        seconds = SAMPLES_PER_LATENT / SAMPLE_RATE
        fields["repaint_start"] = fields["repaint_end"] = 0.0
        fields["extend_left"] = (left + 0.5) * seconds if left else 0.0
        fields["extend_right"] = (right + 0.5) * seconds if right else 0.0
    if fields["task"] == "edit":
        fields["source_prompt"], fields["source_lyrics"] = fields["prompt"], fields["lyrics"]
        fields["prompt"] = arguments["edit_target_prompt"]
        fields["lyrics"] = arguments["edit_target_lyrics"]
    if arguments.get("audio2audio_enable"):
        fields["reference_strength"] = arguments["ref_audio_strength"]
    return fields


#: Arguments that `request_of`, the noise and the source take care of, and mere placeholders.
HANDLED = {
    *("task", "oss_steps", "audio2audio_enable", "ref_audio_strength", "ref_audio_input"),
    *("edit_target_prompt", "edit_target_lyrics", "src_audio_path", "noise_draws"),
    *("manual_seeds", "retake_seeds"),
}


def run_names(reference: Reference) -> list[str]:
    return [n for n in reference.meta["runs"] if n not in EXEMPT and not n.startswith("lora")]


def test_every_run_of_the_reference(model: ACEStep, reference: Reference) -> None:
    names = run_names(reference)
    assert names
    errors = {}
    for name in names:
        arguments = reference.meta["runs"][name]
        assert set(arguments) <= set(FIELDS) | HANDLED, name
        expected = reference.runs[f"{name}.latents"]
        source = source_of(reference, arguments)
        fields = request_of(arguments, source, expected.shape[-1])
        noise = GoldenNoise(reference, name)
        is_new = fields["task"] in ("text2music", "retake")
        output = model.generate(
            source=None if is_new else source,
            reference=source if arguments.get("audio2audio_enable") else None,
            noise=noise,
            **fields,
        )
        errors[name] = relative_error(output.latents[None], expected)
        assert noise.draws == arguments["noise_draws"], name
    assert {name: error for name, error in errors.items() if not error < TOLERANCE} == {}
