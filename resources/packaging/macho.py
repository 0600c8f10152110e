"""What macOS's native files say of themselves: architectures, oldest system, what they load.

Reads the headers and load commands of Mach-O files, thin and fat, on any system. The layouts are
those of Apple's <mach-o/loader.h> and <mach-o/fat.h>.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from resources.packaging.layout import PackagingError

ARCHITECTURE = "arm64"

#: File types, of the many there are.
EXECUTABLE = 2

#: magic: (byte order for struct, size of the header). 32-bit and big-endian files are read too, so
#: that a stray one is named for what it is.
_THIN = {
    b"\xcf\xfa\xed\xfe": ("<", 32),
    b"\xce\xfa\xed\xfe": ("<", 28),
    b"\xfe\xed\xfa\xcf": (">", 32),
    b"\xfe\xed\xfa\xce": (">", 28),
}
#: magic: how one architecture stands in a fat file: cpu, its kind, offset, size, alignment.
_FAT = {b"\xca\xfe\xba\xbe": ">IIIII", b"\xca\xfe\xba\xbf": ">IIQQII"}

#: A Java class file starts like a fat file, with its version (45 or more) for the count.
_MOST_ARCHITECTURES = 20

_CPUS = {
    (0x0100000C, 0): "arm64",
    (0x0100000C, 1): "arm64",
    (0x0100000C, 2): "arm64e",
    (0x01000007, 3): "x86_64",
    (0x01000007, 8): "x86_64h",
    (7, 3): "i386",
    (12, 9): "armv7",
    (18, 0): "ppc",
    (0x01000012, 0): "ppc64",
}

_LC_ID_DYLIB = 0xD
_LC_CODE_SIGNATURE = 0x1D
_LC_VERSION_MIN_MACOSX = 0x24
_LC_BUILD_VERSION = 0x32
_LC_RPATH = 0x8000001C
#: LOAD, LOAD_WEAK, REEXPORT, LAZY_LOAD, and LOAD_UPWARD.
_LC_LOADS = frozenset((0xC, 0x80000018, 0x8000001F, 0x20, 0x80000023))

Version = tuple[int, int]


class MachOError(PackagingError):
    """A file starts like Mach-O and is not readable as it. The message names the file."""


@dataclass(frozen=True)
class Slice:
    """What a Mach-O file holds for one architecture. Offsets and sizes are in bytes.

    offset, size: where the slice lies in the file; a thin file is one slice from 0 to its end.
    minimum_system: the oldest macOS it runs on, None where it does not say.
    install_name: what a library is called by those that load it.
    libraries, rpaths: what it loads, and where it looks for that; as written, in order.
    signature: where the code signature lies, (offset within the slice, size); None if unsigned.
    """

    architecture: str
    offset: int
    size: int
    file_type: int
    minimum_system: Version | None = None
    install_name: str | None = None
    libraries: tuple[str, ...] = ()
    rpaths: tuple[str, ...] = ()
    signature: tuple[int, int] | None = None


def is_macho(path: Path) -> bool:
    """Whether `path` is a Mach-O file; links and folders are not."""
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return _starts_like_macho(file.read(8))


def read_macho(path: Path) -> tuple[Slice, ...]:
    """The slices of the Mach-O file at `path`, in the file's order. Raises MachOError, OSError."""
    whole = path.stat().st_size
    with path.open("rb") as file:
        if not _starts_like_macho(file.read(8)):
            raise MachOError(f"{path}: not a Mach-O file")
        try:
            places = _places(file, whole)
            return tuple(_read_slice(file, offset, size) for offset, size in places)
        except (struct.error, ValueError) as error:
            raise MachOError(f"{path}: damaged Mach-O file ({error})") from None


def find_macho(folder: Path) -> Iterator[Path]:
    """Every Mach-O file under `folder`, in a fixed order, links left out."""
    yield from filter(is_macho, find_files(folder))


def find_files(folder: Path) -> Iterator[Path]:
    """Every file under `folder`, in a fixed order; links to files too, but none are followed."""
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            yield Path(parent, name)


def _starts_like_macho(start: bytes) -> bool:
    magic = start[:4]
    if magic in _FAT:
        return len(start) == 8 and 0 < int.from_bytes(start[4:], "big") <= _MOST_ARCHITECTURES
    return magic in _THIN


def _places(file: BinaryIO, whole: int) -> list[tuple[int, int]]:
    """(offset, size) of every slice in the file of `whole` bytes."""
    file.seek(0)
    magic, count = struct.unpack(">4sI", file.read(8))
    if magic in _THIN:
        return [(0, whole)]
    entry = struct.Struct(_FAT[magic])
    places = []
    for _ in range(count):
        _, _, offset, size, *_ = entry.unpack(file.read(entry.size))
        if offset + size > whole:
            raise ValueError("it ends before its last architecture does")
        places.append((offset, size))
    return places


def _read_slice(file: BinaryIO, offset: int, size: int) -> Slice:
    file.seek(offset)
    magic = file.read(4)
    if magic not in _THIN:
        raise ValueError(f"no header at byte {offset}")
    order, header_size = _THIN[magic]
    cpu, kind, file_type, count, commands_size = struct.unpack(order + "5I", file.read(20))
    file.seek(offset + header_size)
    commands = file.read(commands_size)
    if len(commands) < commands_size:
        raise ValueError("it ends within its load commands")

    # The highest byte of a kind holds flags of the ABI.
    kind &= 0xFFFFFF
    minimum: Version | None = None
    install_name: str | None = None
    signature: tuple[int, int] | None = None
    libraries: list[str] = []
    rpaths: list[str] = []
    for command, body in _commands(order, commands, count):
        if command in _LC_LOADS:
            libraries.append(_text(order, body))
        elif command == _LC_RPATH:
            rpaths.append(_text(order, body))
        elif command == _LC_ID_DYLIB:
            install_name = _text(order, body)
        elif command == _LC_BUILD_VERSION:
            minimum = _version(struct.unpack_from(order + "I", body, 12)[0])
        elif command == _LC_VERSION_MIN_MACOSX:
            minimum = _version(struct.unpack_from(order + "I", body, 8)[0])
        elif command == _LC_CODE_SIGNATURE:
            signature = struct.unpack_from(order + "II", body, 8)
    return Slice(
        architecture=_CPUS.get((cpu, kind), f"cpu {cpu:#x}/{kind}"),
        offset=offset,
        size=size,
        file_type=file_type,
        minimum_system=minimum,
        install_name=install_name,
        libraries=tuple(libraries),
        rpaths=tuple(rpaths),
        signature=signature,
    )


def _commands(order: str, commands: bytes, count: int) -> Iterator[tuple[int, bytes]]:
    """(number, whole command) of every load command."""
    at = 0
    for _ in range(count):
        number, size = struct.unpack_from(order + "II", commands, at)
        if size < 8 or at + size > len(commands):
            raise ValueError("a load command runs over the end")
        yield number, commands[at : at + size]
        at += size


def _text(order: str, body: bytes) -> str:
    """The text that a command carries: its third number says where it starts."""
    (start,) = struct.unpack_from(order + "I", body, 8)
    return os.fsdecode(body[start:].split(b"\0", 1)[0])


def _version(packed: int) -> Version:
    """(major, minor) of a version written as xxxx.yy.zz; the last is never asked for."""
    return packed >> 16, packed >> 8 & 0xFF
