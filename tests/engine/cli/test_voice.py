"""`mlx-music voice`, and `--voice` where music is made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlx_music.audio.tags import write_tags
from mlx_music.metadata import Description, read_description
from mlx_music.request import GenerationRequest, parse_lora
from mlx_music.voices import EMBEDDING_SIZE, VARIABLE, list_voices, save_voice
from tests.engine.cli.conftest import Result
from tests.engine.cli.recordings import listing, record, samples


@pytest.fixture
def call(
    call_cli: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """`call_cli` with no voices, in a folder with a song."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "voices"))
    record(Path("song.wav"), 44_100, 2, 2.0)
    np.save("speaker.npy", np.zeros(EMBEDDING_SIZE))
    return call_cli


@pytest.fixture
def adapter(reference_folder: Path) -> Path:
    return reference_folder / "goldens" / "lora.safetensors"


def test_saving_showing_and_deleting(
    call: Callable[..., Result], tmp_path: Path, adapter: Path
) -> None:
    folder = tmp_path / "voices" / "Anna Lee"
    saved = call(
        *("voice", "save", "Anna Lee", "--reference", "song.wav", "--start", "0.5"),
        *("--seconds", "1.2", "--strength", "0.4", "--lora", f"{adapter}:0.7"),
        *("--speaker-embedding", "speaker.npy", "--note", "second take"),
    )
    assert saved == Result(0, f"{folder}\n", "")
    call("voice", "save", "bert", "--lora", "org/deep-voice", "--no-loop")

    listed = call("voice", "list")
    assert (listed.code, listed.err) == (0, "")
    assert listed.out.splitlines() == [
        "Anna Lee  recording at strength 0.4, adapter at weight 0.7, speaker embedding"
        "  (second take)",
        "bert      adapter at weight 1",
    ]
    told = json.loads(call("voice", "list", "--json").out)
    assert told["folder"] == str(tmp_path / "voices")
    assert [voice["name"] for voice in told["voices"]] == ["Anna Lee", "bert"]

    shown = call("voice", "show", "anna lee")
    assert (shown.code, shown.err) == (0, "")
    first, *lines = shown.out.splitlines()
    assert first == "Anna Lee"
    for words in (
        ["folder", *str(folder).split()],
        ["reference", "0:01,", "44100", "Hz,", "stereo"],
        ["strength", "0.4"],
        ["lora", *str(folder / "lora.safetensors").split()],
        ["lora", "weight", "0.7"],
        ["note", "second", "take"],
    ):
        assert words in [line.split() for line in lines]
    assert lines[-1] == "use it: mlx-music generate --voice 'Anna Lee' --prompt ..."
    told = json.loads(call("voice", "show", "Anna Lee", "--json").out)
    assert told["reference_duration"] == pytest.approx(1.2)
    assert told["request"]["lora"] == [f"{folder / 'lora.safetensors'}:0.7"]
    assert GenerationRequest.from_dict(told["request"]).reference_strength == 0.4

    assert call("voice", "delete", "ANNA LEE") == Result(0, f"{folder} deleted\n", "")
    assert not folder.exists()
    call("voice", "delete", "bert")
    assert call("voice", "list").out.startswith(f"no voice in {tmp_path / 'voices'}; ")


