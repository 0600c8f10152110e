"""Retake, repaint, extend, edit, audio to audio and adapters, from files to files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mlx_music.ace_step.sources import samples_of
from mlx_music.ace_step.tasks import frames_of
from mlx_music.metadata import read_description
from mlx_music.request import parse_lora
from tests.engine.cli.conftest import Result
from tests.engine.cli.recordings import SECONDS, record, samples

RATE = 48_000

#: Seconds next to a seam in which sound may differ: two frames of fade, and the part of a frame
#: that a seam lies before the second that was asked for.
SEAM = 3 * 4096 / 44_100

#: Recordings as people have them: name, rate, channels, and what is said about them.
RECORDINGS = {
    "song.wav": (44_100, 2, []),
    "song.flac": (48_000, 1, ["is mono; both channels were made the same"]),
    "song.mp3": (22_050, 2, ["has a sample rate of 22050 Hz, so its treble is missing"]),
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for name, (rate, channels, _) in RECORDINGS.items():
        more = {"subtype": "PCM_24"} if name == "song.flac" else {}
        record(folder / name, rate, channels, **more)
    return folder


@pytest.fixture(scope="module")
def adapter(reference_folder: Path) -> Path:
    return reference_folder / "goldens" / "lora.safetensors"


@dataclass(frozen=True)
class Chain:
    """Files that were made one from the other, each by a process of its own."""

    folder: Path
    results: dict[str, Result]

    def __getitem__(self, name: str) -> Path:
        return self.folder / name

    def told(self, name: str) -> Any:
        return json.loads(self.results[name].out)


@pytest.fixture(scope="module")
def chain(
    run_cli: Callable[..., Result], checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Chain:
    folder = tmp_path_factory.mktemp("chain")
    results = {}
    for name, args in {
        "new.wav": ["generate", "-p", "funk", "-d", "1.3", "--steps", "2", "--seed", "41"],
        "repainted.wav": ["repaint", "new.wav", "--start", "0.5", "--end", "0.7"],
        "extended.flac": ["extend", "repainted.wav", "--left", "0.3", "--right", "0.4"],
        "edited.wav": ["edit", "extended.flac", "-p", "jazz", "--preset", "remix", "--steps", "5"],
        "retaken.wav": ["retake", "new.wav", "--variance", "0.3"],
    }.items():
        results[name] = run_cli(*args, "-o", name, "--json", "--model", checkpoint, cwd=folder)
    return Chain(folder, results)


def test_a_chain_of_tasks(chain: Chain, checkpoint: Path) -> None:
    for name, result in chain.results.items():
        assert result.code == 0, result.err
        told = chain.told(name)
        assert told["paths"] == [name]
        assert (told["model"], told["notes"]) == (checkpoint.name, [])
        stages = {"load", "encode", "sample", "decode"}
        assert stages | ({"source"} if told["request"]["source"] else set()) == set(told["timings"])
        assert soundfile.info(chain[name]).duration == pytest.approx(told["duration"])
        described = read_description(chain[name])
        assert described.request.to_dict() == told["request"]
        assert (described.request.num_inference_steps, described.model) == (
            5 if name == "edited.wav" else 2,
            checkpoint.name,
        )
    assert {path.name for path in chain.folder.iterdir()} == set(chain.results)


def test_the_words_are_the_sources_own(chain: Chain) -> None:
    prompts = {name: chain.told(name)["request"]["prompt"] for name in chain.results}
    assert prompts.pop("edited.wav") == "jazz"
    assert set(prompts.values()) == {"funk"}
    assert chain.told("edited.wav")["request"]["source_prompt"] == "funk"


def test_a_repaint_keeps_the_rest_sample_for_sample(chain: Chain) -> None:
    before, after = samples(chain["new.wav"]), samples(chain["repainted.wav"])
    assert after.shape == before.shape
    start, end = round((0.5 - SEAM) * RATE), round((0.7 + SEAM) * RATE)
    assert start > RATE // 10
    assert end < len(before) - RATE // 10
    np.testing.assert_array_equal(after[:start], before[:start])
    np.testing.assert_array_equal(after[end:], before[end:])
    middle = slice(round(0.5 * RATE), round(0.7 * RATE))
    assert (after[middle] != before[middle]).mean() > 0.9


def test_an_extension_keeps_the_song_sample_for_sample(chain: Chain) -> None:
    song, longer = samples(chain["repainted.wav"]), samples(chain["extended.flac"])
    left = samples_of(frames_of(0.3), RATE)
    right = samples_of(frames_of(0.4), RATE)
    assert len(longer) == pytest.approx(left + len(song) + right, abs=samples_of(1, RATE))
    fade = samples_of(3, RATE)
    inside = longer[left : left + len(song)]
    np.testing.assert_array_equal(inside[fade:-fade], song[fade:-fade])
    for new in (longer[:left], longer[-right:]):
        assert new.std() > 0


def test_an_edit_keeps_the_length_and_not_the_sound(chain: Chain) -> None:
    before, after = samples(chain["extended.flac"]), samples(chain["edited.wav"])
    # In whole frames, of which resampling can add one.
    assert len(after) == pytest.approx(len(before), abs=samples_of(1, RATE) + 1)
    common = min(len(before), len(after))
    assert (after[:common] != before[:common]).mean() > 0.9


def test_a_retake_has_another_seed_of_its_own(chain: Chain) -> None:
    first, other = chain.told("new.wav"), chain.told("retaken.wav")
    assert other["request"]["seed"] == first["request"]["seed"] == 41
    assert other["seeds"] == [other["request"]["retake_seed"]]
    assert other["request"]["retake_variance"] == 0.3
    before, after = samples(chain["new.wav"]), samples(chain["retaken.wav"])
    assert after.shape == before.shape
    assert (after != before).mean() > 0.9


@pytest.mark.parametrize("name", ["repainted.wav", "extended.flac", "edited.wav", "retaken.wav"])
def test_the_same_again_from_another_folder(
    name: str, chain: Chain, checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    output = f"again{Path(name).suffix}"
    result = call_cli("generate", "--from", chain[name], "--model", checkpoint, "-q", "-o", output)
    assert result == Result(0, f"{output}\n", "")
    assert Path(output).read_bytes() == chain[name].read_bytes()


TASKS = {
    "repaint": ("--start", "0.5", "--end", "0.7", "--steps", "2"),
    "extend": ("--right", "0.4", "--steps", "2"),
    "edit": ("--source-prompt", "folk guitar", "--n-max", "0.5", "--steps", "2"),
    "generate": ("--strength", "0.5", "--steps", "2", "--reference"),
}


@pytest.mark.parametrize("name", RECORDINGS)
@pytest.mark.parametrize("task", TASKS)
def test_recordings_of_other_programs(
    task: str, name: str, recordings: Path, checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    song = recordings / name
    args = [*TASKS[task], song] if task == "generate" else [song, *TASKS[task]]
    result = call_cli(
        *(task, *args, "-p", "bossa nova", "--model", checkpoint, "-q", "--json", "-o", "made.wav")
    )
    assert result.code == 0, result.err
    told = json.loads(result.out)
    rate, _, facts = RECORDINGS[name]
    notes = [f"{song} {fact}" for fact in facts]
    if task in ("repaint", "extend") and rate != RATE:
        notes.append(
            f"what is kept is resampled, from {rate} to {RATE} Hz; "
            f"a sample rate of {rate} keeps it sample for sample"
        )
    assert sorted(told["notes"]) == sorted(notes)
    request = read_description("made.wav").request
    assert (request.reference if task == "generate" else request.source) == str(song)
    # Lossy formats add a little silence.
    length = SECONDS + (0.4 if task == "extend" else 0.0)
    assert told["duration"] == pytest.approx(length, abs=0.15)
    made = samples("made.wav")
    assert made.std() > 0
    if (task, name) == ("repaint", "song.flac"):
        kept = round((0.5 - SEAM) * RATE)
        expected = np.repeat(samples(song), 2, axis=1)[:kept]
        np.testing.assert_array_equal(made[:kept], expected)


def test_a_telephones_recording_is_enough(
    checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    song = record(Path("call.wav").absolute(), 8_000, 1, 1.2)
    result = call_cli(
        *("repaint", "call.wav", "--start", "0.5", "--end", "0.7", "-p", "choir", "--steps", "2"),
        *("--model", checkpoint, "-o", "made.wav"),
    )
    assert result.code == 0, result.err
    assert result.out == "made.wav\n"
    for note in (
        f"{song} is mono; both channels were made the same",
        f"{song} has a sample rate of 8000 Hz, so its treble is missing",
    ):
        assert f"mlx-music: note: {note}\n" in result.err


def test_takes_of_a_window_differ_in_it_alone(
    chain: Chain, checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    result = call_cli(
        *("repaint", chain["new.wav"], "--start", "0", "--end", "0.2", "--takes", "2", "-q"),
        *("--model", checkpoint, "-o", "try.wav"),
    )
    assert result == Result(0, "try-1.wav\ntry-2.wav\n", "")
    first, second = samples("try-1.wav"), samples("try-2.wav")
    end = round((0.2 + SEAM) * RATE)
    np.testing.assert_array_equal(first[end:], second[end:])
    assert (first[: end // 4] != second[: end // 4]).mean() > 0.9


def test_a_reference_for_any_length(
    recordings: Path, checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    lengths = {}
    for loop in ((), ("--reference-loop",)):
        result = call_cli(
            *("generate", "-p", "strings", "--reference", recordings / "song.wav", "-d", "1"),
            *(*loop, "--strength", "1", "--model", checkpoint, "-q", "--json", "-o", "made.wav"),
            "--force",
        )
        assert result.code == 0, result.err
        lengths[bool(loop)] = json.loads(result.out)["duration"]
    assert lengths[False] == pytest.approx(SECONDS, abs=0.1)
    assert lengths[True] == pytest.approx(1.0, abs=0.1)


class TestAdapters:
    SHORT = ("generate", "-p", "rap", "-d", "1", "--steps", "2", "--seed", "3", "-q")

    @pytest.fixture
    def make(self, checkpoint: Path, call_cli: Callable[..., Result]) -> Callable[..., Any]:
        def make(*flags: object) -> Any:
            result = call_cli(
                *self.SHORT, *flags, "--model", checkpoint, "-o", "made.wav", "--force"
            )
            assert (result.code, result.out) == (0, "made.wav\n"), result.err
            assert result.only_notes, result.err
            return samples("made.wav")

        return make

    def test_weights(self, make: Callable[..., Any], adapter: Path) -> None:
        shutil.copyfile(adapter, "rap.safetensors")
        plain = make()
        np.testing.assert_array_equal(make("--lora", "rap.safetensors:0"), plain)
        whole = make("--lora", "rap.safetensors")
        (entry,) = read_description("made.wav").request.lora
        assert parse_lora(entry) == (str(Path("rap.safetensors").absolute()), 1.0)
        assert (whole != plain).mean() > 0.9
        # Two halves are the whole, up to rounding.
        halves = make("--lora", "rap.safetensors:0.5", "--lora", f"{adapter}:0.5")
        assert len(read_description("made.wav").request.lora) == 2
        distance = np.linalg.norm((halves - whole).astype(float))
        assert distance < 0.01 * np.linalg.norm((whole - plain).astype(float))

    def test_those_of_a_file_and_none(self, make: Callable[..., Any], adapter: Path) -> None:
        shutil.copyfile(adapter, "rap.safetensors")
        Path("made.json").write_text(
            json.dumps({"request": {"prompt": "x", "duration": 1, "lora": ["rap.safetensors:-3"]}})
        )
        seen = make("--from", "made.json")
        (entry,) = read_description("made.wav").request.lora
        assert parse_lora(entry) == (str(Path("rap.safetensors").absolute()), -3.0)
        without = make("--from", "made.json", "--lora", "none")
        assert read_description("made.wav").request.lora == ()
        assert (seen != without).mean() > 0.9

    def test_speaker_embeddings(self, make: Callable[..., Any], checkpoint: Path) -> None:
        config = json.loads((checkpoint / "ace_step_transformer" / "config.json").read_text())
        numbers = np.random.default_rng(0).standard_normal(config["speaker_embedding_dim"])
        np.save("somebody.npy", numbers.astype(np.float32))
        np.save("nobody.npy", np.zeros_like(numbers))
        plain = make()
        assert (make("--speaker-embedding", "somebody.npy") != plain).mean() > 0.5
        assert read_description("made.wav").request.speaker_embedding == str(
            Path("somebody.npy").absolute()
        )
        np.testing.assert_array_equal(make("--speaker-embedding", "nobody.npy"), plain)
