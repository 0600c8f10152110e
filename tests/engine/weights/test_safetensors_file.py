from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlx_music.errors import CheckpointError
from mlx_music.weights.safetensors_file import DTYPE_BITS, read_header
from tests.engine.weights.files import entry, ramp, raw_file, write_weights


def test_lists_names_dtypes_shapes_and_bytes(tmp_path: Path) -> None:
    path = write_weights(
        tmp_path, {"b": ramp(2, 3), "a.weight": ramp(4, dtype=np.int64), "empty": ramp(0, 7)}
    )
    header = read_header(path)
    assert header.size == path.stat().st_size
    found = {i.name: (i.dtype, i.shape, i.nbytes) for i in header.tensors.values()}
    assert found == {
        "b": ("F32", (2, 3), 24),
        "a.weight": ("I64", (4,), 32),
        "empty": ("F32", (0, 7), 0),
    }
    info = header.tensors["b"]
    raw = path.read_bytes()[info.start : info.start + info.nbytes]
    np.testing.assert_array_equal(np.frombuffer(raw, np.float32).reshape(info.shape), ramp(2, 3))


def test_agrees_with_the_files_mlx_writes(tmp_path: Path) -> None:
    path = tmp_path / "mlx.safetensors"
    arrays = {
        "bf": mx.zeros((2, 3), mx.bfloat16),
        "u": mx.zeros((5,), mx.uint32),
        "scalar": mx.array(1.0),
        "flag": mx.array([True, False, True]),
    }
    mx.save_safetensors(str(path), arrays, {"format": "mlx"})
    header = read_header(path)
    assert header.metadata == {"format": "mlx"}
    assert {n: (i.shape, i.nbytes) for n, i in header.tensors.items()} == {
        n: (a.shape, a.nbytes) for n, a in arrays.items()
    }


def test_every_dtype_has_its_size(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for dtype, bits in DTYPE_BITS.items():
        path.write_bytes(raw_file({"x": entry(dtype, (8,), (0, bits))}, bytes(bits)))
        assert read_header(path).tensors["x"].nbytes == bits


GOOD = {"x": entry()}

#: name -> (content, what the error says besides the file and the way out)
DAMAGED = {
    "empty": (b"", "empty"),
    "a few bytes": (b"\x01\x02", "not a safetensors file"),
    "web page": (b"<!DOCTYPE html><html>Not found</html>", "not a safetensors file"),
    "zip": (b"PK\x03\x04" + bytes(60), "not a safetensors file"),
    "zeros": (bytes(500), "not a safetensors file"),
    "git lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    "header too long": ((10**9).to_bytes(8, "little") + b"{}" + bytes(8), "not a safetensors"),
    "torn header": (raw_file(GOOD, bytes(8))[:30], "truncated inside its header"),
    "bad json": (raw_file(b'{"x": {]', bytes(8)), "corrupt header"),
    "not utf-8": (raw_file(b'{"\xff\xfe": 1}', bytes(8)), "corrupt header"),
    "deep json": (raw_file(b'{"x":' + b"[" * 200_000), "corrupt header"),
    "twice": (raw_file(b'{"x": {}, "x": {}}'), "twice"),
    "entry is a list": (raw_file({"x": [1]}), "'x': corrupt header entry"),
    "metadata is a list": (raw_file({"__metadata__": [], **GOOD}, bytes(8)), "metadata"),
    "unknown dtype": (raw_file({"x": entry("F33")}, bytes(8)), "'x': unknown dtype 'F33'"),
    "dtype is a list": (raw_file({"x": entry(["F32"])}, bytes(8)), "'x': unknown dtype"),  # type: ignore[arg-type]
    "negative shape": (raw_file({"x": entry("F32", (-2,))}, bytes(8)), "'x': invalid shape"),
    "shape of text": (raw_file({"x": entry("F32", "2")}, bytes(8)), "'x': invalid shape"),
    "shape of truth": (raw_file({"x": entry("F32", (True, 2))}, bytes(8)), "'x': invalid shape"),
    "one offset": (raw_file({"x": entry(offsets=(8,))}, bytes(8)), "'x': invalid offsets"),
    "negative offset": (raw_file({"x": entry(offsets=(-8, 0))}, bytes(8)), "'x': invalid offsets"),
    "backwards": (raw_file({"x": entry(offsets=(8, 0))}, bytes(8)), "'x': -8 bytes cannot"),
    "wrong size": (raw_file({"x": entry(shape=(3,))}, bytes(8)), r"shape \(3,\) of dtype F32"),
    "huge shape": (raw_file({"x": entry(shape=(2**62, 2**62))}, bytes(8)), "'x': 8 bytes cannot"),
    "truncated": (
        raw_file({**GOOD, "y": entry(offsets=(8, 16))}, bytes(15)),
        "'y': the file is truncated: .* of .* bytes",
    ),
    "trailing bytes": (raw_file(GOOD, bytes(9)), "its header describes"),
    "gap": (raw_file({**GOOD, "y": entry(offsets=(16, 24))}, bytes(24)), "'y': .*gap"),
    "overlap": (raw_file({**GOOD, "y": entry(offsets=(4, 12))}, bytes(12)), "'y': .*overlap"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_named(tmp_path: Path, case: str) -> None:
    content, problem = DAMAGED[case]
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=problem) as caught:
        read_header(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "mlx-music download" in message
    assert "\n" not in message


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.safetensors: no such file"):
        read_header(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_header(tmp_path)


def test_any_truncation_is_an_error(tmp_path: Path) -> None:
    whole = write_weights(tmp_path, {"a": ramp(3), "b": ramp(2, 2)}).read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            read_header(path)


@given(position=st.integers(0, 150), value=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_gives_a_header_or_a_checkpoint_error(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    whole = bytearray(raw_file({"a": entry(), "b": entry(offsets=(8, 16))}, bytes(16)))
    whole[position % len(whole)] = value
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(bytes(whole))
    try:
        header = read_header(path)
    except CheckpointError:
        return
    assert sum(info.nbytes for info in header.tensors.values()) == 16
