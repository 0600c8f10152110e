"""Makes Mach-O files as small as they can be, and signs them ad hoc, on any system.

The layouts are those of Apple's <mach-o/loader.h>, <mach-o/fat.h> and xnu's cs_blobs.h.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from pathlib import Path

from resources.packaging.macho import Slice, read_macho

ARM64 = (0x0100000C, 0)
X86_64 = (0x01000007, 3)

EXECUTABLE, LIBRARY, BUNDLE = 2, 6, 8

_LC_LOAD_DYLIB = 0xC
_LC_ID_DYLIB = 0xD
_LC_SEGMENT_64 = 0x19
_LC_CODE_SIGNATURE = 0x1D
_LC_BUILD_VERSION = 0x32
_LC_RPATH = 0x8000001C

_HEADER = struct.Struct("<8I")
_PAGE = 4096
#: Where the content starts: what is between the load commands and it is room for more of them.
_CONTENT_AT = 2048

ADHOC, RUNTIME = 0x2, 0x10000


def thin(
    *,
    cpu: tuple[int, int] = ARM64,
    kind: int = LIBRARY,
    system: tuple[int, int] | None = (11, 0),
    name: str | None = None,
    loads: Sequence[str] = (),
    rpaths: Sequence[str] = (),
    content: bytes = b"code" * 2000,
) -> bytes:
    """A Mach-O file for one architecture, unsigned. `name`: its install name."""
    # macholib, which changes load commands, wants to know where they have to end.
    commands = [_segment(len(content))]
    if name is not None:
        commands.append(_command(_LC_ID_DYLIB, struct.pack("<4I", 24, 0, 0, 0), name))
    commands += [_command(_LC_LOAD_DYLIB, struct.pack("<4I", 24, 0, 0, 0), load) for load in loads]
    commands += [_command(_LC_RPATH, struct.pack("<I", 12), rpath) for rpath in rpaths]
    if system is not None:
        version = system[0] << 16 | system[1] << 8
        commands.append(_command(_LC_BUILD_VERSION, struct.pack("<4I", 1, version, version, 0)))
    body = b"".join(commands)
    header = _HEADER.pack(0xFEEDFACF, *cpu, kind, len(commands), len(body), 0, 0)
    return (header + body).ljust(_CONTENT_AT, b"\0") + content


def fat(*parts: bytes, wide: bool = False) -> bytes:
    """A fat file of thin ones, each at the start of a page. `wide`: with 64-bit offsets."""
    magic, entry = (0xCAFEBABF, ">IIQQII") if wide else (0xCAFEBABE, ">IIIII")
    head = struct.pack(">II", magic, len(parts))
    content = b""
    for part in parts:
        start = _PAGE + len(content)
        cpu, kind = struct.unpack_from("<II", part, 4)
        head += struct.pack(entry, cpu, kind, start, len(part), 12, *((0,) if wide else ()))
        content += part.ljust(-(-len(part) // _PAGE) * _PAGE, b"\0")
    return head.ljust(_PAGE, b"\0") + content.rstrip(b"\0")


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def sign_file(
    path: Path, *, flags: int = ADHOC, entitlements: bytes = b"", certificate: bytes = b""
) -> None:
    """Sign the thin file at `path`, in place of a signature that it has.

    flags: ADHOC and RUNTIME, as codesign would set them. certificate: stands for a real one.
    """
    (part,) = read_macho(path)
    content = bytearray(path.read_bytes())
    if part.signature is None:
        _make_room(content)
    else:
        del content[part.signature[0] :]
    blob_size = len(_blob(path, content, flags, entitlements, certificate))
    _set_signature(content, len(content), blob_size)
    path.write_bytes(content + _blob(path, content, flags, entitlements, certificate))


def parts_of(path: Path) -> list[str]:
    """The architectures in the file at `path`."""
    return [part.architecture for part in read_macho(path)]


def only(path: Path) -> Slice:
    (part,) = read_macho(path)
    return part


def _segment(size: int) -> bytes:
    """One segment with one section: all of the content."""
    text, code = b"__TEXT", b"__text"
    head = struct.pack("<16s4Q4I", text, 0, size, _CONTENT_AT, size, 5, 5, 1, 0)
    section = struct.pack("<16s16s2Q8I", code, text, 0, size, _CONTENT_AT, 0, 0, 0, 0, 0, 0, 0)
    return _command(_LC_SEGMENT_64, head + section)


def _command(number: int, fixed: bytes, text: str | None = None) -> bytes:
    body = fixed if text is None else fixed + text.encode() + b"\0"
    body = body.ljust(-(-len(body) // 8) * 8, b"\0")
    return struct.pack("<II", number, 8 + len(body)) + body


def _make_room(content: bytearray) -> None:
    """Add a load command for a signature, and align the end of the file for it."""
    fields = list(_HEADER.unpack_from(content))
    end = _HEADER.size + fields[5]
    if any(content[end : end + 16]):
        raise ValueError("no room for another load command")
    struct.pack_into("<4I", content, end, _LC_CODE_SIGNATURE, 16, 0, 0)
    fields[4] += 1
    fields[5] += 16
    _HEADER.pack_into(content, 0, *fields)
    content.extend(b"\0" * (-len(content) % 16))


def _set_signature(content: bytearray, offset: int, size: int) -> None:
    at = _HEADER.size
    for _ in range(_HEADER.unpack_from(content)[4]):
        number, length = struct.unpack_from("<II", content, at)
        if number == _LC_CODE_SIGNATURE:
            struct.pack_into("<II", content, at + 8, offset, size)
        at += length


def _blob(path: Path, content: bytes, flags: int, entitlements: bytes, certificate: bytes) -> bytes:
    """A signature of `content`: a code directory, entitlements, a certificate."""
    name = path.name.encode() + b"\0"
    starts = range(0, len(content), _PAGE)
    hashes = b"".join(hashlib.sha256(content[start : start + _PAGE]).digest() for start in starts)
    fixed = 44
    directory = struct.pack(
        ">9I4BI",
        *(0xFADE0C02, fixed + len(name) + len(hashes), 0x20001, flags),
        *(fixed + len(name), fixed, 0, len(starts), len(content)),
        *(32, 2, 0, 12, 0),
    )
    parts = [(0, directory + name + hashes)]
    if entitlements:
        parts.append((5, struct.pack(">II", 0xFADE7171, 8 + len(entitlements)) + entitlements))
    parts.append((0x10000, struct.pack(">II", 0xFADE0B01, 8 + len(certificate)) + certificate))
    at = 12 + 8 * len(parts)
    index = b""
    for slot, part in parts:
        index += struct.pack(">II", slot, at)
        at += len(part)
    return struct.pack(">III", 0xFADE0CC0, at, len(parts)) + index + b"".join(p for _, p in parts)
