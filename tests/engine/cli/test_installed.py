"""`download`, `models`, `verify` and `info` of a model, against a hub on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mlx_music.ace_step.published import MODEL_ID
from tests.doubles import SKETCH
from tests.engine.cli.conftest import Result
from tests.engine.weights.fake_hub import FakeHub, running_hub

COMMIT = "b" * 40


@pytest.fixture(scope="module")
def hub(checkpoint: Path) -> Iterator[FakeHub]:
    """A hub with the published id and the synthetic checkpoint, and a file nobody needs."""
    files = {
        path.relative_to(checkpoint).as_posix(): path.read_bytes()
        for path in checkpoint.rglob("*")
        if path.is_file()
    }
    with running_hub() as hub:
        hub.add(MODEL_ID, files | {"README.md": b"# hello"}, commit=COMMIT)
        yield hub


@pytest.fixture(scope="module")
def online(
    run_cli: Callable[..., Result],
    hub: FakeHub,
    vocabulary: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Result]:
    """`run_cli` with that hub and a cache that lasts as long as this file."""
    folder = tmp_path_factory.mktemp("online")

    def run(*args: object, **env: str) -> Result:
        return run_cli(
            *args,
            cwd=folder,
            **{
                "HF_ENDPOINT": hub.url,
                "HF_HUB_OFFLINE": "0",
                "HF_HUB_CACHE": str(folder / "hub"),
                "MLX_MUSIC_LYRIC_VOCAB": str(vocabulary),
                "NO_PROXY": "*",
                "no_proxy": "*",
                **env,
            },
        )

    return run


@dataclass(frozen=True)
class Installing:
    """What `models`, `download` (broken off once on its way) and `models` again said."""

    before: Result
    download: Result
    after: Result
    told: dict[str, Any]

    @property
    def folder(self) -> Path:
        return Path(self.told["models"][0]["path"])


@pytest.fixture(scope="module")
def installed(online: Callable[..., Result], hub: FakeHub) -> Installing:
    before = online("models")
    hub.break_after = [10_000]
    download = online("download")
    after = online("models")
    return Installing(before, download, after, json.loads(online("models", "--json").out))


def test_from_nothing_to_a_model(installed: Installing, vocabulary: Path) -> None:
    assert installed.before.code == 0
    assert "get ACE-Step/ACE-Step-v1-3.5B with `mlx-music download`" in installed.before.out

    assert installed.download.code == 0, installed.download.err
    assert f"{MODEL_ID}, licence: Apache License 2.0 (" in installed.download.err
    assert "download: done in " in installed.download.err
    paths = [line.split(" (")[0] for line in installed.download.out.splitlines()]
    assert paths == [str(installed.folder), str(vocabulary)]
    assert installed.folder.name == COMMIT
    assert not (installed.folder / "README.md").exists()

    assert installed.after.code == 0
    assert f"{MODEL_ID}  " in installed.after.out
    assert ", complete\n" in installed.after.out
    assert str(installed.folder) in installed.after.out
    assert str(vocabulary) in installed.after.out
    assert installed.told["models"][0]["missing"] == []
    assert installed.told["lyric_vocabulary"] == str(vocabulary)


def test_what_is_damaged_is_found_and_fetched_again(
    installed: Installing, online: Callable[..., Result], hub: FakeHub
) -> None:
    name = "umt5-base/model.safetensors"
    blob = Path(os.path.realpath(installed.folder / name))
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)

    bad = online("verify")
    assert bad.code == 1
    assert f"BAD   {name}: its content is not the hub's (checksum)" in bad.out
    *files, total = bad.out.splitlines()
    assert [line.split()[0] for line in files].count("BAD") == 1
    assert all(line.startswith(("ok    ", "BAD   ")) for line in files)
    assert total.endswith(f": 1 of {len(files)} files are missing or damaged")

    before = len(hub.transfers())
    assert online("download", "--quiet").code == 0
    assert any(request.path.endswith(name) for request in hub.transfers()[before:])
    assert online("verify", "--quiet", HF_HUB_OFFLINE="1") == Result(0, "", "")


def test_generate_uses_what_is_installed(
    installed: Installing, online: Callable[..., Result], hub: FakeHub, sketch_folder: Path
) -> None:
    """Also where a model is built in."""
    before = len(hub.requests)
    result = online(
        *("generate", "-p", "drums", "--duration", "1", "--steps", "1", "--offline"),
        *("-q", "--json", "-o", "drums.wav"),
        MLX_MUSIC_RESOURCES=str(sketch_folder.parent),
    )
    assert result.code == 0, result.err
    assert json.loads(result.out)["model"] == MODEL_ID
    assert json.loads(result.out)["notes"] == []
    told = json.loads(online("info", MODEL_ID, "--json").out)
    assert told["path"] == str(installed.folder)
    assert len(hub.requests) == before


def test_generate_downloads_what_it_needs(online: Callable[..., Result], tmp_path: Path) -> None:
    result = online(
        *("generate", "-p", "drums", "--duration", "1", "--steps", "1"),
        *("-o", "fetched.wav", "--model", MODEL_ID, "--revision", COMMIT),
        HF_HUB_CACHE=str(tmp_path / "other"),
    )
    assert result.code == 0, result.err
    assert result.out == "fetched.wav\n"
    stages = [line.partition(":")[0] for line in result.err.splitlines() if "done in" in line]
    assert stages == ["download", "encode", "sample", "decode"]


def test_a_model_that_describes_itself(
    online: Callable[..., Result], hub: FakeHub, checkpoint: Path, tmp_path: Path
) -> None:
    files = {
        path.relative_to(checkpoint).as_posix(): path.read_bytes()
        for path in checkpoint.rglob("*")
        if path.is_file()
    }
    hub.add("org/own", files | {"model.json": json.dumps(SKETCH).encode()})

    def told(*args: str) -> Any:
        result = online(
            *("generate", "-m", "org/own", "-p", "x", "-q", "--json", "--force", *args),
            *("-o", tmp_path / "a.wav"),
            HF_HUB_CACHE=str(tmp_path / "hub"),
        )
        assert result.code == 0, result.err
        return json.loads(result.out)

    first = told("-d", "1", "--steps", "1")
    assert first["request"]["guidance_scale"] == 15.0
    assert "org/own has defaults of its own, which count from the next run on" in first["notes"]
    second = told()
    assert (second["request"]["guidance_scale"], second["notes"]) == (4.0, [])


def test_download_in_trouble(online: Callable[..., Result], hub: FakeHub) -> None:
    for args, env, line in (
        (["org/nosuch"], {}, "org/nosuch: no such repository on the hub"),
        ([], {"HF_HUB_OFFLINE": "1"}, f"{MODEL_ID}: not downloaded, and offline mode is on"),
    ):
        result = online("download", *args, "--quiet", **env)
        assert result.code == 1
        assert result.error.startswith(line)


def test_a_folder_is_not_downloaded(checkpoint: Path, call_cli: Callable[..., Result]) -> None:
    result = call_cli("download", checkpoint)
    assert result.code == 2
    assert result.error.startswith(f"{checkpoint}: is a folder here already")


def test_info_of_a_model(checkpoint: Path, call_cli: Callable[..., Result]) -> None:
    told = json.loads(call_cli("info", checkpoint, "--json").out)
    assert {component["name"] for component in told["components"]} == {
        path.name for path in checkpoint.iterdir()
    }
    sizes = [path.stat().st_size for path in checkpoint.rglob("*.safetensors")]
    assert told["nbytes"] == sum(sizes)
    for component in told["components"]:
        assert component["nbytes"] > 4 * component["parameters"] > 0
        assert set(component["dtypes"]) == {"F32"}
    text = call_cli("info", checkpoint)
    assert text.code == 0
    assert "ace_step_transformer" in text.out
    assert " tensors  F32\n" in text.out


def test_info_of_other_things(call_cli: Callable[..., Result]) -> None:
    Path("empty").mkdir()
    Path("a.wav").write_bytes(b"nothing")
    Path("b.json").write_text('{"request": {"prompt": "x", "lyrics": "one\\ntwo", "seed": 9}}')
    for args, code, line in (
        (["empty"], 1, "empty: no model in this folder"),
        (["a.wav"], 1, "a.wav cannot be read as audio"),
        (["nosuch.wav"], 1, "nosuch.wav: no such file or folder"),
        (["songs/nosuch.wav"], 1, "songs/nosuch.wav: no such file or folder"),
        (["a.wav", "--revision", "main"], 2, "--revision: only models on the hub have one"),
    ):
        result = call_cli("info", *args)
        assert result.code == code
        assert result.error.startswith(line)
    text = call_cli("info", "b.json")
    assert text.code == 0
    lines = [line.strip() for line in text.out.splitlines()]
    assert any(line.startswith("lyrics ") and line.endswith(" one") for line in lines)
    assert lines[lines.index(next(line for line in lines if line.endswith(" one"))) + 1] == "two"


def test_info_of_an_audio_file_of_others(call_cli: Callable[..., Result]) -> None:
    import numpy as np
    import soundfile

    soundfile.write("mine.flac", np.zeros((44100, 1)), 44100)
    result = call_cli("info", "mine.flac")
    assert result.code == 0
    assert "44100 Hz, 1 channels, 0:01" in result.out
    assert "no settings of MLX Music" in result.out
    assert json.loads(call_cli("info", "mine.flac", "--json").out)["request"] is None


def test_verify_of_a_folder(checkpoint: Path, call_cli: Callable[..., Result]) -> None:
    result = call_cli("verify", checkpoint)
    assert result.code == 0
    assert result.out.splitlines()[-1].endswith(", all well")
    assert "verify: done in " in result.err
    Path("part/umt5-base").mkdir(parents=True)
    Path("part/umt5-base/config.json").write_text("{")
    result = call_cli("verify", "part", "--quiet")
    assert result.code == 1
    assert "BAD   umt5-base/config.json: " in result.out
    assert "BAD   umt5-base/tokenizer.json: missing" in result.out
    assert result.err == ""
