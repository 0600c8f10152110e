"""Tasks on what cannot be worked on: one line, the right code, nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import soundfile

from mlx_music.audio.tags import write_tags
from mlx_music.metadata import Description
from mlx_music.request import GenerationRequest
from tests.engine.cli.conftest import Result
from tests.engine.cli.recordings import listing, record, tune


@pytest.fixture(scope="module")
def bad_files(reference_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good song, and with everything that is none."""
    folder = tmp_path_factory.mktemp("bad")
    record(folder / "song.wav", 44_100, 2)
    (folder / "there.wav").write_bytes(b"somebody's song")
    (folder / "words.wav").write_bytes(b"no sound, but a text that is called like it")
    (folder / "empty.wav").touch()
    (folder / "folder.wav").mkdir()
    soundfile.write(folder / "silent.wav", np.zeros((48_000, 2)), 48_000)
    record(folder / "short.wav", 48_000, 2, 0.4)
    soundfile.write(folder / "six.wav", np.repeat(tune(48_000, 1, 1.0), 6, axis=1), 48_000)
    for name in ("half.wav", "half.flac"):
        whole = record(folder / name, 48_000, 1).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
    with soundfile.SoundFile(folder / "hour.flac", "w", 8_000, 1) as hour:
        minute = np.zeros(60 * 8_000, dtype=np.int16)
        minute[0] = 1000
        for _ in range(60):
            hour.write(minute)
    np.save(folder / "short.npy", np.zeros(7))
    (folder / "words.npy").write_text("no numbers")
    write_bad_adapters(folder, reference_folder / "goldens" / "lora.safetensors")
    return folder


def write_bad_adapters(folder: Path, adapter: Path) -> None:
    tensors = mx.load(str(adapter))
    assert isinstance(tensors, dict)
    layer = next(name for name in sorted(tensors) if ".attn.to_q.lora_A" in name)
    a, b = layer, layer.replace("lora_A", "lora_B")
    good = {a: tensors[a], b: tensors[b]}
    for name, bad in {
        "wide": {**good, a: mx.zeros((tensors[a].shape[0], 7))},
        "rank": {**good, a: tensors[a][:-1]},
        "half": {a: tensors[a]},
        "other": {f"unet.{name}": array for name, array in good.items()},
        "infinite": {**good, a: mx.full(tensors[a].shape, float("inf"))},
    }.items():
        mx.save_safetensors(str(folder / f"{name}.safetensors"), bad)
    (folder / "cut.safetensors").write_bytes(adapter.read_bytes()[:-1])
    (folder / "adapter.bin").write_bytes(b"pickled")