def test_a_damaged_voice_is_listed_as_such(call: Callable[..., Result]) -> None:
    folder = save_voice("anna", reference="song.wav").folder
    save_voice("bert", lora="a/b")
    (folder / "reference.flac").unlink()
    lines = call("voice", "list").out.splitlines()
    assert lines[0].startswith("anna  ")
    assert lines[0].endswith("its reference 'reference.flac' is not in the folder")
    assert lines[1] == "bert  adapter at weight 1"
    shown = call("voice", "show", "anna")
    assert shown.code == 1
    assert shown.error.endswith("; replace or delete the voice anna")
    assert call("voice", "delete", "anna").code == 0


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        ([], 2, "the following arguments are required: ACTION (see `mlx-music voice --help`)"),
        (["sing"], 2, "ACTION: invalid choice: 'sing'"),
        (["save"], 2, "the following arguments are required: NAME"),
        (["show"], 2, "the following arguments are required: NAME (see `mlx-music voice show --he"),
        (["save", "anna"], 2, "--reference: is missing; a voice is a recording, an adapter or"),
        (["save", "a/b", "--lora", "a/b"], 2, 'NAME: "a/b" must not hold any of / '),
        (["save", "x" * 61, "--lora", "a/b"], 2, f'NAME: "{"x" * 61}" is longer than 60'),
        (["save", "a", "--reference", "song.wav", "--start", "9"], 2, "--start: 9 seconds is not"),
        (["save", "a", "--reference", "song.wav", "--start", "x"], 2, "--start: invalid float"),
        (["save", "a", "--reference", "song.wav", "--seconds", "0"], 2, "--seconds: 0 is out of"),
        (["save", "a", "--reference", "song.wav", "--strength", "7"], 2, "--strength: 7 is out"),
        (["save", "a", "--lora", "a/b:7"], 2, "--lora: the weight 7 of a/b is out of range"),
        (["save", "a", "--reference", "nosuch.wav"], 1, "nosuch.wav cannot be read: No such file"),
        (["save", "a", "--reference", "speaker.npy"], 1, "speaker.npy cannot be read as audio"),
        (["save", "a", "--lora", "song.wav"], 1, "song.wav: not a safetensors file"),
        (["save", "a", "--speaker-embedding", "song.wav"], 1, "song.wav: is no .npy or .safet"),
        (["save", "there", "--lora", "a/b"], 1, "VOICES/there: the voice exists; use --force"),
        (["show", "anna"], 1, "no voice is called 'anna'; there are: there"),
        (["delete", "anna"], 1, "no voice is called 'anna'; there are: there"),
        (["list", "anna"], 2, '"anna" is one argument too many'),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_input(
    args: list[str], code: int, line: str, call: Callable[..., Result], tmp_path: Path
) -> None:
    save_voice("there", lora="org/deep-voice")
    before = listing(tmp_path)
    result = call("voice", *args)
    assert result.code == code
    assert result.error.startswith(line.replace("VOICES", str(tmp_path / "voices")))
    assert listing(tmp_path) == before


def test_replacing_a_voice(call: Callable[..., Result]) -> None:
    save_voice("anna", lora="org/deep-voice")
    result = call("voice", "save", "Anna", "--reference", "song.wav", "--force")
    assert result.code == 0
    (voice,) = list_voices()
    assert (voice.name, voice.lora) == ("Anna", None)


