"""The reader of Mach-O files, and of their signatures."""

from __future__ import annotations

from pathlib import Path

import pytest

from resources.packaging.macho import MachOError, find_macho, is_macho, read_macho
from resources.packaging.signature import read_signature
from tests.packaging.finishing import mach_o


def test_a_thin_file_says_all(tmp_path: Path) -> None:
    path = mach_o.write(
        tmp_path / "lib.dylib",
        mach_o.thin(
            system=(14, 2),
            name="@rpath/lib.dylib",
            loads=["@rpath/other.dylib", "/usr/lib/libSystem.B.dylib"],
            rpaths=["@loader_path/", "@loader_path/../lib"],
        ),
    )
    part = mach_o.only(path)
    assert (part.architecture, part.offset, part.size) == ("arm64", 0, path.stat().st_size)
    assert part.file_type == mach_o.LIBRARY
    assert part.minimum_system == (14, 2)
    assert part.install_name == "@rpath/lib.dylib"
    assert part.libraries == (
        "@rpath/other.dylib",
        "/usr/lib/libSystem.B.dylib",
    )
    assert part.rpaths == ("@loader_path/", "@loader_path/../lib")
    assert part.signature is None


@pytest.mark.parametrize("wide", [False, True])
def test_a_fat_file_is_read_part_by_part(tmp_path: Path, wide: bool) -> None:
    parts = [mach_o.thin(cpu=mach_o.X86_64), mach_o.thin(system=(12, 0), content=b"x" * 5000)]
    path = mach_o.write(tmp_path / "fat", mach_o.fat(*parts, wide=wide))
    read = read_macho(path)
    assert [part.architecture for part in read] == ["x86_64", "arm64"]
    assert [part.minimum_system for part in read] == [(11, 0), (12, 0)]
    whole = path.read_bytes()
    assert [whole[part.offset : part.offset + part.size] for part in read] == parts


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xcf\xfa",
        b"text",
        b"\x7fELF" + bytes(60),
        # A Java class, whose start is that of a fat file.
        b"\xca\xfe\xba\xbe\x00\x00\x00\x41" + bytes(60),
    ],
)
def test_other_files_are_not_mach_o(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_macho(path)
    with pytest.raises(MachOError, match="file: not a Mach-O file"):
        read_macho(path)


@pytest.mark.parametrize("length", [8, 30, 60, 5000])
def test_a_file_that_ends_too_soon_is_damaged(tmp_path: Path, length: int) -> None:
    whole = mach_o.fat(mach_o.thin(cpu=mach_o.X86_64), mach_o.thin(name="x" * 40))
    whole = whole if length == 5000 else mach_o.thin(name="x" * 40)
    path = mach_o.write(tmp_path / "file", whole[:length])
    with pytest.raises(MachOError, match="file: damaged Mach-O file"):
        read_macho(path)


def test_links_are_left_out(tmp_path: Path) -> None:
    path = mach_o.write(tmp_path / "b" / "lib", mach_o.thin())
    (tmp_path / "a").symlink_to(path)
    (tmp_path / "folder").symlink_to(tmp_path / "b")
    assert list(find_macho(tmp_path)) == [path]


def test_a_signature_is_read_and_checked(tmp_path: Path) -> None:
    path = mach_o.write(tmp_path / "program", mach_o.thin(kind=mach_o.EXECUTABLE))
    assert read_signature(path, mach_o.only(path)) is None
    mach_o.sign_file(path, flags=mach_o.RUNTIME, entitlements=b"<x/>", certificate=b"Ann")
    signature = read_signature(path, mach_o.only(path))
    assert signature is not None
    assert signature.identifier == "program"
    assert (signature.intact, signature.ad_hoc, signature.hardened) == (True, False, True)
    assert signature.entitlements == b"<x/>"


def test_a_later_change_breaks_a_signature_until_it_is_signed_again(tmp_path: Path) -> None:
    path = mach_o.write(tmp_path / "lib", mach_o.thin())
    mach_o.sign_file(path)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    changed = read_signature(path, mach_o.only(path))
    assert changed is not None
    assert not changed.intact
    mach_o.sign_file(path)
    again = read_signature(path, mach_o.only(path))
    assert again is not None
    assert (again.intact, again.ad_hoc, again.hardened) == (True, True, False)