class TestBadInput:
    """One line, the right code, nothing written, and what was there is as it was."""

    @pytest.fixture
    def refused(
        self,
        bad_files: Path,
        checkpoint: Path,
        call_cli: Callable[..., Result],
        monkeypatch: pytest.MonkeyPatch,
    ) -> Callable[..., str]:
        monkeypatch.chdir(bad_files)

        def refused(*args: object, code: int = 1) -> str:
            before = listing(bad_files)
            result = call_cli(
                *(*args, "-p", "funk", "--steps", "2", "--model", checkpoint),
                *("--force", "-o", "there.wav", "--quiet"),
            )
            assert result.code == code, result.err
            assert listing(bad_files) == before
            return result.error

        return refused

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("nosuch.wav", "nosuch.wav cannot be read: No such file or directory"),
            ("words.wav", "words.wav cannot be read as audio"),
            ("empty.wav", "empty.wav is empty"),
            ("folder.wav", "folder.wav"),
            ("silent.wav", "silent.wav: is silent"),
            ("short.wav", "short.wav: lasts 0.4 seconds; a source must last 0.5 to 600 seconds"),
            ("half.wav", "half.wav is cut short"),
            ("half.flac", "half.flac"),
            ("hour.flac", "hour.flac lasts 3600.0 s; at most 600 s can be used"),
            ("six.wav", "six.wav: has 6 channels; mix it down to mono or stereo"),
        ],
    )
    def test_recordings(self, name: str, problem: str, refused: Callable[..., str]) -> None:
        window = ("--start", "0.1", "--end", "0.3")
        assert problem in refused("repaint", name, *window)
        if name in ("nosuch.wav", "silent.wav", "half.flac", "hour.flac"):
            assert problem in refused("extend", name, "--right", "1")
            assert problem in refused("edit", name, "--source-prompt", "x")
            assert problem in refused("generate", "--reference", name)

    @pytest.mark.parametrize(
        ("args", "line"),
        [
            (["--start", "3", "--end", "4"], "--start: 3 seconds is outside of the source, which"),
            (["--start", "1", "--end", "9"], "--end: 9 seconds is outside of the source, which"),
            (["--start", "1", "--end", "1"], "--end: 1 seconds is not after the start at 1 sec"),
            (["--start", "1", "--end", "0.5"], "--end: 0.5 seconds is not after the start at 1"),
            ([], "--end: is missing; give the second where the part ends"),
            (["--end", "0"], "--end: 0 seconds is not after the start at 0 seconds"),
            (["--end", "0.01"], "--end: is so near to the start"),
            (["--start", "-1", "--end", "1"], "--start: -1 is out of range"),
            (["--end", "1", "--variance", "2"], "--variance: 2 is out of range"),
            (["--end", "1", "--reference", "song.wav"], "--reference is unknown"),
        ],
        ids=lambda value: " ".join(value)[:20] if isinstance(value, list) else "",
    )
    def test_windows(self, args: list[str], line: str, refused: Callable[..., str]) -> None:
        assert refused("repaint", "song.wav", *args, code=2).startswith(line)

    @pytest.mark.parametrize(
        ("args", "line"),
        [
            (["extend", "song.wav"], "--right: is 0 and so is extend_left"),
            (["extend", "song.wav", "--left", "241"], "--left: 241 is out of range"),
            (["edit", "song.wav"], "--source-prompt: is empty; say what the source sounds like"),
            (
                ["edit", "song.wav", "--source-prompt", "x", "--n-min", "0.5", "--n-max", "0.5"],
                "--n-max: 0.5 is not over edit_n_min, 0.5",
            ),
            (["edit", "song.wav", "--preset", "none"], "--preset: invalid choice: 'none'"),
            (["edit"], "the following arguments are required: SOURCE"),
            (
                ["generate", "--reference", "song.wav", "--oss-steps", "1,2"],
                "--oss-steps: cannot be used with a reference",
            ),
            (["generate", "--reference", "song.wav", "--strength", "1.5"], "--strength: 1.5 is"),
            (["generate", "--lora", "a.safetensors:4"], "--lora: the weight 4 of a.safetensors"),
            (["generate", "--lora", ":1"], '--lora: ":1" names no adapter'),
            (["generate", "--lora", ""], '--lora: "" names no adapter'),
        ],
        ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
    )
    def test_arguments(self, args: list[str], line: str, refused: Callable[..., str]) -> None:
        assert refused(*args, code=2).startswith(line)

    def test_what_cannot_be_retaken(self, refused: Callable[..., str], tmp_path: Path) -> None:
        assert refused("retake", "song.wav") == "song.wav: has no settings of MLX Music in its tags"
        for fields in ({"task": "edit", "source": "a.wav"}, {"reference": "a.wav"}):
            song = tmp_path / "song.json"
            song.write_text(Description(GenerationRequest(seed=1, **fields), "").to_json())
            assert refused("retake", song).startswith(f"{song}: was made from another recording")

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("nosuch.safetensors", "no such file; give another with --lora, or --lora none"),
            ("cut.safetensors", "truncated"),
            ("wide.safetensors", "the adapter is of another model"),
            ("other.safetensors", "the adapter is of another model"),
            ("rank.safetensors", "the ranks do not agree"),
            ("half.safetensors", "the file is incomplete"),
            ("infinite.safetensors", "not finite numbers; the adapter is damaged"),
            ("adapter.bin", "not a safetensors file, the only kind that is read"),
            ("folder.wav", "no pytorch_lora_weights.safetensors"),
            ("org/nosuch", "org/nosuch: not downloaded"),
        ],
    )
    def test_adapters(self, name: str, problem: str, refused: Callable[..., str]) -> None:
        error = refused("generate", "--lora", name, "-d", "1")
        assert name in error
        assert problem in error

    def test_a_model_is_no_adapter(self, checkpoint: Path, refused: Callable[..., str]) -> None:
        weights = next((checkpoint / "ace_step_transformer").glob("*.safetensors"))
        error = refused("generate", "--lora", weights, "-d", "1")
        assert error.startswith(f"{weights}: not a LoRA adapter")

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("short.npy", "a speaker embedding of this model is 512 numbers, not float64 of shape"),
            ("words.npy", "is no .npy or .safetensors file of numbers"),
            ("nosuch.npy", "no such file; give another with --speaker-embedding"),
            ("wide.safetensors", "holds 2 tensors; an embedding is one"),
        ],
    )
    def test_embeddings(
        self, name: str, problem: str, checkpoint: Path, refused: Callable[..., str]
    ) -> None:
        config = json.loads((checkpoint / "ace_step_transformer" / "config.json").read_text())
        error = refused("generate", "--speaker-embedding", name, "-d", "1")
        assert name in error
        assert problem.replace("512", str(config["speaker_embedding_dim"])) in error

    def test_a_song_whose_adapter_is_gone(
        self, refused: Callable[..., str], tmp_path: Path
    ) -> None:
        gone = tmp_path / "gone.safetensors"
        settings = tmp_path / "song.json"
        settings.write_text(json.dumps({"request": {"prompt": "x", "lora": [f"{gone}:1"]}}))
        error = refused("repaint", "song.wav", "--end", "1", "--from", settings)
        assert error.startswith(f"{gone}: no such file; ")

    def test_tags_of_another_version(
        self, refused: Callable[..., str], bad_files: Path, tmp_path: Path
    ) -> None:
        song = tmp_path / "later.wav"
        shutil.copyfile(bad_files / "song.wav", song)
        write_tags(song, request_json='{"request": {"tempo": 90}}', fields={})
        error = refused("repaint", song, "--end", "1")
        assert error.startswith(f"{song}: the settings in its tags cannot be used (tempo: is no")
