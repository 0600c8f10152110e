"""`mlx-music quantize`: a smaller copy that works, or a line that says why not."""

from __future__ import annotations

import errno
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from mlx_music.ace_step import quantize as library
from mlx_music.ace_step.components import TRANSFORMER
from mlx_music.ace_step.transformer import is_unused
from mlx_music.cli.quantize import GROUP_SIZES, PARTS, PRESETS
from mlx_music.weights import quantization
from mlx_music.weights.quantization import QuantizationConfig
from tests.engine.cli.conftest import Result


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def on_disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_flags_know_what_the_library_can() -> None:
    assert tuple(quantization.PRESETS) == PRESETS
    assert quantization.GROUP_SIZES == GROUP_SIZES
    assert tuple(library.PARTS) == PARTS


@pytest.fixture(scope="module")
def quantized(
    run_cli: Callable[..., Result], checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result]:
    """A copy with the usual preset, made by a process of its own, and what that printed."""
    folder = tmp_path_factory.mktemp("quantized")
    return folder / "new" / "small", run_cli("quantize", checkpoint, "new/small", cwd=folder)


def test_true_bytes_are_told(quantized: tuple[Path, Result], checkpoint: Path) -> None:
    folder, result = quantized
    assert result.code == 0, result.err
    assert [line.partition(":")[0] for line in result.err.splitlines()] == ["quantize"] * 11
    path, *rows = result.out.splitlines()
    assert path == "new/small"
    for name in (TRANSFORMER, "music_vocoder", "in all"):
        row = next(row for row in rows if row.strip().startswith(name))
        before, after = (
            on_disk(model if name == "in all" else model / name) for model in (checkpoint, folder)
        )
        assert f" {before:,} -> " in row
        assert f" {after:,} bytes" in row
        assert f" {100 * after / before:.0f} %" in row
        assert row.endswith("as it was") == (name == "music_vocoder")
    assert sum(row.strip().startswith("in all") for row in rows) == 1
    kept = [row for row in rows if "keep their precision" in row]
    assert all(f" {TRANSFORMER}: " in row and " is no multiple of 64): " in row for row in kept)


def test_the_copy_makes_music(
    quantized: tuple[Path, Result], checkpoint: Path, call_cli: Callable[..., Result]
) -> None:
    before = files(checkpoint)
    made = {}
    for model in (checkpoint, quantized[0]):
        result = call_cli(
            *("generate", "-p", "drums", "-d", "1", "--steps", "2", "--seed", "1", "-q"),
            *("--model", model, "-o", f"{model.name}.wav"),
        )
        assert result == Result(0, f"{model.name}.wav\n", "")
        made[model] = Path(f"{model.name}.wav").read_bytes()
    assert made[checkpoint] != made[quantized[0]]
    told = json.loads(call_cli("info", quantized[0], "--json").out)
    assert {part["name"] for part in told["components"]} == {p.name for p in checkpoint.iterdir()}
    # A packed weight is as many parameters as it was.
    (part,) = (part for part in told["components"] if part["name"] == TRANSFORMER)
    (weights,) = (checkpoint / TRANSFORMER).glob("*.safetensors")
    used = [array.size for name, array in load_file(weights).items() if not is_unused(name)]
    assert part["parameters"] == sum(part["dtypes"].values()) == sum(used)
    assert {"4 bits", "8 bits"} <= set(part["dtypes"])
    assert files(checkpoint) == before