class TestWhatIsAsked:
    def test_the_voice_over_the_settings_and_flags_over_both(
        self, requested: Callable[..., GenerationRequest]
    ) -> None:
        voice = save_voice("anna", reference="song.wav", strength=0.3, lora="org/anna")
        Path("a.json").write_text(
            '{"request": {"prompt": "soul", "seed": 5, "reference_strength": 0.9,'
            ' "lora": ["org/other:2"], "speaker_embedding": "speaker.npy"}}'
        )
        request = requested("generate", "--from", "a.json", "--voice", "ANNA")
        assert (request.prompt, request.seed) == ("soul", 5)
        assert request.reference == str(voice.reference)
        assert (request.reference_strength, request.reference_loop) == (0.3, True)
        assert [parse_lora(entry) for entry in request.lora] == [("org/anna", 1.0)]
        assert request.speaker_embedding == "speaker.npy"

        request = requested(
            *("generate", "--from", "a.json", "--voice", "anna", "--strength", "0.7"),
            *("--lora", "org/anna:0.5", "--lora", "org/vinyl", "--no-reference-loop"),
        )
        assert request.reference == str(voice.reference)
        assert (request.reference_strength, request.reference_loop) == (0.7, False)
        assert [parse_lora(entry) for entry in request.lora] == [
            ("org/anna", 0.5),
            ("org/vinyl", 1.0),
        ]

    def test_another_recording_or_none(self, requested: Callable[..., GenerationRequest]) -> None:
        save_voice("anna", reference="song.wav", strength=0.3, lora="org/anna")
        shutil.copyfile("song.wav", "hum.wav")
        for given, kept in (("hum.wav", str(Path("hum.wav").absolute())), ("none", None)):
            request = requested("generate", "-p", "x", "--voice", "anna", "--reference", given)
            assert request.reference == kept
            assert (request.reference_strength, request.reference_loop) == (0.5, False)
            assert [parse_lora(entry)[0] for entry in request.lora] == ["org/anna"]
        request = requested("generate", "-p", "x", "--voice", "anna", "--lora", "none")
        assert request.lora == ()
        assert request.reference is not None

    def test_other_tasks_take_what_they_can_use(
        self, requested: Callable[..., GenerationRequest]
    ) -> None:
        voice = save_voice(
            "anna", reference="song.wav", lora="org/anna", speaker_embedding="speaker.npy"
        )
        Path("made.json").write_text('{"request": {"prompt": "soul", "seed": 5}}')
        for args in (
            ["repaint", "song.wav", "-p", "x", "--end", "1"],
            ["extend", "song.wav", "-p", "x", "--right", "1"],
            ["edit", "song.wav", "-p", "x", "--source-prompt", "y"],
            ["retake", "made.json"],
        ):
            request = requested(*args, "--voice", "anna")
            assert request.task == args[0]
            assert request.reference is None
            assert [parse_lora(entry)[0] for entry in request.lora] == ["org/anna"]
            assert request.speaker_embedding == str(voice.speaker_embedding)

    def test_a_song_keeps_its_adapters(self, requested: Callable[..., GenerationRequest]) -> None:
        own = GenerationRequest(prompt="soul", seed=5, lora=("org/anna:0.5",))
        fields = Description(own, "some model").to_tags()
        write_tags("song.wav", request_json=fields.pop("request_json"), fields=fields)
        args = ("repaint", "song.wav", "--end", "1")
        assert requested(*args).lora == own.lora
        assert requested(*args).seed is None
        assert requested(*args, "--lora", "none").lora == ()
        other = requested(*args, "--lora", "org/bert").lora
        assert [parse_lora(entry) for entry in other] == [("org/bert", 1.0)]
        assert requested("retake", "song.wav").lora == own.lora

    @pytest.mark.parametrize(
        ("args", "code", "line"),
        [
            (["generate", "-p", "x", "--voice", "bert"], 1, "no voice is called 'bert'; there ar"),
            (["retake", "made.json", "--voice", "anna"], 2, "--voice: anna is only a recording,"),
            (
                ["repaint", "song.wav", "-p", "x", "--end", "1", "--voice", "anna"],
                2,
                "--voice: anna is only a recording, which new music can start from; to repaint",
            ),
        ],
        ids=lambda value: " ".join(value)[:20] if isinstance(value, list) else "",
    )
    def test_what_cannot_be(
        self, args: list[str], code: int, line: str, call: Callable[..., Result]
    ) -> None:
        save_voice("anna", reference="song.wav")
        Path("made.json").write_text('{"request": {"prompt": "soul", "seed": 5}}')
        result = call(*args, "--model", "/nosuch")
        assert result.code == code
        assert result.error.startswith(line)


def test_music_in_a_voice(
    call: Callable[..., Result], adapter: Path, checkpoint: Path, tmp_path: Path
) -> None:
    call(
        *("voice", "save", "anna", "--reference", "song.wav", "--seconds", "1"),
        *("--lora", f"{adapter}:0.8"),
    )
    before = listing(tmp_path / "voices")
    made = {}
    for name, flags in {
        "voice": ("--voice", "anna"),
        "plain": (),
        "again": ("--from", "voice.wav"),
    }.items():
        request = () if name == "again" else ("-p", "soul", "-d", "1.3", "--seed", "1")
        result = call(
            *("generate", *request, *flags, "--steps", "2", "--model", checkpoint, "-q"),
            *("-o", f"{name}.wav"),
        )
        assert (result.code, result.out) == (0, f"{name}.wav\n"), result.err
        assert result.only_notes, result.err
        made[name] = samples(f"{name}.wav")
    # As long as is asked for, not as the excerpt.
    assert made["voice"].shape == made["plain"].shape
    assert (made["voice"] != made["plain"]).mean() > 0.9
    assert Path("again.wav").read_bytes() == Path("voice.wav").read_bytes()
    request = read_description("voice.wav").request
    assert request.reference == str(tmp_path / "voices" / "anna" / "reference.flac")
    assert listing(tmp_path / "voices") == before


def test_as_a_person_runs_it(run_cli: Callable[..., Result], tmp_path: Path) -> None:
    record(tmp_path / "song.wav", 44_100, 2, 1.5)
    place: dict[str, Any] = {"cwd": tmp_path, VARIABLE: "my voices"}
    saved = run_cli("voice", "save", "Zoë", "--reference", "song.wav", **place)
    folder = tmp_path / "my voices" / "Zoë"
    assert saved == Result(0, f"{folder}\n", "")
    again = run_cli("voice", "save", "zoë", "--reference", "song.wav", **place)
    assert again.code == 1
    assert again.error.startswith(f"{folder}: the voice exists")
    assert run_cli("voice", "list", **place).out == "Zoë  recording at strength 0.5\n"