@pytest.mark.parametrize(
    ("flags", "config", "parts"),
    [
        (["--preset", "speed"], QuantizationConfig.for_speed(), ["transformer"]),
        (["--preset", "quality"], QuantizationConfig.for_quality(), ["transformer"]),
        (
            ["--part", "decoder", "--part", "transformer", "--group-size", "32"],
            QuantizationConfig(8, 4, 8, group_size=32),
            ["decoder", "transformer"],
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_presets_and_parts(
    flags: list[str],
    config: QuantizationConfig,
    parts: list[str],
    checkpoint: Path,
    call_cli: Callable[..., Result],
) -> None:
    result = call_cli("quantize", checkpoint, "small", *flags, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    told = json.loads(result.out)
    assert (told["path"], told["config"]) == ("small", config.to_dict())
    assert told["nbytes_before"] == on_disk(checkpoint)
    assert told["nbytes_after"] == on_disk(Path("small")) < told["nbytes_before"]
    done = {part["name"]: part for part in told["components"] if part["bits"]}
    assert set(done) == set(library.folders_of(parts))
    for part in done.values():
        assert set(part["bits"].values()) <= {config.attention, config.feed_forward, config.other}
        assert not set(part["bits"]) & set(part["kept"])


class TestTrouble:
    """One line, the right code, and no folder, whole or half."""

    @pytest.fixture
    def refused(self, checkpoint: Path, call_cli: Callable[..., Result]) -> Callable[..., str]:
        def refused(*args: object, code: int = 1) -> str:
            before = files(Path()), sorted(Path().rglob("*"))
            result = call_cli("quantize", *args, "--quiet")
            assert result.code == code, result.err
            assert (files(Path()), sorted(Path().rglob("*"))) == before
            return result.error

        return refused

    @pytest.mark.parametrize(
        ("args", "code", "line"),
        [
            (["SRC"], 2, "the following arguments are required: DST"),
            (["SRC", "new", "--preset", "tiny"], 2, "--preset: invalid choice: 'tiny'"),
            (["SRC", "new", "--part", "drums"], 2, "--part: invalid choice: 'drums'"),
            (["SRC", "new", "--group-size", "7"], 2, "--group-size: invalid choice: 7"),
            (["SRC", "new", "--offlien"], 2, "--offlien is unknown; did you mean --offline?"),
            (["SRC", "there"], 1, "there: exists; give another name, or remove it"),
            (["SRC", "file"], 1, "file: exists; give another name, or remove it"),
            (["SRC", "file/new"], 1, "file/new: cannot be written: "),
            (["SRC", "new", "--revision", "main"], 1, "SRC: a local folder has no revisions"),
            (["/nosuch", "new"], 1, "/nosuch: no such folder"),
            (["there", "new"], 1, "there: ace_step_transformer/config.json"),
            (["org/model", "new", "--offline"], 1, "org/model: not downloaded; get it with"),
            # What is in the way is told before anything is downloaded.
            (["org/model", "there"], 1, "there: exists"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_arguments(
        self,
        args: list[str],
        code: int,
        line: str,
        checkpoint: Path,
        refused: Callable[..., str],
    ) -> None:
        Path("there").mkdir()
        Path("file").write_text("mine")
        args = [arg.replace("SRC", str(checkpoint)) for arg in args]
        assert refused(*args, code=code).startswith(line.replace("SRC", str(checkpoint)))

    def test_no_layer_fits(self, checkpoint: Path, refused: Callable[..., str]) -> None:
        config = json.loads((checkpoint / "umt5-base" / "config.json").read_text())
        if config["d_model"] % 128 == 0:
            pytest.skip("the layers of this size fit the largest groups")
        args = (checkpoint, "new", "--part", "text_encoder", "--group-size", "128")
        error = refused(*args, code=2)
        assert error.startswith("--group-size: no layer of umt5-base can be quantized in groups of")

    def test_quantized_already(
        self, quantized: tuple[Path, Result], refused: Callable[..., str]
    ) -> None:
        error = refused(quantized[0], "new")
        assert "is quantized already; start from the original weights" in error
        assert TRANSFORMER in error

    def test_damaged(self, checkpoint: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(checkpoint, copy)
        (weights,) = (copy / TRANSFORMER).glob("*.safetensors")
        weights.write_bytes(weights.read_bytes()[:-1])
        error = refused(copy, "new")
        assert error.startswith(f"{weights}: ")
        assert "truncated" in error

    def test_a_full_disk(
        self, checkpoint: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            assert refused(checkpoint, "new") == "new: cannot be written: the disk is full"
        usage = shutil.disk_usage(Path())._replace(free=1000)
        monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
        error = refused(checkpoint, "new")
        assert "GB to write, but the disk has 0.0 GB free" in error

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals(
        self,
        number: signal.Signals,
        checkpoint: Path,
        call_cli: Callable[..., Result],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from mlx_music.weights.quantized_files import QuantizedComponent

        whole = QuantizedComponent.write

        def interrupted(self: Any, folder: Path, on_step: Callable[[], None]) -> Any:
            assert list(Path().glob(".mlx-music-*"))
            signal.raise_signal(number)
            return whole(self, folder, on_step)

        monkeypatch.setattr(QuantizedComponent, "write", interrupted)
        result = call_cli("quantize", checkpoint, "new", "--quiet")
        assert result == Result(128 + number, "", "mlx-music: cancelled\n")
        assert list(Path().iterdir()) == []
